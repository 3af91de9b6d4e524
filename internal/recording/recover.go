package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// Recover seals what a worker left in the spool folder dir: it closes the open files at their last whole fragment or
// line, enters them into the journal and writes the manifest, with end as the reason. It does nothing when the
// manifest is there, and may be stopped at any point and run again. now is the wall-clock time.
//
// It returns ErrRunning while the worker holds the folder, and ErrNotFound when the worker died before session.json
// was written, that is, before anything was recorded.
func Recover(dir string, end EndReason, now time.Time) error {
	fsys, err := spoolfs.Open(dir)
	if err != nil {
		return &SpoolError{"open", ".", err}
	}
	err = fsys.Lock()
	if errors.Is(err, spoolfs.ErrLocked) {
		err = ErrRunning
	}
	if err == nil {
		err = recoverSpool(fsys, end, now)
	}
	return errors.Join(err, fsys.Close())
}

// recoverSpool is Recover for a folder whose lock the caller holds.
func recoverSpool(fsys spoolfs.FS, end EndReason, now time.Time) error {
	list, err := fsys.List()
	if err != nil {
		return &SpoolError{"list", ".", err}
	}
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name()] = true
	}
	switch {
	case names[manifestFile]:
		return nil
	case !names[sessionFile]:
		return fmt.Errorf("%w: no %s", ErrNotFound, sessionFile)
	}
	b, err := spoolfs.ReadFile(fsys, sessionFile, maxSmallFile)
	if err != nil {
		return &SpoolError{"read", sessionFile, err}
	}
	session, err := parseSession(b)
	if err != nil {
		return err
	}
	for name := range names {
		if strings.HasSuffix(name, spoolfs.TempSuffix) { // no file yet
			if err := fsys.Remove(name); err != nil {
				return &SpoolError{"remove", name, err}
			}
		}
	}
	r := recovery{fs: fsys, listed: map[string]bool{}, unchained: session.Format == unchainedFormat}
	if err := r.openJournal(); err != nil {
		return err
	}
	for _, name := range unlisted(names, r.listed) {
		if err := r.adopt(name); err != nil {
			return errors.Join(err, r.journal.close())
		}
	}
	if err := r.journal.close(); err != nil {
		return &SpoolError{"close", journalFile, err}
	}
	return writeManifest(fsys, session, end, ByRecovery, now)
}

// recovery closes the files of a dead worker.
type recovery struct {
	fs      spoolfs.FS
	journal *journal
	listed  map[string]bool
	// unchained is set for a recording of format 1.
	unchained bool
	init      Entry // the last one: what an open segment was coded with
	end       Ticks // of the last segment
	lastUS    int64 // of the last event
	thumbUS   int64 // of the last thumbnail
}

// openJournal reads the journal and cuts a torn last line off.
func (r *recovery) openJournal() error {
	t, err := readJournal(r.fs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !r.lastLine(corrupt.Offset) {
			return err
		}
	}
	for _, e := range t.entries {
		r.note(e)
	}
	if r.journal, err = openJournal(r.fs, t.at, t.head); err != nil {
		return err
	}
	r.journal.unchained = r.unchained
	return nil
}

// lastLine tells whether nothing but one line comes from offset on: after a power cut the last line may be there in
// length only.
func (r *recovery) lastLine(offset int64) bool {
	b, err := spoolfs.ReadFile(r.fs, journalFile, maxJournalBytes)
	return err == nil && offset >= 0 && bytes.IndexByte(b[offset:], '\n') == len(b)-int(offset)-1
}

func (r *recovery) note(e Entry) {
	r.listed[e.Name] = true
	switch e.Kind {
	case KindInit:
		r.init = e
	case KindSegment:
		r.end = e.End()
	case KindEvents:
		r.lastUS = e.LastUS
	case KindThumbnail:
		r.thumbUS = e.LastUS
	case KindSession:
	}
}

// unlisted returns the recording's files the journal does not know, in the order they were begun: the session, inits,
// events, segments. Events come first because a still picture lasts until the last of them.
func unlisted(names, listed map[string]bool) []string {
	rank := map[Kind]int{KindSession: 0, KindInit: 1, KindEvents: 2, KindSegment: 3, KindThumbnail: 4}
	var out []string
	for name := range names {
		if _, _, ok := parseName(name); ok && !listed[name] {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		ka, _, _ := parseName(a)
		kb, _, _ := parseName(b)
		if c := rank[ka] - rank[kb]; c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return out
}

// adopt closes one file and enters it into the journal.
func (r *recovery) adopt(name string) error {
	b, err := spoolfs.ReadFile(r.fs, name, maxFileBytes)
	if err != nil {
		return &SpoolError{"read", name, err}
	}
	kind, _, _ := parseName(name)
	entry := Entry{Name: name, Kind: kind}
	whole := len(b)
	switch kind {
	case KindSession: // written whole or not at all
	case KindInit: // so is this
		init, err := fmp4.ParseInit(b)
		if err != nil {
			return &CorruptError{File: name, Offset: -1, Err: err}
		}
		entry.Codec, entry.Width, entry.Height = init.Codec(), init.Width, init.Height
	case KindEvents:
		whole = r.scanEvents(b, &entry)
	case KindSegment:
		whole = r.scanSegment(b, &entry)
	case KindThumbnail: // written whole, too; when is not in it
		entry.FirstUS = max(r.thumbUS, r.lastUS, r.end.Duration().Microseconds())
		entry.LastUS = entry.FirstUS
	}
	if whole == 0 {
		if err := r.fs.Remove(name); err != nil {
			return &SpoolError{"remove", name, err}
		}
		return nil
	}
	if err := r.closeAt(name, b[:whole]); err != nil {
		return err
	}
	digestOf(b[:whole]).seal(&entry)
	if err := r.journal.append(entry); err != nil {
		return err
	}
	r.note(entry)
	return nil
}

// scanEvents fills in the entry of an event file and returns the length of its whole lines.
func (r *recovery) scanEvents(b []byte, entry *Entry) (whole int) {
	quiet := calm{since: usTicks(r.lastUS)}
	for {
		line, _, found := bytes.Cut(b[whole:], []byte("\n"))
		if !found {
			break
		}
		us, err := parseEventTime(line)
		if err != nil || us < r.lastUS {
			break // torn by a power cut
		}
		if entry.Count == 0 {
			entry.FirstUS = us
		}
		entry.Count++
		entry.LastUS = us
		r.lastUS = us
		quiet.change(usTicks(us))
		whole += len(line) + 1
	}
	entry.Quiet = quiet.take()
	return whole
}

// scanSegment fills in the entry of a segment and returns the length of its whole fragments. It makes the last
// picture last at least until the last event, in b.
func (r *recovery) scanSegment(b []byte, entry *Entry) (whole int) {
	var still calm
	seg, _ := fmp4.InspectFunc(b, func(start, _ uint64) { still.change(Ticks(start)) })
	if seg.Whole == 0 || r.init.Name == "" || Ticks(seg.Start) < r.end {
		return 0
	}
	if last := usTicks(r.lastUS); last > Ticks(seg.End) {
		seg.End = seg.LastStart + uint64(fmp4Duration(last-Ticks(seg.LastStart)))
		fmp4.PutDuration(b[seg.LastDuration:], seg.End-seg.LastStart)
	}
	still.until(Ticks(seg.End))
	entry.Init = r.init.Name
	entry.Start, entry.Duration = Ticks(seg.Start), Ticks(seg.End-seg.Start)
	entry.Sync, entry.Samples = seg.Sync, seg.Samples
	entry.Still = still.take()
	return seg.Whole
}

// closeAt makes a file's content b, which is its beginning but for a changed duration, and flushes it.
func (r *recovery) closeAt(name string, b []byte) error {
	f, err := r.fs.Open(name, os.O_RDWR)
	if err != nil {
		return &SpoolError{"open", name, err}
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return &SpoolError{"close", name, err}
	}
	return nil
}
