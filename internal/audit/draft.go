package audit

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Draft is the entry of an act under way. Whoever handles an operation of the API has one in the context; anything
// below it may add what it knows, and it is written when the operation is answered.
type Draft struct {
	mu    sync.Mutex
	entry Entry
	skip  bool
}

type draftKey struct{}

// WithDraft returns a context that carries d.
func WithDraft(ctx context.Context, d *Draft) context.Context {
	return context.WithValue(ctx, draftKey{}, d)
}

// NewDraft begins an entry with e.
func NewDraft(e Entry) *Draft { return &Draft{entry: e} }

// Entry returns what has been gathered, and whether it is to be written.
func (d *Draft) Entry() (Entry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entry
	e.Policies, e.Details = slices.Clone(e.Policies), maps.Clone(e.Details)
	return e, !d.skip
}

func change(ctx context.Context, fn func(*Draft)) {
	if d, ok := ctx.Value(draftKey{}).(*Draft); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		fn(d)
	}
}

// About says what the act under way is done to. Where there is no act under way, this and the functions below do nothing.
func About(ctx context.Context, kind, id, name string) {
	change(ctx, func(d *Draft) { d.entry.Object = Object{Kind: kind, ID: id, Name: name} })
}

// Detail adds to the act under way. Never secrets, and nothing long.
func Detail(ctx context.Context, key, value string) {
	change(ctx, func(d *Draft) {
		if d.entry.Details == nil {
			d.entry.Details = map[string]string{}
		}
		d.entry.Details[key] = value
	})
}

// InSession says which session the act under way concerns.
func InSession(ctx context.Context, id string) {
	change(ctx, func(d *Draft) { d.entry.SessionID = id })
}

// By says who acts, where only the handler finds that out, as at a sign-in.
func By(ctx context.Context, a Actor) { change(ctx, func(d *Draft) { d.entry.Actor = a }) }

// As says how it went, where the answer does not.
func As(ctx context.Context, o Outcome) { change(ctx, func(d *Draft) { d.entry.Outcome = o }) }

// DecidedBy adds policies that decided about the act under way.
func DecidedBy(ctx context.Context, policies ...string) {
	change(ctx, func(d *Draft) {
		for _, p := range policies {
			if len(d.entry.Policies) < maxPolicies && !slices.Contains(d.entry.Policies, p) {
				d.entry.Policies = append(d.entry.Policies, p)
			}
		}
	})
}

// Skip keeps the act under way out of the log: it was read before, or changed nothing.
func Skip(ctx context.Context) { change(ctx, func(d *Draft) { d.skip = true }) }
