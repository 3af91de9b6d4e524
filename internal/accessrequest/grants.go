package accessrequest

import (
	"context"
	"errors"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Active returns the grant by which a person may be on an account of a target at that moment, or ErrNoGrant. One that can
// be started comes first; one that is used up counts only while a session of it runs, which it still covers.
func (s *Service) Active(ctx context.Context, userID, targetID, account string, at time.Time) (Grant, error) {
	list, err := s.DB.AccessGrants.InForce(ctx, userID, targetID, account, at)
	if err != nil {
		return Grant{}, err
	}
	for _, g := range list {
		if g.State == GrantActive || len(g.Running) > 0 {
			return g, nil
		}
	}
	return Grant{}, ErrNoGrant
}

// Begin counts the start of a session on a grant, before there is a session. Of those who begin at the same moment as many
// get through as the grant allows; the others get ErrUsed or ErrBusy, and ErrNoGrant when it is not in force.
func (s *Service) Begin(ctx context.Context, grantID, sessionID string) error {
	return known(s.DB.Tx(ctx, func(tx *store.Store) error { return tx.AccessGrants.Begin(ctx, grantID, sessionID, s.now()) }))
}

// Release gives back the start of a session that did not come about. One that was begun on no grant is no error.
func (s *Service) Release(ctx context.Context, sessionID string) error {
	return s.DB.Tx(ctx, func(tx *store.Store) error { return tx.AccessGrants.Release(ctx, sessionID) })
}

// Covers returns the grant a running session was begun on, and whether it still holds at that moment. ErrNotFound when the
// session was begun on none.
func (s *Service) Covers(ctx context.Context, sessionID string, at time.Time) (Grant, bool, error) {
	g, err := s.DB.AccessGrants.OfSession(ctx, sessionID)
	if err != nil {
		return Grant{}, false, known(err)
	}
	return g, holds(&g, at), nil
}

// holds tells whether sessions begun on g may go on at that moment.
func holds(g *Grant, at time.Time) bool {
	return (g.State == GrantActive || g.State == GrantUsedUp) && !g.From.After(at) && g.Until.After(at)
}

// Grant returns the grant of that id, or ErrNotFound.
func (s *Service) Grant(ctx context.Context, id string) (Grant, error) {
	g, err := s.DB.AccessGrants.Get(ctx, id)
	return g, known(err)
}

// Grants returns grants, newest first.
func (s *Service) Grants(ctx context.Context, f store.AccessGrantFilter) ([]Grant, error) {
	return s.DB.AccessGrants.List(ctx, f)
}

// Invite gives a grant without a request, as operators do. Once: it may be started once only.
func (s *Service) Invite(ctx context.Context, a Ask, by string) (Grant, error) {
	now := s.now()
	if a.Duration != 0 {
		a.From, a.Until = now, now.Add(a.Duration)
	}
	from, until, err := s.Rules.window(a.From, a.Until, now)
	if err != nil {
		return Grant{}, err
	}
	if err := checkNote(a.Reason, false); err != nil {
		return Grant{}, err
	}
	g := Grant{
		ID: newID(), UserID: a.Person.ID, UserName: a.Person.Name, TargetID: a.TargetID, TargetName: a.TargetName, Account: a.Account,
		Ticket: a.Ticket, From: from, Until: until, MaxConcurrent: max(1, s.Rules.MaxConcurrent), State: GrantActive,
		CreatedAt: now, CreatedBy: by, Note: a.Reason,
	}
	if a.Once {
		g.MaxStarts = 1
	}
	return g, s.DB.AccessGrants.Create(ctx, g)
}

// End closes a grant before its time. Sessions begun on it end too. ErrClosed when it is not in force any more.
func (s *Service) End(ctx context.Context, id string, by Person, note string) (Grant, error) {
	if err := checkNote(note, false); err != nil {
		return Grant{}, err
	}
	g, err := s.Grant(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	g.State, g.ClosedBy, g.Note, g.ClosedAt = GrantEnded, by.Name, note, s.now()
	e := grantEnded(&g)
	if by.ID != g.UserID {
		e.To = s.person(ctx, g.UserID)
	}
	err = s.tx(ctx, e, func(tx *store.Store) error {
		closed, err := tx.AccessGrants.Close(ctx, g.ID, g.State, g.ClosedBy, g.Note, g.ClosedAt)
		if err == nil && !closed {
			return ErrClosed
		}
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	s.closed(g)
	return g, nil
}

func (s *Service) closed(g Grant) {
	if s.GrantClosed != nil {
		s.GrantClosed(g)
	}
}

// Run writes down what expires, and tells people of grants that end soon, until ctx ends. It looks at the clock anew each
// time, so that a clock that is set, or a machine that slept, is no matter.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "access requests and grants do not expire", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep writes down what has expired by now.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.sweepRequests(ctx), s.sweepGrants(ctx), s.warnOfGrants(ctx))
}

func (s *Service) sweepRequests(ctx context.Context) error {
	for {
		list, err := s.DB.AccessRequests.Expired(ctx, s.now(), sweepBatch)
		if err != nil {
			return err
		}
		for _, q := range list {
			q, err := expire(q, s.now())
			if err != nil {
				return err
			}
			e := requestDecided(&q, nil)
			e.To = s.person(ctx, q.UserID)
			err = s.tx(ctx, e, func(tx *store.Store) error {
				_, err := tx.AccessRequests.Change(ctx, q)
				return err
			})
			if errors.Is(err, store.ErrStale) {
				continue // another node did it, or somebody decided at the last moment
			}
			if err != nil {
				return err
			}
			s.Journal.RequestExpired(ctx, q)
		}
		if len(list) < sweepBatch {
			return nil
		}
	}
}

func (s *Service) sweepGrants(ctx context.Context) error {
	for {
		list, err := s.DB.AccessGrants.Over(ctx, s.now(), sweepBatch)
		if err != nil {
			return err
		}
		for _, g := range list {
			g.State, g.ClosedAt = GrantExpired, s.now()
			did, err := s.DB.AccessGrants.Close(ctx, g.ID, g.State, "", g.Note, g.ClosedAt)
			if err != nil {
				return err
			}
			if did {
				s.Journal.GrantClosed(ctx, g)
				s.closed(g)
			}
		}
		if len(list) < sweepBatch {
			return nil
		}
	}
}

// warnOfGrants tells people whose sessions run on a grant that ends soon.
func (s *Service) warnOfGrants(ctx context.Context) error {
	now := s.now()
	list, err := s.DB.AccessGrants.EndingUnwarned(ctx, now.Add(s.Rules.EndWarning), sweepBatch)
	if err != nil {
		return err
	}
	for _, g := range list {
		e := grantEnding(&g, now)
		if len(g.Running) > 0 {
			e.To = s.person(ctx, g.UserID)
		}
		err := s.DB.Tx(ctx, func(tx *store.Store) error {
			first, err := tx.AccessGrants.Warn(ctx, g.ID)
			if err != nil || !first || len(g.Running) == 0 {
				return err
			}
			return s.Notifier.Enqueue(ctx, tx, e)
		})
		if err != nil {
			return err
		}
		s.Notifier.Told(e)
	}
	return nil
}
