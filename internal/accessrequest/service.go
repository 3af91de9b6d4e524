package accessrequest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Notifier tells people what became of requests and grants. Enqueue writes in the transaction of what is told of.
type Notifier interface {
	Enqueue(ctx context.Context, tx *store.Store, e notify.Event) error
	Told(e notify.Event)
}

// People knows who is to be told.
type People interface {
	// Approvers returns who may decide on q, its requester not among them.
	Approvers(ctx context.Context, q Request) ([]notify.Recipient, error)
	// Person returns how to reach somebody; one who is gone cannot be reached, which is no error.
	Person(ctx context.Context, userID string) (notify.Recipient, error)
}

// Journal is told what happens without anybody asking by the API, and of broken glass.
type Journal interface {
	RequestExpired(ctx context.Context, q Request)
	GrantClosed(ctx context.Context, g Grant)
	GlassBroken(ctx context.Context, q Request, g Grant, source string) error
}

// Options are what a Service is made of. All are needed unless said otherwise.
type Options struct {
	DB       *store.Store
	Rules    Rules
	Notifier Notifier
	People   People
	Journal  Journal
	// GrantClosed is called after a grant has ended, for the sessions begun on it. It returns at once. nil: nobody is.
	GrantClosed func(g Grant)
	Logger      *slog.Logger     // nil: none
	Now         func() time.Time // nil: time.Now
}

// Service keeps requests and grants. Whether somebody may decide at all is policy's to say, and asked by the caller; that
// nobody decides on their own request is held here. It is safe for concurrent use, and so are several of them on one database.
type Service struct {
	Options
}

// New returns a Service.
func New(opts Options) *Service {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Service{opts}
}

// Request asks for access.
func (s *Service) Request(ctx context.Context, a Ask) (Request, error) {
	q, err := s.Rules.open(newID(), a, s.now())
	if err != nil {
		return Request{}, err
	}
	e := requestMade(&q)
	e.To = s.approvers(ctx, q)
	return q, s.tx(ctx, e, func(tx *store.Store) error {
		n, err := tx.AccessRequests.CountPending(ctx, q.UserID)
		if err != nil {
			return err
		}
		if n >= s.Rules.MaxPending {
			return ErrTooMany
		}
		return tx.AccessRequests.Create(ctx, q)
	})
}

// BreakGlass grants access at once, tells everybody who could have approved it, and leaves a request to be reviewed.
// source is the person's IP address.
func (s *Service) BreakGlass(ctx context.Context, a Ask, source string) (Request, error) {
	now := s.now()
	q, err := s.Rules.breakGlass(newID(), a, now)
	if err != nil {
		return Request{}, err
	}
	g := s.Rules.grantOf(newID(), &q, a.Person, now)
	// Written down before anything opens: glass that breaks unseen must not break.
	if err := s.Journal.GlassBroken(ctx, q, g, source); err != nil {
		return Request{}, err
	}
	e := glassBroken(&q)
	e.To = s.approvers(ctx, q)
	q.GrantID = g.ID
	return q, s.tx(ctx, e, func(tx *store.Store) error {
		if err := tx.AccessRequests.Create(ctx, q); err != nil {
			return err
		}
		return tx.AccessGrants.Create(ctx, g)
	})
}

// Approve says yes to the request of that id as of revision. With the last yes that is needed a grant follows.
func (s *Service) Approve(ctx context.Context, id string, by Person, shorter Shorter, note string, revision int64) (Request, error) {
	return s.decide(ctx, id, revision, func(q Request, now time.Time) (Request, Decision, *Grant, error) {
		q, d, err := approve(q, by, shorter, note, revision, now)
		if err != nil || q.State != StateApproved {
			return q, d, nil, err
		}
		g := s.Rules.grantOf(newID(), &q, by, now)
		return q, d, &g, nil
	})
}

// Deny says no, which ends the request.
func (s *Service) Deny(ctx context.Context, id string, by Person, note string, revision int64) (Request, error) {
	return s.decide(ctx, id, revision, func(q Request, now time.Time) (Request, Decision, *Grant, error) {
		q, d, err := deny(q, by, note, revision, now)
		return q, d, nil, err
	})
}

// Review closes what broken glass has left.
func (s *Service) Review(ctx context.Context, id string, by Person, note string, revision int64) (Request, error) {
	return s.decide(ctx, id, revision, func(q Request, now time.Time) (Request, Decision, *Grant, error) {
		q, d, err := review(q, by, note, revision, now)
		return q, d, nil, err
	})
}

// decide applies change to the request, with the word and the grant that follow from it, all at once or not at all.
func (s *Service) decide(ctx context.Context, id string, revision int64, change func(Request, time.Time) (Request, Decision, *Grant, error)) (Request, error) {
	before, err := s.Get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	q, d, g, err := change(before, s.now())
	if err != nil {
		return Request{}, err
	}
	if g != nil {
		q.GrantID = g.ID
	}
	q.Decisions = append(slices.Clip(before.Decisions), d)
	e := requestDecided(&q, &d)
	e.To = s.person(ctx, q.UserID)
	err = s.tx(ctx, e, func(tx *store.Store) error {
		if _, err := tx.AccessRequests.Change(ctx, q); err != nil {
			return err
		}
		if err := tx.AccessRequests.Decide(ctx, q.ID, d); err != nil {
			return err
		}
		if g == nil {
			return nil
		}
		return tx.AccessGrants.Create(ctx, *g)
	})
	if err != nil {
		return Request{}, known(err)
	}
	q.Revision = revision + 1
	return q, nil
}

// Cancel takes back a request of one's own.
func (s *Service) Cancel(ctx context.Context, id string, by Person, revision int64) (Request, error) {
	q, err := s.Get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	if q, err = cancel(q, by, revision, s.now()); err != nil {
		return Request{}, err
	}
	if q.Revision, err = s.DB.AccessRequests.Change(ctx, q); err != nil {
		return Request{}, known(err)
	}
	return q, nil
}

// Get returns the request of that id, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (Request, error) {
	q, err := s.DB.AccessRequests.Get(ctx, id)
	return q, known(err)
}

// List returns requests, newest first.
func (s *Service) List(ctx context.Context, f store.AccessRequestFilter) ([]Request, error) {
	return s.DB.AccessRequests.List(ctx, f)
}

// tx runs do and enqueues e in one transaction, and lets e's people know when it is committed.
func (s *Service) tx(ctx context.Context, e notify.Event, do func(tx *store.Store) error) error {
	err := s.DB.Tx(ctx, func(tx *store.Store) error {
		if err := do(tx); err != nil {
			return err
		}
		return s.Notifier.Enqueue(ctx, tx, e)
	})
	if err != nil {
		return err
	}
	s.Notifier.Told(e)
	return nil
}

// approvers never stands in the way of a request: the inbox shows it to them in any case.
func (s *Service) approvers(ctx context.Context, q Request) []notify.Recipient {
	list, err := s.People.Approvers(ctx, q)
	if err != nil {
		s.Logger.ErrorContext(ctx, "approvers are not told", "request_id", q.ID, "error", err)
	}
	if len(list) > maxToldOf {
		s.Logger.WarnContext(ctx, "not all approvers are told", "request_id", q.ID, "approvers", len(list), "told", maxToldOf)
		list = list[:maxToldOf]
	}
	return list
}

func (s *Service) person(ctx context.Context, userID string) []notify.Recipient {
	p, err := s.People.Person(ctx, userID)
	if err != nil {
		s.Logger.ErrorContext(ctx, "a person is not told", "user_id", userID, "error", err)
	}
	if err != nil || p.UserID == "" {
		return nil
	}
	return []notify.Recipient{p}
}

// now is in the store's precision, so that what is returned is what will be read.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

func newID() string { return ulid.Make().String() }

// known turns errors of the store into this package's.
func known(err error) error {
	for _, k := range []struct{ is, as error }{
		{store.ErrStale, ErrStale},
		{store.ErrExists, ErrTwice}, // decisions' key; ids are never taken
		{store.ErrGrantUsed, ErrUsed},
		{store.ErrGrantBusy, ErrBusy},
		{store.ErrGrantOver, ErrNoGrant},
		{store.ErrNotFound, ErrNotFound},
	} {
		if errors.Is(err, k.is) {
			return k.as
		}
	}
	return err
}

// AccessRules returns what configuration says.
func (s *Service) AccessRules() Rules { return s.Rules }
