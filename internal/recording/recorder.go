package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Options of a Recorder. All may be zero.
type Options struct {
	Keys          KeyMode // empty: KeysFull
	MinFreeBytes  uint64  // the recording ends when the spool's file system has less
	MaxSpoolBytes uint64  // and when the session's spool folder holds more; zero: no bound
	SealTimeout   time.Duration

	// RequestIDR asks the hub for an IDR picture. It must not block.
	RequestIDR func()
	// OnClosed is told the name of every file that is complete and durable, the manifest's last. It must not block
	// nor call the Recorder.
	OnClosed func(name string)
	// Thumbnail returns a small JPEG of the desktop and its serial, no bytes when that is known. It is asked at most every 30 s
	// and may take milliseconds; nil: there are none.
	Thumbnail func(known uint64) (jpeg []byte, serial uint64)
	Logger    *slog.Logger

	// FS replaces the file system of the spool folder, for tests.
	FS spoolfs.FS
}

// Recorder writes a session's recording to its spool folder. It fails closed: when anything it was given cannot be
// kept, Run returns and every later call fails with the same error; the session must freeze and end.
//
// Units and events are collected in memory and written every flushInterval by Run, so that neither a viewer's key nor
// the hub ever waits for fsync. WriteUnit and Event may be called from any goroutine.
type Recorder struct {
	session SessionInfo
	opts    Options
	log     *slog.Logger

	mu         sync.Mutex
	pending    batch
	unitBytes  int
	eventBytes int
	order      order
	closing    bool          // Seal has begun
	drained    chan struct{} // closed and replaced when pending is taken

	full   chan struct{} // capacity 1: write before the interval is over
	failed chan struct{} // closed when err is set
	err    error
	sealed chan struct{} // closed when Seal has ended

	// disk is held (by sending) by the goroutine that uses w. It is a channel so that Seal can stop waiting for a
	// disk that hangs.
	disk chan struct{}
	w    *writer
	// thumbSerial is that of the last thumbnail; also for whoever holds disk.
	thumbSerial uint64

	sealOnce sync.Once
	sealErr  error
	bytes    atomic.Uint64
}

var _ stream.Sink = (*Recorder)(nil)

// NewRecorder begins a recording in the folder dir, which must exist and be empty, and takes the folder's lock. It
// starts no goroutine: call Run. The caller must call Seal.
func NewRecorder(dir string, session SessionInfo, opts Options) (*Recorder, error) {
	if opts.Keys == "" {
		opts.Keys = KeysFull
	}
	if opts.Keys != KeysFull && opts.Keys != KeysCommands && opts.Keys != KeysNone {
		return nil, fmt.Errorf("recording: key mode %q", opts.Keys)
	}
	if opts.SealTimeout == 0 {
		opts.SealTimeout = defaultSealTimeout
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	session.Format, session.Keys, session.StartedAt = FormatVersion, opts.Keys, session.StartedAt.UTC()
	fsys := opts.FS
	if fsys == nil {
		var err error
		if fsys, err = spoolfs.Open(dir); err != nil {
			return nil, &SpoolError{"open", ".", err}
		}
	}
	r := &Recorder{
		session: session, opts: opts, log: opts.Logger.With("component", "recorder"),
		drained: make(chan struct{}), full: make(chan struct{}, 1), failed: make(chan struct{}),
		sealed: make(chan struct{}), disk: make(chan struct{}, 1),
	}
	if err := fsys.Lock(); err != nil {
		return nil, errors.Join(&SpoolError{"lock", ".", err}, fsys.Close())
	}
	w, err := newWriter(fsys, session, opts)
	if err != nil {
		return nil, errors.Join(err, fsys.Close())
	}
	r.w = w
	return r, nil
}

// Elapsed is the present time on the session's clock.
func (r *Recorder) Elapsed() time.Duration { return max(time.Since(r.session.StartedAt), 0) }

// Bytes is how much has been written to the spool so far.
func (r *Recorder) Bytes() uint64 { return r.bytes.Load() }

// Run writes what is collected until ctx ends or the recording is sealed, and returns nil then; what is left is for
// Seal. It returns the recording's failure at once when there is one.
func (r *Recorder) Run(ctx context.Context) error {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.sealed:
			return r.failure()
		case <-r.failed:
			return r.err
		case <-tick.C:
		case <-r.full:
		}
		select {
		case r.disk <- struct{}{}:
			r.flush()
			<-r.disk
		case <-r.sealed:
		case <-ctx.Done():
		}
	}
}

// flush writes what is pending. The caller holds disk.
func (r *Recorder) flush() {
	r.mu.Lock()
	if r.closing || r.err != nil {
		r.mu.Unlock()
		return
	}
	b := r.take()
	r.mu.Unlock()
	now := r.Elapsed()
	err := r.w.write(b, now)
	if err == nil {
		err = r.addThumbnail(now)
	}
	r.bytes.Store(r.w.written)
	if err != nil {
		r.fail(err)
		return
	}
	r.mu.Lock()
	still := r.order.still(now)
	r.mu.Unlock()
	if still {
		r.requestIDR()
	}
}

// take empties pending. The caller holds mu.
func (r *Recorder) take() batch {
	b := r.pending
	r.pending, r.unitBytes, r.eventBytes = batch{}, 0, 0
	close(r.drained)
	r.drained = make(chan struct{})
	return b
}

// WriteUnit takes the next picture. It waits while the disk is too far behind, until ctx ends.
func (r *Recorder) WriteUnit(ctx context.Context, au *h264.AccessUnit) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if err := r.refuse(); err != nil {
			return err
		}
		if r.unitBytes == 0 || r.unitBytes+len(au.Data) <= maxPendingUnits {
			break
		}
		drained := r.drained
		r.mu.Unlock()
		select {
		case <-drained:
		case <-r.failed:
		case <-ctx.Done():
		}
		r.mu.Lock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	wantIDR, err := r.order.next(au)
	if err != nil {
		r.failLocked(err)
		return err
	}
	r.pending.units = append(r.pending.units, au)
	r.unitBytes += len(au.Data)
	if r.unitBytes >= flushUnits {
		select {
		case r.full <- struct{}{}:
		default: // asked already
		}
	}
	if wantIDR {
		r.requestIDR()
	}
	return nil
}

// Event records e at the present time. It never waits for the disk.
func (r *Recorder) Event(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refuse(); err != nil {
		return err
	}
	us := r.Elapsed().Microseconds() // under mu: lines are in order of time
	line, err := encodeEvent(e, us, r.opts.Keys)
	if err == nil && r.eventBytes+len(line) > maxPendingEvents {
		err = fmt.Errorf("%w: %d bytes", ErrOverflow, r.eventBytes+len(line))
	}
	if err != nil {
		r.failLocked(err)
		return err
	}
	r.pending.events = append(r.pending.events, eventLine{us, line})
	r.eventBytes += len(line)
	return nil
}

// refuse says why nothing more is taken. The caller holds mu.
func (r *Recorder) refuse() error {
	if r.err != nil {
		return r.err
	}
	if r.closing {
		return ErrSealed
	}
	return nil
}

func (r *Recorder) requestIDR() {
	if r.opts.RequestIDR != nil {
		r.opts.RequestIDR()
	}
}

// fail ends the recording.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLocked(err)
}

func (r *Recorder) failLocked(err error) {
	if r.err == nil {
		r.err = err
		close(r.failed)
	}
}

func (r *Recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Seal ends the recording: it writes what is collected, closes every file, writes the manifest and gives the folder
// up. It may be called after a failure, even one of the disk: then what is on the disk stays as it is for Recover,
// and the error is returned. Only the first call does anything; the others wait for it and return its error.
func (r *Recorder) Seal(end EndReason) error {
	r.sealOnce.Do(func() {
		r.mu.Lock()
		r.closing = true
		r.mu.Unlock()
		// A write to a broken disk may never return. Then the goroutine below is left to it, and the process ends.
		done := make(chan error, 1)
		abandoned := make(chan struct{})
		go func() { done <- r.seal(end, abandoned) }()
		timer := time.NewTimer(r.opts.SealTimeout)
		defer timer.Stop()
		select {
		case r.sealErr = <-done:
		case <-timer.C:
			close(abandoned)
			r.sealErr = ErrSealTimeout
		}
		close(r.sealed)
	})
	return r.sealErr
}

func (r *Recorder) seal(end EndReason, abandoned <-chan struct{}) error {
	select {
	case r.disk <- struct{}{}:
	case <-abandoned:
		return ErrSealTimeout
	}
	r.mu.Lock()
	b, failure := r.take(), r.err
	r.mu.Unlock()
	err := failure
	if _, broken := errors.AsType[*SpoolError](failure); !broken {
		now := r.Elapsed()
		if err = r.lastThumbnail(b, now); err == nil {
			err = r.w.seal(b, now, end)
		}
		r.bytes.Store(r.w.written)
	}
	if err != nil {
		r.fail(err)
		r.log.Error("recording not sealed", "error", err)
	}
	if err := r.w.release(); err != nil {
		r.log.Warn("spool folder not closed", "error", err) // all that matters was flushed before
	}
	return err
}
