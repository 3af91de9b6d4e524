package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/rules"
)

// detection gives sessions their rules, when they begin and when the rules change.
type detection struct {
	book    *rules.Book
	workers workers
	log     *slog.Logger

	mu      sync.Mutex
	running map[string]detect.Subject // the sessions of this node, as scopes see them
}

// openDetection gets ready what gives rules to sessions. Workers are set before there is a session.
func (g *Gateway) openDetection() (*detection, error) {
	base, err := rules.Configured(&g.cfg.Detection)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	d := &detection{log: g.log.With("component", "detection"), running: map[string]detect.Subject{}}
	d.book = rules.NewBook(g.db, base, d.log)
	d.book.Changed = d.changed
	return d, nil
}

func subjectOf(n *api.NewSession) detect.Subject {
	u := detect.Subject{
		Target: n.Target.ID, User: []string{n.Subject.Name, n.Subject.ID}, Tags: n.Target.Tags, Groups: n.Subject.Groups, Policies: n.Admission.Policies,
	}
	for _, r := range n.Subject.Roles {
		u.Roles = append(u.Roles, string(r))
	}
	return u
}

// begin returns the rules for a session that is about to begin, as workers take them, and their revision; nil where there are none. Until it
// is over the session gets what changes.
func (d *detection) begin(ctx context.Context, id string, n *api.NewSession) ([]byte, int64, error) {
	u := subjectOf(n)
	d.mu.Lock()
	d.running[id] = u
	d.mu.Unlock()
	e, err := d.book.Effective(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("serve: rules of detection: %w", err)
	}
	text, err := forWorker(e, u)
	return text, e.Revision, err
}

// began gives a session that has begun with the rules of a revision those that were changed meanwhile: before, it could not be told.
func (d *detection) began(ctx context.Context, id string, revision int64) {
	e, err := d.book.Effective(ctx)
	if err != nil {
		d.log.ErrorContext(ctx, "rules of detection not read", "session_id", id, "error", err)
		return
	}
	d.mu.Lock()
	u, runs := d.running[id]
	d.mu.Unlock()
	if runs && e.Revision != revision {
		d.give(ctx, id, e, u)
	}
}

// over forgets a session.
func (d *detection) over(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, id)
}

// changed gives every running session the rules as they are now.
func (d *detection) changed(ctx context.Context, e *rules.Effective) {
	d.mu.Lock()
	running := maps.Clone(d.running)
	d.mu.Unlock()
	for id, u := range running {
		d.give(ctx, id, e, u)
	}
}

func (d *detection) give(ctx context.Context, id string, e *rules.Effective, u detect.Subject) {
	text, err := forWorker(e, u)
	if err == nil {
		err = over(d.workers.SetRules(ctx, id, text))
	}
	if err != nil && ctx.Err() == nil {
		d.log.ErrorContext(ctx, "a running session goes on with the rules it had", "session_id", id, "error", err)
	}
}

func forWorker(e *rules.Effective, u detect.Subject) ([]byte, error) {
	file := e.For(u)
	if len(file.Rules) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("serve: rules of detection: %w", err)
	}
	return text, nil
}
