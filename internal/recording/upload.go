package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// workerGone is the end of a session of which nobody knows more than that its worker is no longer there.
var workerGone = EndReason{Code: "worker_died", Message: "The worker of the session ended without closing its recording."}

// startGrace is how long a folder without session.json may belong to a worker that is just starting.
const startGrace = time.Minute

// upload is one session's way to the store. run owns it, except for the fields under Uploader.mu.
type upload struct {
	u    *Uploader
	id   string
	log  *slog.Logger
	wake chan struct{} // capacity 1

	started bool       // under Uploader.mu
	end     *EndReason // under Uploader.mu; set: the worker has exited

	tail  journalTail
	done  map[string]storedObject // confirmed by the store
	state State
	told  string // the state last reported
}

func newUpload(u *Uploader, id string) *upload {
	return &upload{u: u, id: id, log: u.log.With("session_id", id), wake: make(chan struct{}, 1), done: map[string]storedObject{}}
}

// run passes over the session until its folder is gone or ctx ends.
func (s *upload) run(ctx context.Context) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = s.u.opts.MinBackoff, s.u.opts.MaxBackoff
	for {
		gone, err := s.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if !gone || s.state.Sealed { // else nothing is known of it: not in this life, or not any more
			s.report(err)
		}
		if gone {
			s.u.forget(s.id)
			return
		}
		wait, wake := s.u.opts.Poll, s.wake
		if err != nil {
			// Files closed meanwhile do not make the store come back sooner.
			wait, wake = pause.NextBackOff(), nil
		} else {
			pause.Reset()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-wake:
			timer.Stop()
		}
	}
}

// report logs the begin and the end of trouble, and tells what changed.
func (s *upload) report(err error) {
	if err != nil {
		s.u.failures.Add(1)
		if s.state.Err == nil {
			s.log.Warn("upload waits", "error", err)
		}
	} else if s.state.Err != nil {
		s.log.Info("upload goes on")
	}
	s.state.Err = err
	s.count()
	now := s.state
	now.Err = nil // errors cannot always be compared
	told := fmt.Sprint(now, err)
	if s.u.opts.OnState != nil && told != s.told {
		s.told = told
		s.u.opts.OnState(s.id, s.state)
	}
}

// count brings the figures of the state up to date.
func (s *upload) count() {
	s.state.Uploaded = len(s.done)
	s.state.Bytes = 0
	s.state.Pending = 0
	for i := range s.tail.entries {
		e := &s.tail.entries[i]
		s.state.Bytes += e.Size
		if _, ok := s.done[e.Name]; !ok {
			s.state.Pending++
		}
	}
	s.state.Duration = recordedDuration(s.tail.entries).Duration()
}

// pass uploads what is closed. gone is set when there is nothing left of the session in the spool.
func (s *upload) pass(ctx context.Context) (gone bool, err error) {
	fsys, err := spoolfs.Open(filepath.Join(s.u.root, s.id))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, &SpoolError{"open", ".", err}
	}
	defer fsys.Close()

	s.u.mu.Lock()
	end := s.end
	s.u.mu.Unlock()
	begun, err := s.begun(fsys, end != nil)
	if !begun || err != nil {
		return begun, err
	}
	switch err := fsys.Lock(); {
	case errors.Is(err, spoolfs.ErrLocked):
		s.state.Running = true
		return false, s.uploadFiles(ctx, fsys)
	case err != nil:
		return false, &SpoolError{"lock", ".", err}
	}
	s.state.Running = false
	if end == nil {
		end = &workerGone
	}
	if err := recoverSpool(fsys, *end, time.Now()); err != nil {
		return false, err
	}
	if err := s.uploadFiles(ctx, fsys); err != nil {
		return false, err
	}
	if err := s.uploadManifest(ctx, fsys); err != nil {
		return false, err
	}
	if err := s.u.discard(s.id); err != nil {
		return false, err
	}
	return true, nil
}

// begun tells whether a worker has recorded anything. It removes the folder of one that never will; such a
// folder's lock must be left alone before, because a worker may be about to take it.
func (s *upload) begun(fsys spoolfs.FS, exited bool) (bool, error) {
	list, err := fsys.List()
	if err != nil {
		return false, &SpoolError{"list", ".", err}
	}
	for _, e := range list {
		if _, _, ok := parseName(e.Name()); ok {
			return true, nil
		}
	}
	info, err := os.Stat(filepath.Join(s.u.root, s.id))
	if err != nil {
		return false, &SpoolError{"stat", ".", err}
	}
	if !exited && time.Since(info.ModTime()) < startGrace {
		return false, nil
	}
	err = fsys.Lock()
	if errors.Is(err, spoolfs.ErrLocked) {
		return false, nil
	}
	if err != nil {
		return false, &SpoolError{"lock", ".", err}
	}
	return false, s.u.discard(s.id)
}

// uploadFiles uploads every closed file that the store has not confirmed. A store that fails ends it; a file
// that is damaged in the spool does not keep the others back.
func (s *upload) uploadFiles(ctx context.Context, fsys spoolfs.FS) error {
	f, err := fsys.Open(journalFile, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the worker is just starting
	}
	if err != nil {
		return &SpoolError{"open", journalFile, err}
	}
	if err := errors.Join(s.tail.read(f), f.Close()); err != nil {
		return err
	}
	var damaged error
	for i := range s.tail.entries {
		e := &s.tail.entries[i]
		if _, ok := s.done[e.Name]; ok {
			continue
		}
		object, err := s.uploadFile(ctx, fsys, e)
		if _, corrupt := errors.AsType[*CorruptError](err); corrupt {
			s.log.Error("recording damaged in the spool", "error", err)
			damaged = errors.Join(damaged, err)
			continue
		}
		if err != nil {
			return err
		}
		s.done[e.Name] = object
		s.u.files.Add(1)
		s.u.bytes.Add(uint64(e.Size))
		if e.Kind == KindSegment || e.Kind == KindEvents || e.Kind == KindThumbnail { // the others are small, and recovery reads them
			if err := fsys.Remove(e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("uploaded file not removed from the spool", "file", e.Name, "error", err)
			}
		}
	}
	return damaged
}

// uploadFile stores one file and waits for the store's confirmation. A file that is no longer in the spool was
// confirmed in an earlier life.
func (s *upload) uploadFile(ctx context.Context, fsys spoolfs.FS, e *Entry) (storedObject, error) {
	f, err := fsys.Open(e.Name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return s.uploadedBefore(ctx, e)
	}
	if err != nil {
		return storedObject{}, &SpoolError{"open", e.Name, err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return storedObject{}, &SpoolError{"stat", e.Name, err}
	}
	if info.Size() != e.Size {
		return storedObject{}, &CorruptError{File: e.Name, Offset: min(info.Size(), e.Size), Err: fmt.Errorf("%d bytes, %d in the journal", info.Size(), e.Size)}
	}
	body := io.ReadSeeker(io.NewSectionReader(f, 0, e.Size))
	o := storedObject{Name: e.Name, Size: e.Size, SHA256: e.SHA256}
	if s.u.keys != nil {
		b, err := s.encrypt(ctx, e, body)
		if err != nil {
			return storedObject{}, err
		}
		body, o.Size, o.SHA256 = bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)
	}
	return o, s.put(ctx, e.Name, body, o.Size, o.SHA256)
}

func (s *upload) encrypt(ctx context.Context, e *Entry, body io.Reader) ([]byte, error) {
	key, err := s.u.keys.Key(ctx, s.id)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return encrypt(key, s.id, e.Name, body, e.Size, e.SHA256)
}

// uploadedBefore tells what the store has of a file that is no longer in the spool.
func (s *upload) uploadedBefore(ctx context.Context, e *Entry) (storedObject, error) {
	o, err := s.u.store.Stat(ctx, objectKey(s.id, e.Name))
	if errors.Is(err, objectstore.ErrNotFound) {
		return storedObject{}, &CorruptError{File: e.Name, Offset: 0, Err: errors.New("neither in the spool nor in the store")}
	}
	if err != nil {
		return storedObject{}, err
	}
	// Encrypted, its size and hash are known to nobody: what it decrypts to must be the file.
	if o.Size != e.Size || o.SHA256 != e.SHA256 {
		src := archive{stored{s.u.store, s.id}, s.id, s.u.keys}
		if _, err := verifyFile(ctx, src, e, nil); err != nil {
			if found, ok := errors.AsType[*VerifyError](err); ok {
				return storedObject{}, fmt.Errorf("recording: the store has another %s: %w", e.Name, found)
			}
			return storedObject{}, err
		}
	}
	return storedObject{Name: e.Name, Size: o.Size, SHA256: o.SHA256}, nil
}

func (s *upload) uploadManifest(ctx context.Context, fsys spoolfs.FS) error {
	b, err := spoolfs.ReadFile(fsys, manifestFile, maxJournalBytes)
	if err != nil {
		return &SpoolError{"read", manifestFile, err}
	}
	m, err := ParseManifest(b)
	if err != nil {
		return err
	}
	if err := s.covers(m); err != nil {
		return err
	}
	if m.Format != unchainedFormat {
		listed, err := s.storeList(ctx, m)
		if err == nil {
			err = s.sign(ctx, m, b, listed)
		}
		if err != nil {
			return err
		}
	}
	if err := s.lock(ctx, m); err != nil {
		return err
	}
	if err := s.put(ctx, manifestFile, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)); err != nil {
		return err
	}
	s.state.Sealed, s.state.SealedBy = true, m.SealedBy
	s.log.Info("recording sealed", "sealed_by", m.SealedBy, "files", len(m.Files), "bytes", s.sum(), "duration", m.Duration.Duration())
	return nil
}

// lock brings the locks of all that was stored up to the session's end: they began with the session. A worker that says
// that it ended in the future is not believed.
func (s *upload) lock(ctx context.Context, m *Manifest) error {
	if s.u.opts.Custody == nil {
		return nil
	}
	ended := m.EndedAt
	if now := time.Now(); ended.After(now) {
		ended = now
	}
	l, err := s.u.opts.Custody.Ended(ctx, s.id, ended)
	if err != nil {
		return err
	}
	locker, ok := s.u.store.(objectstore.Locker)
	if !ok {
		return nil
	}
	return locker.Lock(ctx, objectKey(s.id, ""), l)
}

// covers checks that the store has confirmed exactly the files of the manifest.
func (s *upload) covers(m *Manifest) error {
	if m.SessionID != s.id {
		return &CorruptError{File: manifestFile, Offset: -1, Err: errors.New("it is of another session")}
	}
	if len(m.Files) != len(s.tail.entries) {
		return &CorruptError{File: manifestFile, Offset: -1, Err: fmt.Errorf("%d files, %d in the journal", len(m.Files), len(s.tail.entries))}
	}
	for i := range m.Files {
		e := &s.tail.entries[i]
		if _, stored := s.done[e.Name]; m.Files[i].Name != e.Name || m.Files[i].SHA256 != e.SHA256 || !stored {
			return &CorruptError{File: manifestFile, Offset: -1, Err: fmt.Errorf("entry %d is not that of the journal", i)}
		}
	}
	return nil
}

func (s *upload) sum() (n int64) {
	for i := range s.tail.entries {
		n += s.tail.entries[i].Size
	}
	return n
}

// put stores an object and compares what the store then says of it. It holds one of the uploader's slots.
func (s *upload) put(ctx context.Context, name string, r io.ReadSeeker, size int64, sum Hash) error {
	if err := s.u.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.u.slots.Release(1)
	ctx, cancel := context.WithTimeout(ctx, s.u.opts.Timeout)
	defer cancel()
	opt := objectstore.PutOptions{ContentType: ContentType(name), SHA256: sum}
	var err error
	if s.u.opts.Custody != nil {
		if opt.Lock, err = s.u.opts.Custody.Lock(ctx, s.id); err != nil {
			return err
		}
	}
	err = s.u.store.Put(ctx, objectKey(s.id, name), r, size, opt)
	if errors.Is(err, objectstore.ErrChecksum) {
		return &CorruptError{File: name, Offset: -1, Err: err}
	}
	if err != nil {
		return err
	}
	return s.confirm(ctx, name, size, sum)
}

// confirm asks the store whether it has an object as it should be.
func (s *upload) confirm(ctx context.Context, name string, size int64, sum Hash) error {
	o, err := s.u.store.Stat(ctx, objectKey(s.id, name))
	if err != nil {
		return err
	}
	if o.Size != size || o.SHA256 != sum {
		return fmt.Errorf("recording: the store has %s with %d bytes and another checksum", name, o.Size)
	}
	return nil
}
