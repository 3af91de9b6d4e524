// Package review answers what reviewers ask of recordings beyond watching them: where something was typed, copied or shown
// (Find, FindIn), and what happened when (Timeline). It keeps the index of texts that makes the first quick over all
// recordings (Run).
//
// The index is made of the event files of sealed recordings, and of running ones as each file is closed; sealing makes a
// recording's part anew. It is a copy of evidence in the clear: it is in no backup, goes with the recording or its key, and
// the configuration can keep encrypted recordings out of it (ModeUnencrypted) or do without (ModeOff); one recording alone can
// always be searched, by reading it.
package review

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Library opens recordings.
type Library interface {
	Open(ctx context.Context, sessionID string) (*recording.Recording, error)
}

var _ Library = (*recording.Library)(nil)

// Typist makes lines of the events of recordings that have no line events of their own.
type Typist interface {
	// Event takes the next event and returns the lines it completes.
	Event(us int64, kind string, line []byte) []Text
	// End returns what was being typed at the end.
	End() []Text
}

// Mode says which recordings' texts are in the index.
type Mode string

// The modes.
const (
	ModeOff         Mode = "off"
	ModeUnencrypted Mode = "unencrypted" // those that rest as they are
	ModeAll         Mode = "all"
)

// Bringing the index up to date.
const (
	sweepEvery    = 5 * time.Minute
	sweepPage     = 100
	orphansAtOnce = 100
)

// Options are what a Service is made of.
type Options struct {
	DB      *store.Store
	Library Library
	Logger  *slog.Logger
	Mode    Mode
	// Encrypted tells whether a recording rests, or will rest, encrypted. Nil: none does.
	Encrypted func(ctx context.Context, sessionID string) (bool, error)
	// NewTypist makes lines for recordings without any. Nil: those have none.
	NewTypist func() Typist
}

// Service answers questions about recordings and keeps the index.
type Service struct {
	opts Options
	log  *slog.Logger

	mu      sync.Mutex
	pending map[string]bool // recordings with something new
	wake    chan struct{}   // capacity 1

	timelines timelines
}

// New makes a Service; Run keeps its index.
func New(opts Options) *Service {
	if opts.Mode == "" {
		opts.Mode = ModeAll
	}
	return &Service{
		opts: opts, log: opts.Logger.With("component", "review"), pending: map[string]bool{}, wake: make(chan struct{}, 1),
		timelines: timelines{of: map[string]*timelineState{}},
	}
}

// Changed tells that there is more of a recording, or that it is sealed. It never blocks.
func (s *Service) Changed(sessionID string) {
	if s.opts.Mode == ModeOff {
		return
	}
	s.mu.Lock()
	s.pending[sessionID] = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) take() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.pending {
		delete(s.pending, id)
		return id, true
	}
	return "", false
}

// Run keeps the index until ctx ends: what Changed tells of at once, and every few minutes what is sealed and not in it yet, or
// in it and not there any more.
func (s *Service) Run(ctx context.Context) error {
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			for id, ok := s.take(); ok && ctx.Err() == nil; id, ok = s.take() {
				s.indexed(ctx, id)
			}
		case <-sweep.C:
			if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("search index not brought up to date", "error", err)
			}
			sweep.Reset(sweepEvery)
		}
	}
}

// indexed brings a recording's part of the index up to date and logs what is in the way.
func (s *Service) indexed(ctx context.Context, id string) {
	if err := s.index(ctx, id); err != nil && ctx.Err() == nil {
		s.log.Warn("recording not in the search index", "session_id", id, "error", err)
	}
}

// Rebuild empties the index; Run makes it anew.
func (s *Service) Rebuild(ctx context.Context) error {
	if err := s.opts.DB.Search.ForgetAll(ctx); err != nil {
		return fmt.Errorf("review: rebuild: %w", err)
	}
	return nil
}

func (s *Service) sweep(ctx context.Context) error {
	if s.opts.Mode == ModeOff {
		return s.Rebuild(ctx) // what an earlier configuration left
	}
	for {
		orphans, err := s.opts.DB.Search.Orphans(ctx, orphansAtOnce)
		if err != nil {
			return err
		}
		for _, id := range orphans {
			if err := s.opts.DB.Search.Forget(ctx, id); err != nil {
				return err
			}
		}
		if len(orphans) < orphansAtOnce {
			break
		}
	}
	for before := ""; ; {
		behind, err := s.opts.DB.Search.Behind(ctx, before, sweepPage)
		if err != nil {
			return err
		}
		for _, id := range behind {
			s.indexed(ctx, id)
			if before = id; ctx.Err() != nil {
				return nil
			}
			for id, ok := s.take(); ok; id, ok = s.take() { // what happens now does not wait for what is old
				s.indexed(ctx, id)
			}
		}
		if len(behind) < sweepPage {
			return nil
		}
	}
}

// secret tells whether a recording's texts are to stay out of the index.
func (s *Service) secret(ctx context.Context, id string) (bool, error) {
	if s.opts.Mode == ModeAll || s.opts.Encrypted == nil {
		return false, nil
	}
	return s.opts.Encrypted(ctx, id)
}

// ErrOff is returned by Find when there is no index.
var ErrOff = errors.New("review: the search index is off")
