package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
)

// EventFile is one of a recording's event files.
type EventFile struct {
	Name string
	Open bool // it still grows
}

// EventFiles returns the event files in order. An open one may be closed, uploaded and gone from the spool by the time it is
// read; it then has its name in the store.
func (r *Recording) EventFiles() []EventFile {
	var list []EventFile
	for i := range r.entries {
		if r.entries[i].Kind == KindEvents {
			list = append(list, EventFile{Name: r.entries[i].Name})
		}
	}
	for _, name := range r.open {
		if kind, _, _ := parseName(name); kind == KindEvents {
			list = append(list, EventFile{Name: name, Open: true})
		}
	}
	return list
}

// EachEvent calls do for each event of a file, in order, with its time in µs and its kind. line is the whole of it, and is do's
// only until it returns.
func (r *Recording) EachEvent(ctx context.Context, name string, do func(us int64, kind string, line []byte) error) error {
	b, err := r.read(ctx, name)
	if err != nil {
		return err
	}
	at := 0
	for line := range skipLines(b, 0) {
		us, kind, err := eventHead(line)
		if err != nil {
			return &CorruptError{File: name, Offset: int64(at), Err: err}
		}
		if err := do(us, kind, line); err != nil {
			return err
		}
		at += len(line) + 1
	}
	return nil
}

// eventHead reads the time and the kind of an event. As the recorder writes them they stand first, and are read without the
// rest: that is what makes the hundred thousands of events of a long session quick.
func eventHead(line []byte) (us int64, kind string, err error) {
	if rest, ok := bytes.CutPrefix(line, []byte(`{"t_us":`)); ok {
		digits, rest, found := bytes.Cut(rest, []byte(`,"kind":"`))
		if end := bytes.IndexByte(rest, '"'); found && end > 0 && len(digits) > 0 && digits[0] >= '0' && digits[0] <= '9' {
			us, err := strconv.ParseInt(string(digits), 10, 64)
			if name := rest[:end]; err == nil && bytes.IndexByte(name, '\\') < 0 {
				return us, string(name), nil
			}
		}
	}
	var h eventHeader
	if us, err = parseEventTime(line); err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		return 0, "", err
	}
	return us, h.Kind, nil
}

// PictureBytes calls do for each segment's stretches in which the picture changed, with the bytes that fall on them, evenly:
// how much happened on the screen. What is whole of an open segment counts.
func (r *Recording) PictureBytes(ctx context.Context, do func(start, end Ticks, bytes int64)) error {
	for i := range r.entries {
		if e := &r.entries[i]; e.Kind == KindSegment {
			changed(e, do)
		}
	}
	for _, name := range r.open {
		e := Entry{Name: name, Kind: KindSegment}
		if kind, _, _ := parseName(name); kind != KindSegment {
			continue
		}
		data, err := r.readOpen(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue // closed, uploaded and deleted meanwhile
		}
		if err != nil {
			return err
		}
		e.Size = int64(len(data))
		if tail := r.tail(); tail.scanSegment(data, &e) > 0 {
			changed(&e, do)
		}
	}
	return nil
}

// changed takes a segment's still stretches out of its time. They may begin before it.
func changed(e *Entry, do func(start, end Ticks, bytes int64)) {
	var parts []Stretch
	at, total := e.Start, Ticks(0)
	for _, s := range append(e.Still, Stretch{e.End(), e.End()}) {
		if to := min(max(s.Start, at), e.End()); to > at {
			parts = append(parts, Stretch{at, to})
			total += to - at
		}
		at = max(at, min(s.End, e.End()))
	}
	if total == 0 { // all of it was still after its first picture
		do(e.Start, e.Start+1, e.Size)
		return
	}
	for _, p := range parts {
		do(p.Start, p.End, int64(float64(e.Size)*float64(p.End-p.Start)/float64(total)))
	}
}
