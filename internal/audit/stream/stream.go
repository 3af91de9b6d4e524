// Package stream sends the audit log on: to syslog (RFC 5424), a file of JSON lines, or whatever else implements Sender.
//
// Each sink has a cursor in the database, which moves when what was sent is known to have gone, as far as the protocol
// tells: entries arrive at least once, in order. A sink that cannot be reached is tried again with growing pauses and
// holds up nobody: it reads from the log, which is there anyway, a page at a time. With several gateways on one database
// one of them serves a sink at a time, by a lease.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Item is an entry to send.
type Item struct {
	Index int64
	Entry audit.Entry
	JSON  string // canonical
}

// Sender brings items somewhere, in order. When Send fails, all of them are sent again.
type Sender interface {
	Send(ctx context.Context, items []Item) error
	Close() error
}

// Sink is somewhere to send to.
type Sink struct {
	Name   string // of its cursor
	Type   string // for people
	Sender Sender
}

// Options are what a Streamer is made of.
type Options struct {
	Audit   *store.Audit
	Log     *audit.Log
	Sinks   []Sink
	Owner   string       // of this process, unlike any other's
	Logger  *slog.Logger // nil: none
	Warn    int64        // a sink that is so many entries behind is warned of; 0: 10000
	MinWait time.Duration
	MaxWait time.Duration
}

// How it goes about.
const (
	page        = 200
	leaseTime   = 30 * time.Second
	poll        = 2 * time.Second // for what other gateways write
	sendTimeout = 20 * time.Second
	warnEvery   = 10 * time.Minute
)

// Streamer serves the sinks.
type Streamer struct {
	opts Options
	log  *slog.Logger

	mu     sync.Mutex
	states map[string]string // errors by sink
}

// New returns a Streamer.
func New(opts Options) *Streamer {
	s := &Streamer{opts: opts, log: opts.Logger, states: map[string]string{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.opts.Warn == 0 {
		s.opts.Warn = 10_000
	}
	if s.opts.MinWait == 0 {
		s.opts.MinWait, s.opts.MaxWait = time.Second, time.Minute
	}
	return s
}

// Run serves the sinks until ctx ends.
func (s *Streamer) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, sink := range s.opts.Sinks {
		group.Go(func() error {
			s.serve(ctx, sink)
			return sink.Sender.Close()
		})
	}
	return group.Wait()
}

// serve sends what there is, waits for more, and after a failure for a while.
func (s *Streamer) serve(ctx context.Context, sink Sink) {
	wait, warned := s.opts.MinWait, time.Time{}
	for ctx.Err() == nil {
		more := s.opts.Log.Appended() // before looking: what comes meanwhile is not missed
		sent, err := s.step(ctx, sink)
		if ctx.Err() != nil {
			break
		}
		pause := poll
		if err != nil {
			s.log.Warn("audit entries not sent on", "sink", sink.Name, "error", err, "retry_in", wait)
			pause, more = wait, nil
			wait = min(2*wait, s.opts.MaxWait)
		} else {
			wait = s.opts.MinWait
		}
		s.note(sink.Name, err)
		warned = s.warn(ctx, sink, warned)
		if sent > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-more:
		case <-time.After(pause):
		}
	}
	free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.opts.Audit.FreeSink(free, sink.Name, s.opts.Owner); err != nil {
		s.log.Warn("audit sink's lease not given back", "sink", sink.Name, "error", err)
	}
}

// step sends one page, if this process has the lease.
func (s *Streamer) step(ctx context.Context, sink Sink) (sent int, err error) {
	now := time.Now()
	next, mine, err := s.opts.Audit.LeaseSink(ctx, sink.Name, s.opts.Owner, now, now.Add(leaseTime))
	if err != nil || !mine {
		return 0, err
	}
	rows, err := s.opts.Audit.Range(ctx, next, page)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	items := make([]Item, 0, len(rows))
	for _, row := range rows {
		item := Item{Index: row.Index, JSON: row.Entry}
		if _, item.Entry, err = audit.Decode([]byte(row.Entry)); err != nil {
			// It is sent on as it is found: `vitrine audit verify` says more about it.
			item.Entry = audit.Entry{Time: row.Time, Actor: audit.Actor{Kind: audit.KindSystem}, Action: "altered_entry", Outcome: audit.Failed}
		}
		items = append(items, item)
	}
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := sink.Sender.Send(sending, items); err != nil {
		return 0, err
	}
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout) // it has been sent, whatever ends
	defer done()
	return len(items), s.opts.Audit.MoveSink(noting, sink.Name, s.opts.Owner, items[len(items)-1].Index+1)
}

func (s *Streamer) note(sink string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.states, sink)
	if err != nil {
		s.states[sink] = err.Error()
	}
}

// warn says so when a sink is far behind, now and then.
func (s *Streamer) warn(ctx context.Context, sink Sink, last time.Time) time.Time {
	if time.Since(last) < warnEvery {
		return last
	}
	behind, err := s.behind(ctx, sink.Name)
	if err != nil || behind < s.opts.Warn {
		return last
	}
	s.log.Warn("audit sink is behind", "sink", sink.Name, "entries", behind)
	return time.Now()
}

func (s *Streamer) behind(ctx context.Context, sink string) (int64, error) {
	head, err := s.opts.Audit.Head(ctx)
	if err != nil {
		return 0, err
	}
	next, err := s.opts.Audit.SinkNext(ctx, sink)
	if errors.Is(err, store.ErrNotFound) {
		next, err = 0, nil
	}
	return max(0, head.Size-next), err
}

// States tells how far each sink is.
func (s *Streamer) States(ctx context.Context) ([]audit.SinkState, error) {
	var list []audit.SinkState
	for _, sink := range s.opts.Sinks {
		behind, err := s.behind(ctx, sink.Name)
		if err != nil {
			return nil, fmt.Errorf("audit: sink %s: %w", sink.Name, err)
		}
		s.mu.Lock()
		list = append(list, audit.SinkState{Name: sink.Name, Type: sink.Type, Behind: behind, Error: s.states[sink.Name]})
		s.mu.Unlock()
	}
	return list, nil
}
