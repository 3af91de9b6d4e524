package stream

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/audit"
)

// Format is what a syslog message says after its header.
type Format string

// The formats.
const (
	JSON Format = "json" // structured data, and the canonical entry as text
	CEF  Format = "cef"  // ArcSight's Common Event Format, version 0
)

// Syslog's numbers (RFC 5424, 6.2.1).
const (
	facilityLogAudit = 13
	severityWarning  = 4
	severityNotice   = 5
	severityError    = 3
)

// structuredID has the private enterprise number of examples (RFC 5612): Vitrine has none of its own.
const structuredID = "audit@32473"

// Header is what all messages of a sink have in common.
type Header struct {
	Host    string // of the gateway
	Version string // of Vitrine
	Format  Format
}

// Message returns an item as an RFC 5424 message: one line, whatever the entry holds.
func (h Header) Message(i Item) string {
	e := i.Entry
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s vitrine - %s ", facilityLogAudit*8+severity(e.Outcome), e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		word(h.Host, 255), word(e.Action, 32))
	if h.Format == CEF {
		b.WriteString("- ")
		b.WriteString(h.cef(i))
		return b.String()
	}
	b.WriteString("[" + structuredID)
	for _, p := range [][2]string{
		{"index", strconv.FormatInt(i.Index, 10)},
		{"outcome", string(e.Outcome)},
		{"actor", e.Actor.Name},
		{"actorId", e.Actor.ID},
		{"actorKind", e.Actor.Kind},
		{"source", e.Source},
		{"objectKind", e.Object.Kind},
		{"objectId", e.Object.ID},
		{"objectName", e.Object.Name},
		{"session", e.SessionID},
		{"policies", strings.Join(e.Policies, " ")},
	} {
		if p[1] != "" {
			b.WriteString(" " + p[0] + `="` + parameter(p[1]) + `"`)
		}
	}
	b.WriteString("] ")
	b.WriteString(oneLine(i.JSON))
	return b.String()
}

func severity(o audit.Outcome) int {
	switch o {
	case audit.Denied:
		return severityWarning
	case audit.Failed:
		return severityError
	}
	return severityNotice
}

// word keeps printable ASCII without spaces, at most n bytes; "-" for nothing.
func word(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if r > ' ' && r < 0x7f && b.Len() < n {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// parameter escapes a value of structured data (RFC 5424, 6.3.3).
func parameter(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(oneLine(s))
}

// oneLine replaces control characters, which some receivers take for the end of a message.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// cef returns an item in the Common Event Format.
func (h Header) cef(i Item) string {
	e := i.Entry
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|Vitrine|Vitrine|%s|%s|%s|%d|", cefHeader(h.Version), cefHeader(e.Action), cefHeader(strings.ReplaceAll(e.Action, "_", " ")), cefSeverity(e.Outcome))
	fields := [][2]string{
		{"externalId", strconv.FormatInt(i.Index, 10)},
		{"rt", strconv.FormatInt(e.Time.UnixMilli(), 10)},
		{"outcome", string(e.Outcome)},
		{"suser", e.Actor.Name},
		{"suid", e.Actor.ID},
		{"src", e.Source},
		{"cs1Label", label(e.SessionID, "session")},
		{"cs1", e.SessionID},
		{"cs2Label", label(e.Object.ID+e.Object.Name, "object")},
		{"cs2", strings.TrimSpace(e.Object.Kind + " " + e.Object.ID + " " + e.Object.Name)},
		{"cs3Label", label(strings.Join(e.Policies, " "), "policies")},
		{"cs3", strings.Join(e.Policies, " ")},
		{"cs4Label", "actorKind"},
		{"cs4", e.Actor.Kind},
		{"reason", e.Details["problem"]},
		{"msg", details(e)},
	}
	first := true
	for _, f := range fields {
		if f[1] == "" {
			continue
		}
		if !first {
			b.WriteByte(' ')
		}
		first = false
		b.WriteString(f[0] + "=" + cefValue(f[1]))
	}
	return b.String()
}

func label(value, name string) string {
	if value == "" {
		return ""
	}
	return name
}

// details are all of them in one text.
func details(e audit.Entry) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(e.Details)) {
		parts = append(parts, k+": "+e.Details[k])
	}
	return strings.Join(parts, "; ")
}

func cefSeverity(o audit.Outcome) int {
	switch o {
	case audit.Denied:
		return 6
	case audit.Failed:
		return 5
	}
	return 3
}

// cefHeader escapes a field of the header, cefValue one of the extension.
func cefHeader(s string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(oneLine(s))
}

func cefValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`).Replace(oneLine(s))
}

// frame is RFC 5425's (and 6587's octet-counting): the length in bytes, a space, the message.
func frame(message string) string { return strconv.Itoa(len(message)) + " " + message }
