package serve

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// openAdmission gets ready what lets people in, and what ends their sessions.
func (g *Gateway) openAdmission(running *sessions) {
	running.desk = access.New(access.Options{
		Authorizer: g.engine, Grants: granted{g}, Concurrent: g.db.Sessions.CountRunning, Crowd: crowd{g.db.Sessions}, TicketPattern: g.cfg.Access.Ticket(),
	})
	running.keeper = access.NewKeeper(access.KeeperOptions{
		Desk: running.desk, Running: inWorkers{running}, People: subjects{g.identity}, Tags: g.tagsOf, Changed: g.engine.Changed,
		Warning: g.cfg.Session.EndWarning, Logger: g.log.With("component", "access"),
	})
	running.warning = g.cfg.Session.EndWarning
	g.keeper = running.keeper
	g.policies.Administrators = administrators{g.identity}.subjects
}

// granted is accessrequest.Service as package access sees it. The service comes later than the Desk, which it needs.
type granted struct{ g *Gateway }

var _ access.Grants = granted{}

// Active implements access.Grants.
func (r granted) Active(ctx context.Context, userID, targetID, account string, at time.Time) (access.Grant, bool, error) {
	g, err := r.g.access.Active(ctx, userID, targetID, account, at)
	if errors.Is(err, accessrequest.ErrNoGrant) {
		return access.Grant{}, false, nil
	}
	if err != nil {
		return access.Grant{}, false, err
	}
	out, err := r.grant(ctx, g)
	return out, err == nil, err
}

// Begin implements access.Grants.
func (r granted) Begin(ctx context.Context, grantID, sessionID string) error {
	return r.g.access.Begin(ctx, grantID, sessionID)
}

// Release implements access.Grants.
func (r granted) Release(ctx context.Context, sessionID string) error {
	return r.g.access.Release(ctx, sessionID)
}

// Covers implements access.Grants.
func (r granted) Covers(ctx context.Context, sessionID string, at time.Time) (access.Grant, bool, error) {
	g, holds, err := r.g.access.Covers(ctx, sessionID, at)
	if err != nil {
		return access.Grant{}, false, err
	}
	out := access.Grant{ID: g.ID, From: g.From, Until: g.Until, Ticket: g.Ticket}
	if g.State == accessrequest.GrantEnded {
		out.EndedBy = g.ClosedBy
	}
	return out, holds, nil
}

// anyApprovals is how many people stand behind a grant that was given without a request, by an operator.
const anyApprovals = 1000

// grant adds what is in the request a grant follows from. Broken glass counts as approved: that is what it is for.
func (r granted) grant(ctx context.Context, g accessrequest.Grant) (access.Grant, error) {
	out := access.Grant{ID: g.ID, From: g.From, Until: g.Until, Approvals: anyApprovals, Ticket: g.Ticket, Reason: g.Note}
	if g.RequestID == "" {
		return out, nil
	}
	q, err := r.g.access.Get(ctx, g.RequestID)
	if err != nil {
		return access.Grant{}, err
	}
	out.Reason = q.Reason
	if q.Kind != accessrequest.KindBreakGlass {
		out.Approvals = len(q.Decisions)
	}
	return out, nil
}

// inWorkers is what a Keeper does to running sessions.
type inWorkers struct{ s *sessions }

var _ access.Running = inWorkers{}

// Announce implements access.Running.
func (r inWorkers) Announce(ctx context.Context, id string, e access.Ending) error {
	return over(r.s.workers.Announce(ctx, id, e))
}

// Permit implements access.Running.
func (r inWorkers) Permit(ctx context.Context, id string, c access.Clipboard) error {
	return over(r.s.workers.Permit(ctx, id, c))
}

// Terminate implements access.Running.
func (r inWorkers) Terminate(ctx context.Context, id, code, message string) error {
	return over(r.s.workers.Terminate(ctx, id, policy.Subject{}, code, message))
}

// over forgives a session that has just ended.
func over(err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code == "session_ended" {
		return nil
	}
	return err
}

// subjects knows who people are now.
type subjects struct{ identity *identity.Service }

var _ access.People = subjects{}

// Subject implements access.People.
func (s subjects) Subject(ctx context.Context, userID string) (policy.Subject, error) {
	u, err := s.identity.User(ctx, userID)
	if errors.Is(err, identity.ErrUnknownUser) || err == nil && u.Disabled {
		return policy.Subject{}, access.ErrDisabled
	}
	if err != nil {
		return policy.Subject{}, err
	}
	return u.Subject(), nil
}

// administrators are those who must be able to manage policies.
type administrators struct{ identity *identity.Service }

func (a administrators) subjects(ctx context.Context) ([]policy.Subject, error) {
	var out []policy.Subject
	for f := (store.UserFilter{Role: string(policy.Administrator), Limit: userBatch}); ; {
		list, err := a.identity.ListUsers(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			f.After = u.Name
			if s := u.Subject(); s.ID != "" && slices.Contains(s.Roles, policy.Administrator) {
				out = append(out, s)
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
	}
}

// crowd counts sessions, those of every node of the gateway.
type crowd struct{ sessions *store.Sessions }

var _ access.Crowd = crowd{}

// OfPerson implements access.Crowd.
func (c crowd) OfPerson(ctx context.Context, userID, before string) (int, error) {
	return c.sessions.CountBefore(ctx, userID, "", before)
}

// OnTarget implements access.Crowd.
func (c crowd) OnTarget(ctx context.Context, targetID, before string) (int, error) {
	return c.sessions.CountBefore(ctx, "", targetID, before)
}
