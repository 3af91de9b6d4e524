package export

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // the report's template and the README
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// maxReportRows bounds each table of a report. Everything is in the recording's files beside it.
const maxReportRows = 20_000

//go:embed report.gohtml
var reportText string

//go:embed README.txt
var packageReadme []byte

// report is what the people's part of a package shows.
type report struct {
	MadeAt time.Time
	MadeBy string
	Reason string

	Session  store.Session
	Info     recording.SessionInfo
	Manifest *recording.Manifest
	Hash     string // of the manifest, in hex
	Verified recording.Verification
	Custody  store.Custody
	Request  *store.AccessRequest
	Grant    *store.AccessGrant

	Acts   []act
	Happen []row
	Lines  []row
	Copied []row
	Alerts []row
	Titles []row
	// Cut tells that there was more than maxReportRows of something.
	Cut bool
}

// act is an entry of the audit log.
type act struct {
	At                                      time.Time
	Index                                   int64
	Actor, Action, Outcome, Source, Details string
}

// row is something that happened, at a time on the session's clock.
type row struct {
	At              time.Duration
	What, Who, Text string
}

// shown are the events a report lists; the others are many, or are the texts.
var shown = map[string]bool{
	"viewer_join": true, "viewer_leave": true, "state": true, "control": true, "freeze": true, "resume": true, "message": true, "watch": true,
	"resize": true, "ending": true, "rejected": true, "justification": true,
}

// gather reads what a report shows.
func (r *report) gather(ctx context.Context, rec *recording.Recording, texts []review.Text) error {
	add := func(list *[]row, x row) {
		if len(*list) >= maxReportRows {
			r.Cut = true
			return
		}
		*list = append(*list, x)
	}
	for _, t := range texts {
		x := row{At: time.Duration(t.US) * time.Microsecond, Who: t.Actor, Text: t.Text}
		switch t.Kind {
		case review.KindLine:
			add(&r.Lines, x)
		case review.KindClipboard:
			add(&r.Copied, x)
		case review.KindAlert:
			add(&r.Alerts, x)
		case review.KindTitle:
			add(&r.Titles, x)
		}
	}
	for _, file := range rec.EventFiles() {
		if err := rec.EachEvent(ctx, file.Name, func(us int64, kind string, line []byte) error {
			if !shown[kind] {
				return nil
			}
			var fields map[string]any
			if err := json.Unmarshal(line, &fields); err != nil {
				return err
			}
			x := row{At: time.Duration(us) * time.Microsecond, What: kind}
			x.Who, _ = fields["actor"].(string)
			for _, name := range []string{"t_us", "kind", "actor"} {
				delete(fields, name)
			}
			x.Text = inWords(fields)
			add(&r.Happen, x)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// inWords writes fields in the order of their names.
func inWords(fields map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if v := fields[name]; v != "" && v != nil {
			parts = append(parts, fmt.Sprintf("%s: %v", name, v))
		}
	}
	return strings.Join(parts, "; ")
}

// acts reads what the audit log has about a session, the oldest first.
func acts(ctx context.Context, db *store.Store, session string) ([]act, error) {
	rows, err := db.Audit.List(ctx, store.AuditFilter{Session: session, Before: -1, Limit: maxReportRows})
	if err != nil {
		return nil, err
	}
	var out []act
	for _, r := range rows {
		_, e, err := audit.Decode([]byte(r.Entry))
		if err != nil {
			return nil, err
		}
		fields := map[string]any{}
		for k, v := range e.Details {
			fields[k] = v
		}
		out = append(out, act{r.Time, r.Index, cmp.Or(e.Actor.Name, e.Actor.Kind), e.Action, string(e.Outcome), e.Source, inWords(fields)})
	}
	slices.Reverse(out)
	return out, nil
}

// manifestHash hashes the manifest as it lies there.
func manifestHash(ctx context.Context, rec *recording.Recording) (string, error) {
	f, _, err := rec.File(ctx, "manifest.json")
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"clock": func(d time.Duration) string { return vttTime(d) },
	"hex":   func(h recording.Hash) string { return hex.EncodeToString(h[:]) },
	"list": func(what string, rows []row, more string) map[string]any {
		return map[string]any{"Title": what, "Rows": rows, "Empty": more}
	},
}).Parse(reportText))

// html writes the report: one page that needs nothing else and can be printed.
func (r *report) html() ([]byte, error) {
	var b bytes.Buffer
	if err := reportTemplate.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("export: report: %w", err)
	}
	return b.Bytes(), nil
}
