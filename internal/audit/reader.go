package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// verifyTimeout bounds one verification; ten million entries take some minutes.
const verifyTimeout = time.Hour

// Reader is what the API sees of the log. Run does the verifications that are asked for.
type Reader struct {
	*store.Audit
	Log    *Log
	Verify func(ctx context.Context) (Report, error)
	Sinks  func(ctx context.Context) ([]SinkState, error) // nil: there are none

	once sync.Once
	ask  chan struct{} // capacity 1

	mu   sync.Mutex
	last Verification
}

// State is how the log is.
type State struct {
	Size       int64
	Signed     int64
	SignedAt   time.Time
	Key        string
	Checkpoint string // "" while there is none
	Consistent bool
	Sinks      []SinkState
}

// SinkState is how far a sink has come.
type SinkState struct {
	Name, Type string
	Behind     int64
	Error      string
}

// Verification is how a verification goes or went.
type Verification struct {
	State     string // idle, running, ok, problem, failed
	StartedAt time.Time
	EndedAt   time.Time
	Report    Report
	Finding   *VerifyError // problem
}

// Proof returns the inclusion proof of an entry.
func (r *Reader) Proof(ctx context.Context, index int64) (Proof, error) {
	return Include(ctx, r.Audit, index)
}

// State returns how the log is.
func (r *Reader) State(ctx context.Context) (State, error) {
	head, err := r.Head(ctx)
	if err != nil {
		return State{}, err
	}
	s := State{Size: head.Size, Key: head.SignedBy, Consistent: !r.Log.Metrics().Inconsistent}
	c, err := r.LastCheckpoint(ctx)
	if err == nil {
		s.Signed, s.SignedAt, s.Checkpoint = c.Size, c.CreatedAt, c.Note
	} else if !errors.Is(err, store.ErrNotFound) {
		return State{}, err
	}
	if r.Sinks != nil {
		s.Sinks, err = r.Sinks(ctx)
		return s, err
	}
	return s, nil
}

func (r *Reader) asked() chan struct{} {
	r.once.Do(func() { r.ask = make(chan struct{}, 1) })
	return r.ask
}

// StartVerification begins one, unless one runs, and returns how it goes.
func (r *Reader) StartVerification() Verification {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.State != "running" {
		r.last = Verification{State: "running", StartedAt: time.Now()}
		r.asked() <- struct{}{} // there is room: what was asked before is done
	}
	return r.last
}

// Verification returns how the last verification went, or goes.
func (r *Reader) Verification() Verification {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.State == "" {
		return Verification{State: "idle"}
	}
	return r.last
}

// Run verifies when asked to, one at a time, until ctx ends.
func (r *Reader) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.asked():
			r.run(ctx)
		}
	}
}

func (r *Reader) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	report, err := r.Verify(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last.EndedAt, r.last.Report, r.last.State = time.Now(), report, "ok"
	if finding, ok := errors.AsType[*VerifyError](err); ok {
		r.last.State, r.last.Finding = "problem", finding
	} else if err != nil {
		r.last.State = "failed"
		r.Log.log.ErrorContext(ctx, "audit log could not be verified", "error", err)
	}
}
