package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// SealedBy says who closed a recording.
type SealedBy string

const (
	// ByWorker is the good end.
	ByWorker SealedBy = "worker"
	// ByRecovery means that the worker did not live to seal, or could not.
	ByRecovery SealedBy = "recovery"
)

// Manifest is manifest.json: the sealed list of a recording's files.
type Manifest struct {
	Format    int       `json:"format"`
	SessionID string    `json:"session_id"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	SealedAt  time.Time `json:"sealed_at"`
	SealedBy  SealedBy  `json:"sealed_by"`
	End       EndReason `json:"end"`
	Duration  Ticks     `json:"duration"` // to the end of the last segment or the last event
	Files     []Entry   `json:"files"`
}

// ParseManifest reads a manifest and checks that it is consistent in itself: a *VerifyError says what is not.
func ParseManifest(b []byte) (*Manifest, error) {
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&m); err != nil {
		return nil, &VerifyError{Problem: Malformed, File: manifestFile, Detail: err.Error()}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &VerifyError{Problem: Malformed, File: manifestFile, Detail: "more after its end"}
	}
	if m.Format != FormatVersion && m.Format != unchainedFormat {
		return nil, fmt.Errorf("%w: %d", ErrFormatVersion, m.Format)
	}
	if err := checkFiles(m.Files, m.Format != unchainedFormat); err != nil {
		return nil, err
	}
	return &m, nil
}

// checkFiles checks that entries come in the one order a recorder makes: the session first, numbers without
// gaps, every segment after its init and after the end of the segment before it.
func checkFiles(files []Entry, chained bool) error {
	next := map[Kind]int{}
	var end Ticks
	var lastUS, thumbUS int64
	inits := map[string]bool{}
	for i := range files {
		e := &files[i]
		bad := func(p Problem, format string, args ...any) error {
			return &VerifyError{Problem: p, File: e.Name, Detail: fmt.Sprintf(format, args...)}
		}
		if err := e.check(); err != nil {
			return bad(Malformed, "%v", err)
		}
		kind, n, _ := parseName(e.Name)
		want := next[kind]
		switch {
		case (kind == KindSession) != (i == 0) || n < want:
			return bad(Reordered, "entry %d of the manifest", i)
		case n > want:
			missing, _ := fileName(kind, want)
			if slices.ContainsFunc(files[i:], func(e Entry) bool { return e.Name == missing }) {
				return bad(Reordered, "entry %d of the manifest, before %s", i, missing)
			}
			return &VerifyError{Problem: Missing, File: missing, Detail: "the manifest goes on with " + e.Name}
		}
		next[kind] = n + 1
		switch kind {
		case KindInit:
			inits[e.Name] = true
		case KindSegment:
			if !inits[e.Init] {
				return bad(Reordered, "its init %q does not come before it", e.Init)
			}
			if e.Start < end {
				return bad(Reordered, "starts at %d, before %d", e.Start, end)
			}
			end = e.End()
		case KindEvents:
			if e.FirstUS < lastUS {
				return bad(Reordered, "starts at %d µs, before %d", e.FirstUS, lastUS)
			}
			lastUS = e.LastUS
		case KindThumbnail:
			if e.FirstUS < thumbUS {
				return bad(Reordered, "is of %d µs, before %d", e.FirstUS, thumbUS)
			}
			thumbUS = e.LastUS
		case KindSession:
		}
	}
	if len(files) == 0 {
		return &VerifyError{Problem: Missing, File: sessionFile, Detail: "the manifest lists no files"}
	}
	if !chained {
		return nil
	}
	var head Hash
	for i := range files {
		var err error
		if head, err = files[i].follow(head); err != nil {
			return &VerifyError{Problem: Altered, File: files[i].Name, Detail: "its entry in the manifest does not continue the chain"}
		}
	}
	return nil
}

// writeManifest seals a spool folder: what its journal lists is the recording.
func writeManifest(fs spoolfs.FS, session SessionInfo, end EndReason, by SealedBy, now time.Time) error {
	j, err := readJournal(fs)
	if err != nil {
		return &SpoolError{"read", journalFile, err}
	}
	m := Manifest{
		Format: session.Format, SessionID: session.SessionID, StartedAt: session.StartedAt.UTC(), SealedAt: now.UTC(),
		SealedBy: by, End: end, Duration: recordedDuration(j.entries), Files: j.entries,
	}
	m.EndedAt = m.StartedAt.Add(m.Duration.Duration())
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := spoolfs.WriteFile(fs, manifestFile, b); err != nil {
		return &SpoolError{"write", manifestFile, err}
	}
	return nil
}

// recordedDuration is the end of the last segment or event.
func recordedDuration(entries []Entry) Ticks {
	var end Ticks
	for i := range entries {
		switch e := &entries[i]; e.Kind {
		case KindSegment:
			end = max(end, e.End())
		case KindEvents:
			end = max(end, e.last())
		case KindSession, KindInit, KindThumbnail:
		}
	}
	return end
}
