package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// Entry describes one closed file: a line of the journal and an element of the manifest.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 Hash   `json:"sha256"`
	Kind   Kind   `json:"kind"`

	// Of an init.
	Codec  string `json:"codec,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`

	// Of a segment.
	Init     string    `json:"init,omitempty"`
	Start    Ticks     `json:"start,omitempty"`
	Duration Ticks     `json:"duration,omitempty"`
	Sync     bool      `json:"sync,omitempty"`
	Samples  int       `json:"samples,omitempty"`
	Still    []Stretch `json:"still,omitempty"`

	// Of events.
	FirstUS int64     `json:"first_us,omitempty"`
	LastUS  int64     `json:"last_us,omitempty"`
	Count   int       `json:"count,omitempty"`
	Quiet   []Stretch `json:"quiet,omitempty"`
}

// End is when a segment ends.
func (e *Entry) End() Ticks { return e.Start + e.Duration }

// last is the time of the last event of an events file.
func (e *Entry) last() Ticks { return usTicks(e.LastUS) }

// check looks at what an entry says of itself.
func (e *Entry) check() error {
	kind, _, ok := parseName(e.Name)
	switch {
	case !ok || kind != e.Kind:
		return fmt.Errorf("entry %q of kind %q", e.Name, e.Kind)
	case e.Size < 0 || e.Samples < 0 || e.Count < 0 || e.FirstUS < 0 || e.LastUS < e.FirstUS:
		return fmt.Errorf("negative number in the entry of %s", e.Name)
	case e.Start+e.Duration < e.Start || e.Start+e.Duration > maxTicks:
		return fmt.Errorf("time of %s out of range", e.Name)
	}
	return nil
}

// maxTicks bounds times to what a time.Duration can hold: 292 years.
const maxTicks = Ticks(math.MaxInt64/int64(time.Second)) * fmp4.Timescale

// parseJournal reads the whole lines of b; whole is their length in bytes. A torn last line is no entry. A bad line
// in the middle is a CorruptError, with the entries before it.
func parseJournal(b []byte) (entries []Entry, whole int, err error) {
	for {
		line, _, found := bytes.Cut(b[whole:], []byte("\n"))
		if !found {
			return entries, whole, nil
		}
		var e Entry
		err := error(nil)
		if len(line) > maxJournalLine {
			err = fmt.Errorf("line of %d bytes", len(line))
		} else if err = json.Unmarshal(line, &e); err == nil {
			err = e.check()
		}
		if err != nil {
			return entries, whole, &CorruptError{File: journalFile, Offset: int64(whole), Err: err}
		}
		entries = append(entries, e)
		whole += len(line) + 1
	}
}

// journal is the open journal of a recording.
type journal struct {
	fs   spoolfs.FS
	f    spoolfs.File
	size int64
}

// openJournal opens the journal for appending after its first size bytes; what comes after them is cut off.
func openJournal(fs spoolfs.FS, size int64) (*journal, error) {
	f, err := fs.Open(journalFile, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, &SpoolError{"open", journalFile, err}
	}
	j := &journal{fs: fs, f: f, size: size}
	if err := f.Truncate(size); err != nil {
		return nil, &SpoolError{"truncate", journalFile, errors.Join(err, f.Close())}
	}
	return j, nil
}

// append makes an entry durable.
func (j *journal) append(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if len(line) > maxJournalLine {
		return fmt.Errorf("%w: journal line of %d bytes", ErrLimit, len(line))
	}
	if _, err := j.f.WriteAt(line, j.size); err != nil {
		return &SpoolError{"write", journalFile, err}
	}
	if err := j.f.Sync(); err != nil {
		return &SpoolError{"sync", journalFile, err}
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) close() error { return j.f.Close() }

// readJournal reads the journal of a spool folder.
func readJournal(fsys spoolfs.FS) (entries []Entry, whole int, err error) {
	var t journalTail
	f, err := fsys.Open(journalFile, os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	err = t.read(f)
	return t.entries, int(t.at), err
}

// journalTail follows a journal that grows.
type journalTail struct {
	at      int64 // bytes read: whole lines
	entries []Entry
}

// read takes the lines that came since the last call.
func (t *journalTail) read(f io.ReaderAt) error {
	b, err := io.ReadAll(io.NewSectionReader(f, t.at, maxJournalBytes-t.at))
	if err != nil {
		return &SpoolError{"read", journalFile, err}
	}
	entries, whole, err := parseJournal(b)
	if corrupt, ok := errors.AsType[*CorruptError](err); ok {
		corrupt.Offset += t.at
	}
	t.entries = append(t.entries, entries...)
	t.at += int64(whole)
	return err
}
