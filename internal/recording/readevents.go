package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// EventQuery selects events.
type EventQuery struct {
	After string        // the Next of an earlier page; empty: from the beginning
	From  time.Duration // not before this time on the session's clock
	Limit int           // at most so many; at least 1
}

// EventPage is a part of the events in order of time.
type EventPage struct {
	Events []json.RawMessage `json:"events"` // lines of events-*.ndjson, see FORMAT.md
	Next   string            `json:"next"`   // pass as After; also when there is no more yet
	More   bool              `json:"more"`
}

// maxPageBytes bounds a page beside its Limit, in bytes of events.
const maxPageBytes = 8 << 20

// cursor is the place of the next event: line (from 0) of event file chunk.
type cursor struct{ chunk, line int }

func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.chunk, c.line) }

func parseCursor(s string) (cursor, error) {
	var c cursor
	if s == "" {
		return c, nil
	}
	if n, err := fmt.Sscanf(s, "%d.%d", &c.chunk, &c.line); n != 2 || err != nil || c.chunk < 0 || c.line < 0 || c.String() != s {
		return c, ErrCursor
	}
	return c, nil
}

// Events reads a page of events. It returns ErrCursor for an After it does not understand.
func (r *Recording) Events(ctx context.Context, q EventQuery) (*EventPage, error) {
	at, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	page := &EventPage{Events: []json.RawMessage{}}
	size := 0
	for _, name := range r.eventFiles(q.From) {
		_, n, _ := parseName(name)
		if n < at.chunk {
			continue
		}
		if n > at.chunk {
			at = cursor{chunk: n}
		}
		b, err := r.read(ctx, name)
		if errors.Is(err, ErrNotFound) && r.Live() {
			break // closed, uploaded and deleted meanwhile; the next page has it
		}
		if err != nil {
			return nil, err
		}
		for line := range skipLines(b, at.line) {
			if len(page.Events) >= max(q.Limit, 1) || size >= maxPageBytes {
				page.Next, page.More = at.String(), true
				return page, nil
			}
			us, err := parseEventTime(line)
			if err != nil {
				return nil, &CorruptError{File: name, Offset: int64(bytes.Index(b, line)), Err: err}
			}
			at.line++
			if us >= q.From.Microseconds() {
				page.Events = append(page.Events, json.RawMessage(line))
				size += len(line)
			}
		}
	}
	page.Next = at.String()
	return page, nil
}

// skipLines yields the whole lines of b without their newlines, from line n on.
func skipLines(b []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			line, rest, found := bytes.Cut(b, []byte("\n"))
			if !found {
				return
			}
			if n--; n < 0 && !yield(line) {
				return
			}
			b = rest
		}
	}
}

// eventFiles returns the event files with events at from or later, in order.
func (r *Recording) eventFiles(from time.Duration) []string {
	var names []string
	for i := range r.entries {
		if e := &r.entries[i]; e.Kind == KindEvents && e.LastUS >= from.Microseconds() {
			names = append(names, e.Name)
		}
	}
	for _, name := range r.open {
		if kind, _, _ := parseName(name); kind == KindEvents {
			names = append(names, name)
		}
	}
	return names
}
