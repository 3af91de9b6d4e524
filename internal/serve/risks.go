package serve

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/risk"
)

// riskFresh is how long what the database knows of a session's risk is good for: many look at many sessions every few seconds.
const riskFresh = 10 * time.Second

// risks weighs running sessions for those who watch them.
type risks struct {
	tags       func(ctx context.Context, target, account string) ([]string, error)
	breakGlass func(ctx context.Context, session string) (bool, error)
	alerts     func(session string) []string // severities of the rules that fit in it, known without asking the database
	zone       *time.Location
	now        func() time.Time
	log        *slog.Logger

	mu    sync.Mutex
	known map[string]weighed
}

// weighed is what was read of a session.
type weighed struct {
	at         time.Time
	tags       []string
	breakGlass bool
}

func (g *Gateway) newRisks() *risks {
	return &risks{
		tags: g.tagsOf, breakGlass: g.onBrokenGlass, zone: g.cfg.Policy.Zone(), now: time.Now, log: g.log.With("component", "risk"),
		known: map[string]weighed{},
	}
}

// assess adds to a running session its tags and its risk. What cannot be read is left out: a list with a gap is better than none.
func (r *risks) assess(ctx context.Context, s *api.Session) {
	now := r.now()
	r.mu.Lock()
	w, ok := r.known[s.ID]
	r.mu.Unlock()
	if !ok || now.Sub(w.at) >= riskFresh {
		var err error
		if w, err = r.read(ctx, s, now); err != nil {
			if ctx.Err() == nil {
				r.log.WarnContext(ctx, "risk of a session not known", "session_id", s.ID, "error", err)
			}
			return
		}
		r.mu.Lock()
		for id, old := range r.known {
			if now.Sub(old.at) > 6*riskFresh {
				delete(r.known, id) // it has ended, or nobody looks
			}
		}
		r.known[s.ID] = w
		r.mu.Unlock()
	}
	s.Tags = w.tags
	found := risk.Assess(risk.Facts{
		Tags: w.tags, Account: s.AccountName, BreakGlass: w.breakGlass, Frozen: s.Frozen != nil, StartedAt: s.StartedAt, Now: now.In(r.zone),
		Alerts: r.alerts(s.ID),
	})
	s.Risk = &found
}

func (r *risks) read(ctx context.Context, s *api.Session, now time.Time) (w weighed, err error) {
	w.at = now
	if w.tags, err = r.tags(ctx, s.TargetID, s.AccountName); err != nil {
		return w, err
	}
	w.breakGlass, err = r.breakGlass(ctx, s.ID)
	return w, err
}

// onBrokenGlass tells whether a session was begun on a grant that somebody gave themselves in an emergency.
func (g *Gateway) onBrokenGlass(ctx context.Context, session string) (bool, error) {
	grant, _, err := g.access.Covers(ctx, session, time.Now())
	if errors.Is(err, accessrequest.ErrNoGrant) || errors.Is(err, accessrequest.ErrNotFound) || err == nil && grant.RequestID == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q, err := g.access.Get(ctx, grant.RequestID)
	return err == nil && q.Kind == accessrequest.KindBreakGlass, err
}
