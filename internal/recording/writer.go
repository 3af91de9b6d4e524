package recording

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// writer owns the open files of a recording. Its methods are called by one goroutine at a time: whoever holds
// Recorder.disk. After an error that is a SpoolError nothing more is written.
type writer struct {
	fs       spoolfs.FS
	session  SessionInfo
	onClosed func(name string)

	journal *journal
	seg     *segment
	chunk   *chunk

	init      string // the one in use
	initHash  [sha256.Size]byte
	nextInit  int
	nextSeg   int
	nextChunk int
	sequence  uint32 // of fragments
	lastStart Ticks  // of the last picture
	any       bool   // there was one
	picture   calm
	input     calm
	folder    bool // entries of the folder not flushed
	touched   time.Duration
	nextThumb int
	thumbAt   time.Duration // of the last thumbnail

	minFree, maxSpool uint64
	written           uint64 // bytes ever written
	deleted           uint64 // of them known to have left the spool
}

// batch is what came since the last write.
type batch struct {
	units  []*h264.AccessUnit
	events []eventLine
}

type eventLine struct {
	us   int64
	line []byte
}

// newWriter starts a recording in an empty folder: session.json and its journal entry.
func newWriter(fsys spoolfs.FS, session SessionInfo, opts Options) (*writer, error) {
	w := &writer{
		fs: fsys, session: session, onClosed: opts.OnClosed,
		minFree: opts.MinFreeBytes, maxSpool: opts.MaxSpoolBytes,
	}
	list, err := fsys.List()
	if err != nil {
		return nil, &SpoolError{"list", ".", err}
	}
	if len(list) > 0 {
		return nil, &SpoolError{"create", sessionFile, fmt.Errorf("the spool folder holds %s: %w", list[0].Name(), fs.ErrExist)}
	}
	if err := w.checkSpace(true); err != nil {
		return nil, err // nobody shall see a second of what cannot be recorded
	}
	b, err := json.Marshal(session)
	if err != nil {
		return nil, err
	}
	if err := spoolfs.WriteFile(fsys, sessionFile, b); err != nil {
		return nil, &SpoolError{"write", sessionFile, err}
	}
	if w.journal, err = openJournal(fsys, 0, Hash{}); err != nil {
		return nil, err
	}
	if err := w.syncFolderNow(); err != nil {
		return nil, errors.Join(err, w.journal.close())
	}
	if err := w.closed(Entry{Name: sessionFile, Kind: KindSession, Size: int64(len(b)), SHA256: sha256.Sum256(b)}); err != nil {
		return nil, errors.Join(err, w.journal.close())
	}
	return w, nil
}

// write makes a batch durable. now is the time on the session's clock, not before anything in the batch.
func (w *writer) write(b batch, now time.Duration) error {
	for _, au := range b.units {
		if err := w.unit(au); err != nil {
			return err
		}
	}
	if err := w.writeEvents(b.events); err != nil {
		return err
	}
	urgent := len(b.units) > 0
	if w.seg != nil {
		if err := w.writeBatch(toTicks(now)); err != nil {
			return err
		}
		if urgent || now-w.touched >= touchInterval {
			w.touched = now
			if err := w.seg.sync(); err != nil {
				return err
			}
		}
	}
	if w.chunk != nil {
		if err := w.chunk.sync(); err != nil {
			return err
		}
		age := now - time.Duration(w.chunk.entry.FirstUS)*time.Microsecond
		if age >= chunkAge || w.chunk.entry.Size >= chunkBytes {
			if err := w.closeChunk(); err != nil {
				return err
			}
		}
	}
	if err := w.syncFolder(); err != nil {
		return err
	}
	return w.checkSpace(len(b.units)+len(b.events) > 0)
}

// unit puts a picture into the segment it belongs to.
func (w *writer) unit(au *h264.AccessUnit) error {
	start := toTicks(au.PTS)
	if w.any {
		start = max(start, w.lastStart+1) // two pictures within one tick
	}
	if s := w.seg; s != nil {
		if au.IDR || start-s.entry.Start >= toTicks(segmentDuration) || s.bytes()+int64(2*len(au.Data)) > MaxSegmentBytes {
			if err := w.closeSegment(start); err != nil {
				return err
			}
		}
	}
	if au.IDR {
		// INVARIANT: no segment is open here. So an open segment was coded with the last init of the journal, and that is
		// how recovery and live replay know.
		if err := w.useInit(au); err != nil {
			return err
		}
	}
	if !au.Refine || !w.any {
		w.picture.change(start)
	}
	w.any, w.lastStart = true, start
	if w.seg == nil {
		name, err := fileName(KindSegment, w.nextSeg)
		if err != nil {
			return err
		}
		if w.seg, err = newSegment(w.fs, Entry{Name: name, Kind: KindSegment, Init: w.init, Start: start, Sync: au.IDR}); err != nil {
			return err
		}
		w.nextSeg++
		w.folder = true
	} else if len(w.seg.batch.Samples) >= maxBatch {
		if err := w.writeBatch(start); err != nil {
			return err
		}
	}
	return w.seg.add(start, au.IDR, au.Data)
}

// writeBatch writes what the open segment has collected, or extends its last picture to now.
func (w *writer) writeBatch(now Ticks) error {
	if len(w.seg.batch.Samples) == 0 {
		return w.seg.extend(now)
	}
	w.sequence++
	if err := w.seg.write(w.sequence, now); err != nil {
		return err
	}
	w.written += uint64(len(w.seg.tail))
	return nil
}

// closeSegment ends the open segment at end.
func (w *writer) closeSegment(end Ticks) error {
	if err := w.writeBatch(end); err != nil {
		return err
	}
	if err := w.syncFolder(); err != nil {
		return err
	}
	entry, err := w.seg.close()
	if err != nil {
		return err
	}
	w.seg = nil
	w.picture.until(entry.End())
	entry.Still = w.picture.take()
	return w.closed(entry)
}

// useInit writes an init file for an IDR picture unless the one before it used the same. A size that comes back gets a new
// file, or the last of the journal would not be the one in use.
func (w *writer) useInit(au *h264.AccessUnit) error {
	sps, pps, err := h264.ParameterSets(au.Data)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	init := fmp4.Init{SPS: sps, PPS: pps, Width: au.Width, Height: au.Height}
	b, err := init.Encode()
	if err != nil {
		return err
	}
	hash := sha256.Sum256(b)
	if hash == w.initHash {
		return nil
	}
	name, err := fileName(KindInit, w.nextInit)
	if err != nil {
		return err
	}
	if err := spoolfs.WriteFile(w.fs, name, b); err != nil {
		return &SpoolError{"write", name, err}
	}
	w.init, w.initHash = name, hash
	w.nextInit++
	w.written += uint64(len(b))
	return w.closed(Entry{
		Name: name, Kind: KindInit, Size: int64(len(b)), SHA256: hash, Codec: init.Codec(), Width: init.Width, Height: init.Height,
	})
}

// writeEvents appends lines to the open event file.
func (w *writer) writeEvents(events []eventLine) error {
	if len(events) == 0 {
		return nil
	}
	if w.chunk == nil {
		name, err := fileName(KindEvents, w.nextChunk)
		if err != nil {
			return err
		}
		if w.chunk, err = newChunk(w.fs, name, events[0].us); err != nil {
			return err
		}
		w.nextChunk++
		w.folder = true
	}
	var lines []byte
	for _, e := range events {
		lines = append(lines, e.line...)
		w.input.change(usTicks(e.us))
	}
	w.written += uint64(len(lines))
	return w.chunk.write(lines, len(events), events[len(events)-1].us)
}

func (w *writer) closeChunk() error {
	if err := w.syncFolder(); err != nil {
		return err
	}
	entry, err := w.chunk.close()
	if err != nil {
		return err
	}
	w.chunk = nil
	entry.Quiet = w.input.take()
	return w.closed(entry)
}

// closed enters a durable file into the journal and tells of it.
func (w *writer) closed(entry Entry) error {
	if err := w.journal.append(entry); err != nil {
		return err
	}
	if w.onClosed != nil {
		w.onClosed(entry.Name)
	}
	return nil
}

// seal closes everything at now and writes the manifest.
func (w *writer) seal(b batch, now time.Duration, end EndReason) error {
	if err := w.write(b, now); err != nil && !errors.Is(err, errSpace) {
		return err
	}
	if w.seg != nil {
		if err := w.closeSegment(toTicks(now)); err != nil {
			return err
		}
	}
	if w.chunk != nil {
		if err := w.closeChunk(); err != nil {
			return err
		}
	}
	if err := writeManifest(w.fs, w.session, end, ByWorker, w.session.StartedAt.Add(now)); err != nil {
		return err
	}
	if w.onClosed != nil {
		w.onClosed(manifestFile)
	}
	return nil
}

// release closes what is open and gives the folder up.
func (w *writer) release() error {
	var errs []error
	if w.seg != nil {
		errs = append(errs, w.seg.f.Close())
	}
	if w.chunk != nil {
		errs = append(errs, w.chunk.f.Close())
	}
	return errors.Join(append(errs, w.journal.close(), w.fs.Close())...)
}

func (w *writer) syncFolder() error {
	if !w.folder {
		return nil
	}
	return w.syncFolderNow()
}

func (w *writer) syncFolderNow() error {
	if err := w.fs.Sync(); err != nil {
		return &SpoolError{"sync", ".", err}
	}
	w.folder = false
	return nil
}

// errSpace is the part of ErrSpoolFull that leaves room to seal: a limit was passed, no write has failed.
var errSpace = fmt.Errorf("%w: limit passed", ErrSpoolFull)

// checkSpace compares the spool with its limits.
func (w *writer) checkSpace(wrote bool) error {
	if !wrote {
		return nil
	}
	if w.minFree > 0 {
		free, err := w.fs.Free()
		if err != nil {
			return &SpoolError{"statfs", ".", err}
		}
		if free < w.minFree {
			return fmt.Errorf("%w: %d bytes free, %d wanted", errSpace, free, w.minFree)
		}
	}
	if w.maxSpool == 0 || w.written-w.deleted <= w.maxSpool {
		return nil
	}
	// More was written than may lie here: find out how much was uploaded and deleted meanwhile.
	held, err := spoolBytes(w.fs)
	if err != nil {
		return err
	}
	w.deleted = w.written - min(held, w.written)
	if held > w.maxSpool {
		return fmt.Errorf("%w: %d bytes in the spool, %d allowed", errSpace, held, w.maxSpool)
	}
	return nil
}

// spoolBytes adds up the files of a spool folder.
func spoolBytes(fsys spoolfs.FS) (uint64, error) {
	list, err := fsys.List()
	if err != nil {
		return 0, &SpoolError{"list", ".", err}
	}
	var sum uint64
	for _, e := range list {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // just uploaded
		}
		if err != nil {
			return 0, &SpoolError{"stat", e.Name(), err}
		}
		sum += uint64(max(info.Size(), 0))
	}
	return sum, nil
}

// usTicks converts µs on the session's clock.
func usTicks(us int64) Ticks { return toTicks(time.Duration(us) * time.Microsecond) }
