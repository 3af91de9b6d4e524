package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of an Engine.
var (
	// ErrNotLoaded: no policies have been read yet.
	ErrNotLoaded = errors.New("policy: no policies are loaded")
	// ErrStale: the policies could not be read for longer than StaleAfter.
	ErrStale = errors.New("policy: the policies cannot be read any more")
)

// Source is where policies are kept.
type Source interface {
	// Revision changes with every change of any policy.
	Revision(ctx context.Context) (int64, error)
	// Documents returns all policies and the revision they are of.
	Documents(ctx context.Context) ([]Document, int64, error)
}

// Engine is the Authorizer over Cedar policies. A decision takes microseconds and reads nothing: policies are compiled
// when they change, and what it is about comes with the question. It is safe for concurrent use.
type Engine struct {
	source Source
	zone   *time.Location
	log    *slog.Logger
	now    func() time.Time
	tags   *tagCache

	set  atomic.Pointer[Set]
	seen atomic.Int64 // when the source was last read, in ns since 1970

	mu         sync.Mutex
	changed    chan struct{} // closed at the next change
	complained map[string]time.Time
}

// EngineOptions are what an Engine may be told.
type EngineOptions struct {
	Zone *time.Location // of the time policies see; nil: Local
	// Tags returns the tags of a target, and of an account on it, where there is a name. It is asked when a question names a target and no tags, and some policy looks at
	// them; nil: there are none. What it says is kept for a moment.
	Tags   func(ctx context.Context, target, account string) ([]string, error)
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

var _ Authorizer = (*Engine)(nil)

// NewEngine returns an Engine without policies, which denies with ErrNotLoaded. Load and Run give it some.
func NewEngine(source Source, opts EngineOptions) *Engine {
	e := &Engine{source: source, zone: opts.Zone, log: opts.Logger, tags: newTagCache(opts.Tags), now: opts.Now, changed: make(chan struct{}), complained: map[string]time.Time{}}
	if e.zone == nil {
		e.zone = time.Local
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now
	}
	return e
}

// Load reads the policies when they have changed since the last time.
func (e *Engine) Load(ctx context.Context) error {
	revision, err := e.source.Revision(ctx)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if set := e.set.Load(); set != nil && set.Revision == revision {
		e.seen.Store(e.now().UnixNano())
		return nil
	}
	documents, revision, err := e.source.Documents(ctx)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	set, err := Compile(revision, documents)
	if err != nil {
		return err
	}
	e.swap(set)
	return nil
}

// swap puts another set in place at once. An older one than there is is left alone.
func (e *Engine) swap(set *Set) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen.Store(e.now().UnixNano())
	if old := e.set.Load(); old != nil && old.Revision >= set.Revision {
		return
	}
	e.set.Store(set)
	close(e.changed)
	e.changed = make(chan struct{})
}

// Changed returns a channel that is closed when other policies are in place.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// Revision is that of the policies in place; 0: none.
func (e *Engine) Revision() int64 {
	if set := e.set.Load(); set != nil {
		return set.Revision
	}
	return 0
}

// Obliges tells whether some policy in place obliges to what wants says yes to.
func (e *Engine) Obliges(wants func(Obligations) bool) bool {
	set := e.set.Load()
	return set != nil && slices.ContainsFunc(set.all, func(st *Statement) bool { return !st.Forbids && wants(st.Obligations) })
}

// Zone is the time zone policies see.
func (e *Engine) Zone() *time.Location { return e.zone }

// Run looks for changes by other processes until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		look, cancel := context.WithTimeout(ctx, pollTimeout)
		err := e.Load(look)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil && !failed:
			e.log.ErrorContext(ctx, "policies cannot be read; those of before stay for now", "error", err, "stays_for", StaleAfter)
		case err == nil && failed:
			e.log.InfoContext(ctx, "policies can be read again", "revision", e.Revision())
		}
		failed = err != nil
	}
}

// Authorize implements Authorizer. The error wraps ErrNotLoaded or ErrStale.
func (e *Engine) Authorize(ctx context.Context, q Query) (Decision, error) {
	set, err := e.current()
	if err != nil {
		return Decision{}, err
	}
	if d, no := e.refuse(q); no {
		return d, nil
	}
	if q.Circumstances.Time.IsZero() {
		q.Circumstances.Time = e.now()
	}
	if err := e.addTags(ctx, set, &q); err != nil {
		return Decision{}, err
	}
	d, problems := set.decide(newWorld(&q, e.zone))
	for _, p := range problems {
		e.complain(ctx, string(p.PolicyID), q.Action, p.Message)
	}
	return d, nil
}

func (e *Engine) current() (*Set, error) {
	set := e.set.Load()
	switch {
	case set == nil:
		return nil, ErrNotLoaded
	case e.now().Sub(time.Unix(0, e.seen.Load())) > StaleAfter:
		return nil, ErrStale
	}
	return set, nil
}

// refuse says no where there is nothing for policies to decide.
func (e *Engine) refuse(q Query) (Decision, bool) {
	switch {
	case q.Subject.ID == "":
		return Decision{Reason: "nobody is signed in"}, true
	case !slices.Contains(All(), q.Action):
		return Decision{Reason: fmt.Sprintf("there is no action %s", q.Action)}, true
	case q.Subject.Scopes != nil && !slices.Contains(q.Subject.Scopes, q.Action):
		return Decision{Reason: "the token's scopes do not include " + string(q.Action)}, true
	}
	return Decision{}, false
}

// complain logs that a policy could not be evaluated, of each policy once in a while.
func (e *Engine) complain(ctx context.Context, policy string, action Action, message string) {
	now := e.now()
	e.mu.Lock()
	last, known := e.complained[policy]
	if len(e.complained) > maxPolicies*maxStatements {
		clear(e.complained)
	}
	quiet := known && now.Sub(last) < complainInterval
	if !quiet {
		e.complained[policy] = now
	}
	e.mu.Unlock()
	if !quiet {
		e.log.ErrorContext(ctx, "policy cannot be evaluated", "policy_id", policy, "action", string(action), "error", message)
	}
}
