package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// formatVersion is the member v of entries.
const formatVersion = 1

// timeFormat is RFC 3339 in UTC with exactly six digits of a second.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// clean returns e within its caps: valid UTF-8 without NUL, which PostgreSQL does not keep, and times of whole µs.
func (e Entry) clean(now time.Time) Entry {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	for _, s := range []*string{
		&e.Actor.ID, &e.Actor.Name, &e.Actor.Kind, &e.Source, &e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name, &e.SessionID,
	} {
		*s = cut(*s, maxName)
	}
	policies := make([]string, 0, min(len(e.Policies), maxPolicies))
	for _, p := range e.Policies[:min(len(e.Policies), maxPolicies)] {
		policies = append(policies, cut(p, maxName))
	}
	slices.Sort(policies)
	e.Policies = slices.Compact(policies)
	details := make(map[string]string, min(len(e.Details), maxDetails))
	for _, k := range slices.Sorted(maps.Keys(e.Details)) {
		if v := e.Details[k]; v != "" && len(details) < maxDetails {
			details[cut(k, maxKey)] = cut(v, maxDetail)
		}
	}
	e.Details = details
	return e
}

// cut returns at most n bytes of s, as valid UTF-8 without NUL.
func cut(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

// encode returns the canonical bytes of a clean entry: JSON after RFC 8785 (members sorted, no white space, shortest
// escapes), without members that are empty. It is the leaf of the tree.
func (e Entry) encode(index int64) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"action":`...)
	b = appendString(b, e.Action)
	b = append(b, `,"actor":{`...)
	b = appendMembers(b, "id", e.Actor.ID, "kind", e.Actor.Kind, "name", e.Actor.Name)
	b = append(b, '}')
	if len(e.Details) > 0 {
		b = append(b, `,"details":{`...)
		for i, k := range slices.SortedFunc(maps.Keys(e.Details), compareUTF16) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k)
			b = append(b, ':')
			b = appendString(b, e.Details[k])
		}
		b = append(b, '}')
	}
	b = append(b, `,"index":`...)
	b = strconv.AppendInt(b, index, 10)
	if e.Object != (Object{}) {
		b = append(b, `,"object":{`...)
		b = appendMembers(b, "id", e.Object.ID, "kind", e.Object.Kind, "name", e.Object.Name)
		b = append(b, '}')
	}
	b = append(b, `,"outcome":`...)
	b = appendString(b, string(e.Outcome))
	if len(e.Policies) > 0 {
		b = append(b, `,"policies":[`...)
		for i, p := range e.Policies {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, p)
		}
		b = append(b, ']')
	}
	for _, m := range [][2]string{{"session", e.SessionID}, {"source", e.Source}} {
		if m[1] != "" {
			b = append(b, ',')
			b = appendMembers(b, m[0], m[1])
		}
	}
	b = append(b, `,"time":`...)
	b = appendString(b, e.Time.Format(timeFormat))
	b = append(b, `,"v":`...)
	b = strconv.AppendInt(b, formatVersion, 10)
	return append(b, '}')
}

// appendMembers writes pairs of name and value, without the empty ones.
func appendMembers(b []byte, pairs ...string) []byte {
	first := true
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, pairs[i])
		b = append(b, ':')
		b = appendString(b, pairs[i+1])
	}
	return b
}

// appendString writes a JSON string with the escapes of RFC 8785, section 3.2.2.2.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// compareUTF16 orders names as RFC 8785 does: by UTF-16 code units, which differs from UTF-8's order beyond U+FFFF.
func compareUTF16(a, b string) int {
	x, y := []rune(a), []rune(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return unit(x[i]) - unit(y[i])
		}
	}
	return len(x) - len(y)
}

// unit is a number that orders code points as their UTF-16 forms: surrogates, from 0xD800, come before 0xE000–0xFFFF.
func unit(r rune) int {
	switch {
	case r > 0xFFFF:
		return int(r) - 0x10000 + 0xD800
	case r >= 0xE000:
		return int(r) + 0x110000
	}
	return int(r)
}

// wire is an entry as JSON has it.
type wire struct {
	Action  string            `json:"action"`
	Actor   wireObject        `json:"actor"`
	Details map[string]string `json:"details"`
	Index   int64             `json:"index"`
	Object  wireObject        `json:"object"`
	Outcome Outcome           `json:"outcome"`
	Policy  []string          `json:"policies"`
	Session string            `json:"session"`
	Source  string            `json:"source"`
	Time    string            `json:"time"`
	Version int               `json:"v"`
}

type wireObject struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Decode reads an entry from its canonical form. Any other form, of the same content too, is an error: two texts for
// one entry would be two leaves.
func Decode(canonical []byte) (index int64, e Entry, err error) {
	var w wire
	if err := json.Unmarshal(canonical, &w); err != nil {
		return 0, Entry{}, fmt.Errorf("audit: entry: %w", err)
	}
	if w.Version != formatVersion {
		return 0, Entry{}, fmt.Errorf("audit: entry of version %d, this program knows %d", w.Version, formatVersion)
	}
	at, err := time.Parse(timeFormat, w.Time)
	if err != nil {
		return 0, Entry{}, fmt.Errorf("audit: entry: %w", err)
	}
	e = Entry{
		Time: at, Actor: Actor{ID: w.Actor.ID, Kind: w.Actor.Kind, Name: w.Actor.Name}, Source: w.Source, Action: w.Action, Outcome: w.Outcome,
		Object: Object{Kind: w.Object.Kind, ID: w.Object.ID, Name: w.Object.Name}, SessionID: w.Session, Policies: w.Policy, Details: w.Details,
	}
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	if string(e.encode(w.Index)) != string(canonical) {
		return 0, Entry{}, errors.New("audit: entry is not in canonical form")
	}
	return w.Index, e, nil
}
