package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// UploaderOptions tune an Uploader. All may be zero.
type UploaderOptions struct {
	// OnState is told of every change of a recording's state, by one goroutine a session. It may take its time; only
	// that session waits.
	OnState func(sessionID string, s State)

	// Keys encrypt what leaves for the store. Nil: it is stored as it is.
	Keys Keys

	// Custody tells how long what leaves for the store must stay there. Nil: nothing keeps it.
	Custody Custody

	Concurrency int           // transfers at a time, all sessions together; zero: 4
	Poll        time.Duration // between looks at a session nobody notified of; zero: 5 s
	MinBackoff  time.Duration // the first wait after a failure; zero: 500 ms
	MaxBackoff  time.Duration // the longest; zero: 30 s
	Timeout     time.Duration // for one transfer; zero: 2 minutes
}

// Custody tells how long recordings must stay in the store. What it cannot tell waits in the spool.
type Custody interface {
	// Lock is what keeps what is stored of a session now.
	Lock(ctx context.Context, sessionID string) (objectstore.Lock, error)
	// Ended notes when a session ended, at the earliest, and returns what keeps all of its recording from now on.
	Ended(ctx context.Context, sessionID string, at time.Time) (objectstore.Lock, error)
}

// State is how far a recording has come.
type State struct {
	Running  bool // its worker lives
	Uploaded int  // files confirmed by the store
	Pending  int  // closed files not confirmed yet
	Bytes    int64
	Duration time.Duration
	Sealed   bool     // complete and in the store, manifest and all
	SealedBy SealedBy // when sealed
	Err      error    // why uploading waits, when it does; nil again when it goes on
}

// Uploader brings recordings from the spool to the store, for ever: what fails is tried again with growing pauses,
// and after a restart it goes on with what it finds in the spool.
//
// A file leaves the spool when the store has it with the right size and checksum, and the folder when the store has
// the manifest.
type Uploader struct {
	root  string
	store objectstore.Store
	// signer signs manifests; a recording whose manifest cannot be signed waits in the spool.
	signer Signer
	// keys encrypt what leaves for the store; nil: it is stored as it is.
	keys  Keys
	log   *slog.Logger
	opts  UploaderOptions
	slots *semaphore.Weighted // first come, first served: no session waits for another's backlog

	mu       sync.Mutex
	sessions map[string]*upload
	start    chan struct{} // capacity 1: there are sessions without a goroutine

	files, bytes, failures atomic.Uint64
}

// NewUploader prepares an uploader of the session folders in spoolRoot. Run does the work.
func NewUploader(spoolRoot string, store objectstore.Store, signer Signer, logger *slog.Logger, opts UploaderOptions) *Uploader {
	if opts.Concurrency <= 0 {
		opts.Concurrency = 4
	}
	setDefault(&opts.Poll, 5*time.Second)
	setDefault(&opts.MinBackoff, 500*time.Millisecond)
	setDefault(&opts.MaxBackoff, 30*time.Second)
	setDefault(&opts.Timeout, 2*time.Minute)
	return &Uploader{
		root: spoolRoot, store: store, signer: signer, keys: opts.Keys, log: logger.With("component", "uploader"), opts: opts,
		slots: semaphore.NewWeighted(int64(opts.Concurrency)), sessions: map[string]*upload{}, start: make(chan struct{}, 1),
	}
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// Notify tells that a file of a running session was closed. It never blocks. A call that is lost is made up for by
// polling.
func (u *Uploader) Notify(sessionID, _ string) {
	u.session(sessionID, nil)
}

// Finished tells that a session's worker has exited, and why: end goes into the manifest when the worker did not live
// to write it. It never blocks.
func (u *Uploader) Finished(sessionID string, end EndReason) {
	u.session(sessionID, &end)
}

// session makes the session known and wakes it.
func (u *Uploader) session(id string, end *EndReason) {
	if !ValidSessionID(id) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.sessions[id]
	if s == nil {
		s = newUpload(u, id)
		u.sessions[id] = s
		signal(u.start)
	}
	if end != nil {
		s.end = end
	}
	signal(s.wake)
}

// signal wakes the receiver of a channel of capacity 1, once.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Metrics are counters since the start and present figures.
type Metrics struct {
	Files    uint64 // confirmed by the store
	Bytes    uint64 // in them
	Failures uint64 // passes over a session that failed
	Sessions int    // with something in the spool
}

// Metrics returns the present figures.
func (u *Uploader) Metrics() Metrics {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Metrics{u.files.Load(), u.bytes.Load(), u.failures.Load(), len(u.sessions)}
}

// Run uploads until ctx ends. First it looks for what earlier lives left in the spool.
func (u *Uploader) Run(ctx context.Context) error {
	if err := u.scan(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, s := range u.unstarted() {
			wg.Go(func() { s.run(ctx) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-u.start:
		}
	}
}

// unstarted returns the sessions that need a goroutine and marks them as having one.
func (u *Uploader) unstarted() []*upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	var list []*upload
	for _, s := range u.sessions {
		if !s.started {
			s.started = true
			list = append(list, s)
		}
	}
	return list
}

// forget drops a session whose folder is gone.
func (u *Uploader) forget(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.sessions, id)
}

// discarded begins the names of session folders that are being removed.
const discarded = ".discarded-"

// scan finds the session folders in the spool and finishes removals.
func (u *Uploader) scan() error {
	list, err := os.ReadDir(u.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recording: scan spool: %w", err)
	}
	for _, e := range list {
		name := e.Name()
		switch {
		case !e.IsDir():
		case ValidSessionID(name):
			u.session(name, nil)
		case len(name) > len(discarded) && name[:len(discarded)] == discarded:
			if err := os.RemoveAll(filepath.Join(u.root, name)); err != nil {
				return fmt.Errorf("recording: scan spool: %w", err)
			}
		}
	}
	return nil
}

// discard removes a session's folder in one step as seen from outside.
func (u *Uploader) discard(id string) error {
	root, err := os.OpenRoot(u.root)
	if err != nil {
		return &SpoolError{"open", ".", err}
	}
	defer root.Close()
	self, err := root.Open(".")
	if err != nil {
		return &SpoolError{"open", ".", err}
	}
	defer self.Close()
	if err := root.Rename(id, discarded+id); err != nil {
		return &SpoolError{"rename", id, err}
	}
	if err := self.Sync(); err != nil {
		return &SpoolError{"sync", ".", err}
	}
	if err := root.RemoveAll(discarded + id); err != nil {
		return &SpoolError{"remove", id, err}
	}
	return nil
}
