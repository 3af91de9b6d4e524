package accessrequest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// rig is a Service on a real store, with a clock that is set and everything it tells remembered.
type rig struct {
	*Service
	t     *testing.T
	mu    sync.Mutex
	clock time.Time
	told  []notify.Event
	log   []string // of the journal
	ended []Grant
	glass error // what the journal says to broken glass
}

func newRig(t *testing.T, db *store.Store) *rig {
	r := &rig{t: t, clock: noon}
	r.Service = New(Options{
		DB: db, Rules: testRules(), Notifier: r, People: r, Journal: r,
		GrantClosed: func(g Grant) { r.ended = append(r.ended, g) }, Now: r.Now,
	})
	return r
}

func (r *rig) Now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.clock }

func (r *rig) pass(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.clock = r.clock.Add(d) }

func (r *rig) Enqueue(context.Context, *store.Store, notify.Event) error { return nil }

func (r *rig) Told(e notify.Event) { r.mu.Lock(); defer r.mu.Unlock(); r.told = append(r.told, e) }

func (r *rig) Approvers(_ context.Context, q Request) ([]notify.Recipient, error) {
	return []notify.Recipient{{UserID: "b", Name: "bob"}, {UserID: "c", Name: "carol"}}, nil
}

func (r *rig) Person(_ context.Context, id string) (notify.Recipient, error) {
	return notify.Recipient{UserID: id}, nil
}

func (r *rig) RequestExpired(_ context.Context, q Request) { r.log = append(r.log, "expired "+q.ID) }

func (r *rig) GrantClosed(_ context.Context, g Grant) { r.log = append(r.log, g.State+" "+g.ID) }

func (r *rig) GlassBroken(_ context.Context, q Request, _ Grant, source string) error {
	r.log = append(r.log, "glass "+q.ID+" "+source)
	return r.glass
}

// kinds are those of what was told since the last call, with the first recipient.
func (r *rig) kinds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.told {
		to := "nobody"
		if len(e.To) > 0 {
			to = e.To[0].UserID
		}
		out = append(out, string(e.Kind)+" "+to)
	}
	r.told = nil
	return out
}

func (r *rig) begin(g Grant) error {
	id := newID()
	if err := r.Begin(r.t.Context(), g.ID, id); err != nil {
		return err
	}
	return r.DB.Sessions.Create(r.t.Context(), store.Session{ID: id, UserID: g.UserID, TargetID: g.TargetID, State: "active", StartedAt: r.Now()})
}

func (r *rig) endSessions(g Grant) {
	g, err := r.Grant(r.t.Context(), g.ID)
	require.NoError(r.t, err)
	for _, id := range g.Running {
		require.NoError(r.t, r.DB.Sessions.End(r.t.Context(), id, "user_disconnected", "", r.Now()))
	}
}

func TestFromRequestToGrantToEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		a := ask()
		a.Approvals = 2
		q, err := r.Request(ctx, a)
		require.NoError(t, err)
		require.Equal(t, []string{"access_request.made b"}, r.kinds())
		got, err := r.Get(ctx, q.ID)
		require.NoError(t, err)
		require.Equal(t, q, got)

		_, err = r.Approve(ctx, q.ID, alice, Shorter{}, "", 1)
		require.ErrorIs(t, err, ErrOwn)
		_, err = r.Approve(ctx, "01JA0000000000000000000000", bob, Shorter{}, "", 1)
		require.ErrorIs(t, err, ErrNotFound)
		q, err = r.Approve(ctx, q.ID, bob, Shorter{}, "go on", 1)
		require.NoError(t, err)
		require.Equal(t, StatePending, q.State)
		_, err = r.Approve(ctx, q.ID, bob, Shorter{}, "", q.Revision)
		require.ErrorIs(t, err, ErrTwice)
		_, err = r.Approve(ctx, q.ID, carol, Shorter{}, "", 1)
		require.ErrorIs(t, err, ErrStale)
		list, err := r.Grants(ctx, store.AccessGrantFilter{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, list)
		q, err = r.Approve(ctx, q.ID, carol, Shorter{Until: noon.Add(2 * time.Hour)}, "", q.Revision)
		require.NoError(t, err)
		require.Equal(t, StateApproved, q.State)
		got, err = r.Get(ctx, q.ID)
		require.NoError(t, err)
		require.Equal(t, q, got)
		require.Len(t, got.Decisions, 2)
		require.Equal(t, "go on", got.Decisions[0].Note)
		require.Equal(t, []string{"access_request.decided a", "access_request.decided a"}, r.kinds())

		g, err := r.Grant(ctx, q.GrantID)
		require.NoError(t, err)
		require.Equal(t, noon.Add(2*time.Hour), g.Until)
		require.Equal(t, "carol", g.CreatedBy)

		_, err = r.Active(ctx, "a", "t", "root", r.Now())
		require.ErrorIs(t, err, ErrNoGrant, "it has not begun")
		require.ErrorIs(t, r.begin(g), ErrNoGrant)
		r.pass(time.Hour)
		for _, who := range [][3]string{{"b", "t", "root"}, {"a", "u", "root"}, {"a", "t", ""}, {"a", "t", "admin"}} {
			_, err = r.Active(ctx, who[0], who[1], who[2], r.Now())
			require.ErrorIs(t, err, ErrNoGrant, "%v", who)
		}
		active, err := r.Active(ctx, "a", "t", "root", r.Now())
		require.NoError(t, err)
		require.Equal(t, g.ID, active.ID)

		require.NoError(t, r.begin(g))
		require.ErrorIs(t, r.begin(g), ErrBusy)
		r.endSessions(g)
		require.NoError(t, r.begin(g), "many times, one after another")
		require.NoError(t, r.Sweep(ctx))
		require.Empty(t, r.kinds())
		r.pass(50 * time.Minute)
		require.NoError(t, r.Sweep(ctx))
		require.NoError(t, r.Sweep(ctx))
		require.Equal(t, []string{"access_grant.ending a"}, r.kinds(), "once")
		g, err = r.Grant(ctx, g.ID)
		require.NoError(t, err)
		require.Len(t, g.Running, 1)
		covered, holds, err := r.Covers(ctx, g.Running[0], r.Now())
		require.NoError(t, err)
		require.True(t, holds)
		require.Equal(t, g.ID, covered.ID)

		r.pass(10 * time.Minute)
		_, err = r.Active(ctx, "a", "t", "root", r.Now())
		require.ErrorIs(t, err, ErrNoGrant, "over by the clock, not by the sweep")
		_, holds, err = r.Covers(ctx, g.Running[0], r.Now())
		require.NoError(t, err)
		require.False(t, holds)
		require.NoError(t, r.Sweep(ctx))
		require.Len(t, r.ended, 1)
		require.Equal(t, GrantExpired, r.ended[0].State)
		require.Equal(t, g.Running, r.ended[0].Running)
		require.Equal(t, []string{"expired " + g.ID}, r.log)
		_, err = r.End(ctx, g.ID, alice, "")
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestExpiryAcrossRestartsAndClockJumps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		q, err := r.Request(ctx, ask())
		require.NoError(t, err)
		require.NoError(t, r.Sweep(ctx))
		r.pass(-24 * time.Hour) // the clock is put back
		require.NoError(t, r.Sweep(ctx))
		got, err := r.Get(ctx, q.ID)
		require.NoError(t, err)
		require.Equal(t, StatePending, got.State)

		later := newRig(t, db) // the next life, much later
		later.pass(1000 * time.Hour)
		_, err = later.Approve(ctx, q.ID, bob, Shorter{}, "", 1)
		require.ErrorIs(t, err, ErrClosed, "before any sweep")
		require.NoError(t, later.Sweep(ctx))
		got, err = later.Get(ctx, q.ID)
		require.NoError(t, err)
		require.Equal(t, StateExpired, got.State)
		require.Equal(t, []string{"access_request.decided a"}, later.kinds())
		require.NoError(t, r.Sweep(ctx)) // a node whose clock is behind
		_, err = r.Approve(ctx, q.ID, bob, Shorter{}, "", got.Revision)
		require.ErrorIs(t, err, ErrClosed, "what has expired does not come back with the clock")
	})
}

func TestOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		a := ask()
		a.From, a.Until, a.Duration, a.Once = time.Time{}, time.Time{}, time.Hour, true
		q, err := r.Request(ctx, a)
		require.NoError(t, err)
		r.pass(7 * time.Hour)
		q, err = r.Approve(ctx, q.ID, bob, Shorter{}, "", 1)
		require.NoError(t, err)
		g, err := r.Grant(ctx, q.GrantID)
		require.NoError(t, err)
		require.Equal(t, r.Now(), g.From, "from the approval on")
		require.Equal(t, r.Now().Add(time.Hour), g.Until)

		// A start that came to nothing does not count.
		require.NoError(t, r.Begin(ctx, g.ID, "s1"))
		require.ErrorIs(t, r.Begin(ctx, g.ID, "s2"), ErrUsed)
		require.NoError(t, r.Release(ctx, "s1"))
		require.NoError(t, r.Release(ctx, "s1"))
		require.NoError(t, r.Release(ctx, "never begun"))

		require.NoError(t, r.begin(g))
		require.ErrorIs(t, r.begin(g), ErrUsed)
		_, err = r.Active(ctx, "a", "t", "root", r.Now())
		require.NoError(t, err, "its session may go on")
		r.endSessions(g)
		_, err = r.Active(ctx, "a", "t", "root", r.Now())
		require.ErrorIs(t, err, ErrNoGrant)
	})
}

// TestBeginRace has many start on one grant at the same moment: exactly as many get through as the grant allows.
func TestBeginRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		for _, once := range []bool{true, false} {
			a := ask()
			a.From, a.Until, a.Duration, a.Once = time.Time{}, time.Time{}, time.Hour, once
			g, err := r.Invite(ctx, a, "operator")
			require.NoError(t, err)
			var through, refused int
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					err := r.Begin(ctx, g.ID, fmt.Sprintf("%s-%d", g.ID, i))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						through++
					case errors.Is(err, ErrUsed) || errors.Is(err, ErrBusy):
						refused++
					default:
						require.NoError(t, err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 1, through)
			require.Equal(t, 11, refused)
			g, err = r.Grant(ctx, g.ID)
			require.NoError(t, err)
			require.Equal(t, 1, g.Starts)
		}
	})
}

// TestApproveRace: many people, each from several windows, decide at the same moment on a request that needs two.
func TestApproveRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		a := ask()
		a.Approvals = 2
		q, err := r.Request(ctx, a)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 12 {
			who := Person{[]string{"a", "b", "b", "c"}[i%4], "x"}
			wg.Go(func() {
				for revision := int64(1); revision <= 2; revision++ {
					_, err := r.Approve(ctx, q.ID, who, Shorter{}, "", revision)
					if err != nil && !slices.ContainsFunc([]error{ErrOwn, ErrTwice, ErrStale, ErrClosed}, func(k error) bool { return errors.Is(err, k) }) {
						require.NoError(t, err)
					}
				}
			})
		}
		wg.Wait()
		q, err = r.Get(ctx, q.ID)
		require.NoError(t, err)
		people := map[string]bool{}
		for _, d := range q.Decisions {
			people[d.UserID] = true
		}
		require.Len(t, people, len(q.Decisions), "each counts once")
		require.NotContains(t, people, "a")
		require.Equal(t, q.State == StateApproved, len(people) == 2, "%+v", q)
		list, err := r.Grants(ctx, store.AccessGrantFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, list, map[bool]int{true: 1}[q.State == StateApproved])
	})
}

func TestBreakGlass(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r, ctx := newRig(t, db), t.Context()
		a := ask()
		a.Reason = ""
		_, err := r.BreakGlass(ctx, a, "192.0.2.1")
		require.Error(t, err)
		a.Reason = "it burns"
		r.glass = errors.New("the log is full")
		_, err = r.BreakGlass(ctx, a, "192.0.2.1")
		require.ErrorIs(t, err, r.glass, "unseen glass does not break")
		_, err = r.Active(ctx, "a", "t", "root", r.Now())
		require.ErrorIs(t, err, ErrNoGrant)
		r.glass = nil

		q, err := r.BreakGlass(ctx, a, "192.0.2.1")
		require.NoError(t, err)
		require.Equal(t, StateNeedsReview, q.State)
		require.Contains(t, r.log, "glass "+q.ID+" 192.0.2.1")
		require.Len(t, r.told, 1)
		require.True(t, r.told[0].Urgent)
		require.Equal(t, []string{"break_glass.used b"}, r.kinds())
		g, err := r.Active(ctx, "a", "t", "root", r.Now())
		require.NoError(t, err)
		require.Equal(t, q.GrantID, g.ID)
		require.NoError(t, r.begin(g))

		_, err = r.Review(ctx, q.ID, alice, "it was fine", 1)
		require.ErrorIs(t, err, ErrOwn)
		q, err = r.Review(ctx, q.ID, bob, "it was fine", 1)
		require.NoError(t, err)
		require.Equal(t, StateReviewed, q.State)
		require.Equal(t, []string{"break_glass.reviewed a"}, r.kinds())
		_, err = r.End(ctx, g.ID, bob, "enough")
		require.NoError(t, err)
		require.Len(t, r.ended, 1)
		require.Len(t, r.ended[0].Running, 1)
		require.Equal(t, []string{"access_grant.ended a"}, r.kinds())
	})
}

func TestTooManyPending(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	for range 3 {
		_, err := r.Request(t.Context(), ask())
		require.NoError(t, err)
	}
	_, err := r.Request(t.Context(), ask())
	require.ErrorIs(t, err, ErrTooMany)
	a := ask()
	a.Person = bob
	_, err = r.Request(t.Context(), a)
	require.NoError(t, err)
}

func TestRunEnds(t *testing.T) {
	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	cancel()
	require.NoError(t, <-done)
}

// TestModel does random things to a few requests and holds what comes of it against a model of some lines.
func TestModel(t *testing.T) {
	type model struct {
		owner      string
		yes        map[string]bool
		need       int
		state      string
		until      time.Time // of the window
		expires    time.Time
		grantState string
		revision   int64
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r, ctx := newRig(t, storetest.Open(t, storetest.SQLite(t))), t.Context()
	r.Rules.MaxPending = 1000
	people := []Person{alice, bob, carol, {"d", "dave"}}
	models := map[string]*model{}
	var ids []string
	for step := range 600 {
		who := people[rnd.IntN(len(people))]
		if len(ids) == 0 || rnd.IntN(8) == 0 {
			a := ask()
			a.Person, a.Approvals = who, 1+rnd.IntN(2)
			a.From, a.Until = r.Now(), r.Now().Add(time.Duration(10+rnd.IntN(180))*time.Minute)
			q, err := r.Request(ctx, a)
			require.NoError(t, err)
			models[q.ID] = &model{owner: who.ID, yes: map[string]bool{}, need: a.Approvals, state: StatePending, until: a.Until, expires: a.Until, revision: 1}
			ids = append(ids, q.ID)
			continue
		}
		id := ids[max(0, len(ids)-1-rnd.IntN(6))]
		m, now := models[id], r.Now()
		revision := m.revision - int64(rnd.IntN(5)/4) // now and then a stale one
		open := m.state == StatePending && m.expires.After(now) && revision == m.revision
		may := open && m.owner != who.ID && !m.yes[who.ID]
		var err error
		var good bool
		switch what := rnd.IntN(6); what {
		case 0, 1:
			if _, err = r.Approve(ctx, id, who, Shorter{}, "", revision); may {
				good = true
				if m.yes[who.ID] = true; len(m.yes) >= m.need {
					m.state, m.grantState = StateApproved, GrantActive
				}
			}
		case 2:
			if _, err = r.Deny(ctx, id, who, "no", revision); may {
				good, m.state = true, StateDenied
			}
		case 3:
			if _, err = r.Cancel(ctx, id, who, revision); open && m.owner == who.ID {
				good, m.state = true, StateCancelled
			}
		case 4:
			r.pass(time.Duration(rnd.IntN(20)) * time.Minute)
			require.NoError(t, r.Sweep(ctx))
			for _, m := range models {
				if m.state == StatePending && !m.expires.After(r.Now()) {
					m.state = StateExpired
					m.revision++
				}
				if m.grantState == GrantActive && !m.until.After(r.Now()) {
					m.grantState = GrantExpired
				}
			}
			continue
		case 5:
			q, getErr := r.Get(ctx, id)
			require.NoError(t, getErr)
			if q.GrantID == "" {
				continue
			}
			_, err = r.End(ctx, q.GrantID, who, "")
			if m.grantState == GrantActive {
				require.NoError(t, err)
				m.grantState = GrantEnded
			} else {
				require.ErrorIs(t, err, ErrClosed)
			}
			continue
		}
		if good {
			m.revision++
			require.NoError(t, err, "step %d", step)
		} else {
			require.Error(t, err, "step %d", step)
		}
		q, err := r.Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, m.state, q.State, "step %d", step)
		require.Equal(t, m.revision, q.Revision, "step %d", step)
		require.Equal(t, m.grantState != "", q.GrantID != "", "step %d", step)
		if q.GrantID != "" {
			g, err := r.Grant(ctx, q.GrantID)
			require.NoError(t, err)
			require.Equal(t, m.grantState, g.State, "step %d", step)
		}
	}
}
