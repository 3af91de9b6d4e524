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
	// Blocks are the first 8 bytes of the SHA-256 of each 64 KiB, for files of several.
	Blocks hexBytes `json:"blocks,omitempty"`

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

	// Chain binds the entry to all before it; zero in recordings of format 1. It is the last member.
	Chain Hash `json:"chain,omitzero"`
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
	case len(e.Blocks) != 0 && int64(len(e.Blocks)) != (e.Size+blockBytes-1)/blockBytes*blockDigestBytes:
		return fmt.Errorf("%d bytes of block digests for %s of %d bytes", len(e.Blocks), e.Name, e.Size)
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
	head Hash
	// unchained is set for recordings of format 1 that are being recovered.
	unchained bool
}

// openJournal opens the journal for appending after its first size bytes, which end with the chain's head; what comes
// after them is cut off.
func openJournal(fs spoolfs.FS, size int64, head Hash) (*journal, error) {
	f, err := fs.Open(journalFile, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, &SpoolError{"open", journalFile, err}
	}
	j := &journal{fs: fs, f: f, size: size, head: head}
	if err := f.Truncate(size); err != nil {
		return nil, &SpoolError{"truncate", journalFile, errors.Join(err, f.Close())}
	}
	return j, nil
}

// append makes an entry durable.
func (j *journal) append(e Entry) error {
	if !j.unchained {
		head, err := e.next(j.head)
		if err != nil {
			return err
		}
		e.Chain, j.head = head, head
	}
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
func readJournal(fsys spoolfs.FS) (t journalTail, err error) {
	f, err := fsys.Open(journalFile, os.O_RDONLY)
	if err != nil {
		return t, err
	}
	defer f.Close()
	return t, t.read(f)
}

// journalTail follows a journal that grows.
type journalTail struct {
	at      int64 // bytes read: whole lines
	entries []Entry
	head    Hash // of the chain
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
	return errors.Join(t.take(entries, int64(whole)), err)
}

// take appends entries that end whole bytes after the last, if they continue the chain. A journal whose past was changed
// after it was read ends here.
func (t *journalTail) take(entries []Entry, whole int64) error {
	for i := range entries {
		// Recordings of format 1 have no chain: their entries have none from the first on.
		if e := &entries[i]; len(t.entries) > 0 && t.head != (Hash{}) || e.Chain != (Hash{}) {
			head, err := e.follow(t.head)
			if err != nil {
				return &CorruptError{File: journalFile, Offset: -1, Err: err}
			}
			t.head = head
		}
		t.entries = append(t.entries, entries[i])
	}
	t.at += whole
	return nil
}
