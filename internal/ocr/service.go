package ocr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
)

// What Read fails with besides the error of its context.
var (
	ErrTimeout     = errors.New("ocr: reading took too long")
	ErrFailed      = errors.New("ocr: the program failed")
	ErrUnavailable = errors.New("ocr: no helper can be started")
	errClosed      = errors.New("ocr: closed")
)

// Options are what a Service is made of.
type Options struct {
	// Executable is started as helper; empty is this program. Args come before the helper's own flags; nil is "ocr".
	Executable string
	Args, Env  []string

	Program   string // tesseract's name or path
	Languages []string
	Timeout   time.Duration // of one Read, from when it is its turn
	Nice      int           // of helpers, 0 to 19
	Processes int           // helpers, and so Reads at a time; zero is one
	Sandbox   sandbox.Mode  // empty: best effort
	Logger    *slog.Logger
}

// Service reads pictures. Its methods may be called from any goroutine.
type Service struct {
	opts  Options
	log   *slog.Logger
	slots chan *slot // capacity Processes: those that nobody uses. Who waits is served in order
	done  chan struct{}
	once  sync.Once

	requests, pictures, failures, busy atomic.Int64

	mu      sync.Mutex
	looked  time.Time // when path and missing were found out
	path    string
	missing error
}

// slot is room for a helper.
type slot struct {
	helper    *helper // nil: none runs
	pause     time.Duration
	notBefore time.Time // no new one is started
}

// New returns a Service. It starts nothing: helpers are started when there is something to read.
func New(o Options) (*Service, error) {
	if o.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("ocr: this program's file: %w", err)
		}
		o.Executable = self
	}
	if o.Args == nil {
		o.Args = []string{"ocr"}
	}
	if o.Sandbox == "" {
		o.Sandbox = sandbox.BestEffort
	}
	o.Processes = max(o.Processes, 1)
	s := &Service{opts: o, log: o.Logger.With("component", "ocr"), slots: make(chan *slot, o.Processes), done: make(chan struct{})}
	for range o.Processes {
		s.slots <- &slot{}
	}
	return s, nil
}

// Ready tells what is in the way of reading; nil when nothing is known to be. What is not installed is looked for again, at most every
// few seconds.
func (s *Service) Ready(ctx context.Context) error {
	_, err := s.program(ctx)
	return err
}

// program returns the path of tesseract.
func (s *Service) program(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path != "" || s.missing != nil && time.Since(s.looked) < lookAgain {
		return s.path, s.missing
	}
	s.path, s.missing = Look(ctx, s.opts.Program, s.opts.Languages)
	s.looked = time.Now()
	return s.path, s.missing
}

// Read reads pictures, in the order of the calls, as many at a time as there are helpers. Lines come picture by picture, from top to
// bottom. It returns an error wrapping ErrTimeout, ErrFailed, ErrUnavailable or ErrMissing, or that of ctx. What made a helper fail
// disturbs no other call.
func (s *Service) Read(ctx context.Context, pictures []Picture) ([]Line, error) {
	if err := Check(pictures); err != nil {
		return nil, err
	}
	var own *slot
	select {
	case own = <-s.slots:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.done:
		return nil, errClosed
	}
	defer func() { s.slots <- own }()
	select {
	case <-s.done:
		return nil, errClosed
	default:
	}
	began := time.Now()
	lines, err := s.read(ctx, own, pictures)
	s.busy.Add(int64(time.Since(began)))
	s.requests.Add(1)
	s.pictures.Add(int64(len(pictures)))
	if err != nil {
		s.failures.Add(1)
	}
	return lines, err
}

func (s *Service) read(ctx context.Context, own *slot, pictures []Picture) ([]Line, error) {
	if own.helper != nil && own.helper.gone() { // it died when nobody looked
		own.helper.kill()
		own.helper = nil
	}
	if own.helper == nil {
		if err := s.start(ctx, own); err != nil {
			return nil, err
		}
	}
	a, err := own.helper.ask(ctx, pictures, s.opts.Timeout+killGrace)
	if err != nil {
		said := own.helper.kill()
		own.helper = nil
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s.log.Warn("text recognition: helper killed", "error", err, "said", said)
		if !errors.Is(err, ErrTimeout) {
			own.rest()
		}
		return nil, err
	}
	own.pause = 0
	switch a.Failure {
	case "":
		return a.lines(), nil
	case failedTimeout:
		return nil, fmt.Errorf("%w: %s", ErrTimeout, a.Detail)
	}
	return nil, fmt.Errorf("%w: %s", ErrFailed, a.Detail)
}

// start starts a helper, unless one has failed just now.
func (s *Service) start(ctx context.Context, own *slot) error {
	if time.Now().Before(own.notBefore) {
		return ErrUnavailable
	}
	path, err := s.program(ctx)
	if err != nil {
		return err
	}
	args := append(append([]string(nil), s.opts.Args...),
		"--program", path, "--languages", strings.Join(s.opts.Languages, ","), "--timeout", s.opts.Timeout.String(), "--nice", strconv.Itoa(s.opts.Nice), "--sandbox", string(s.opts.Sandbox))
	h, greeting, err := startHelper(ctx, s.opts.Executable, args, s.opts.Env)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		own.rest()
		s.log.Error("text recognition: no helper", "error", err, "again_in", own.pause.String())
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	own.helper = h
	s.log.Info("text recognition: helper started", "pid", h.cmd.Process.Pid, "sandbox", greeting.Sandbox, "missing", greeting.Missing)
	return nil
}

// rest lets no new helper start for a while.
func (o *slot) rest() {
	o.pause = min(max(2*o.pause, firstPause), longestPause)
	o.notBefore = time.Now().Add(o.pause)
}

// Close ends the helpers. Reads that wait or come later fail; those under way are waited for, so end their contexts first.
func (s *Service) Close() {
	s.once.Do(func() {
		close(s.done)
		for range s.opts.Processes {
			if own := <-s.slots; own.helper != nil {
				own.helper.kill()
			}
		}
	})
}

// Stats are counted from the start.
type Stats struct {
	Requests, Pictures, Failures int64
	Busy                         time.Duration // of helpers
}

// Stats returns the figures of now.
func (s *Service) Stats() Stats {
	return Stats{s.requests.Load(), s.pictures.Load(), s.failures.Load(), time.Duration(s.busy.Load())}
}
