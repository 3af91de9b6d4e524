package ticket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return epoch.Add(time.Duration(c.at.Load())) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

func bound() Bound {
	return Bound{UserID: "u", UserName: "alice", TargetID: "desk", AccountID: "a", GrantID: "g", Reason: "disk full", Change: "CHG-1", MFAAt: epoch.Add(-time.Minute)}
}

func TestTickets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		for _, tc := range []struct {
			name   string
			change func(*Bound)
			user   string
			source netip.Addr
			wait   time.Duration
			want   Cause // empty: it lets in
		}{
			{"good", nil, "alice", here, 0, ""},
			{"another case", nil, " Alice", there, Lifetime - time.Millisecond, ""},
			{"late", nil, "alice", here, Lifetime, Expired},
			{"another user", nil, "bob", here, 0, WrongUser},
			{"nobody", nil, "", here, 0, WrongUser},
			{"its address", func(b *Bound) { b.Source = here }, "alice", netip.MustParseAddr("::ffff:192.0.2.1"), 0, ""},
			{"another address", func(b *Bound) { b.Source = here }, "alice", there, 0, OtherAddress},
			{"no address", func(b *Bound) { b.Source = here }, "alice", netip.Addr{}, 0, OtherAddress},
		} {
			t.Run(tc.name, func(t *testing.T) {
				var c clock
				s := New(db.NativeTickets, Options{Now: c.now})
				want := bound()
				if tc.change != nil {
					tc.change(&want)
				}
				ticket, err := s.Issue(t.Context(), Shell, want)
				require.NoError(t, err)
				require.NotContains(t, fmt.Sprintf("%v %+v %s", ticket, ticket, ticket.Secret), string(ticket.Secret))
				c.pass(tc.wait)
				got, err := s.Redeem(t.Context(), Shell, string(ticket.Secret), tc.user, tc.source)
				if tc.want == "" {
					require.NoError(t, err)
					require.Equal(t, want, got)
				} else {
					requireRefused(t, err, tc.want)
				}
				// Whatever came of it, it is used up.
				_, err = s.Redeem(t.Context(), Shell, string(ticket.Secret), "alice", here)
				if tc.want == Expired {
					requireRefused(t, err, Expired)
				} else {
					requireRefused(t, err, Reused)
				}
			})
		}
	})
}

func requireRefused(t *testing.T, err error, want Cause) {
	t.Helper()
	var e *RefusedError
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Cause)
	require.Equal(t, want != Unknown, e.Bound != nil)
}

func open(t *testing.T) (*store.Store, *Service, *clock) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := &clock{}
	return db, New(db.NativeTickets, Options{Now: c.now}), c
}

func TestNoTicket(t *testing.T) {
	_, s, _ := open(t)
	for _, text := range []string{"", "x", string(make([]byte, 300)), "%s'\x00"} {
		_, err := s.Redeem(t.Context(), Shell, text, "alice", here)
		requireRefused(t, err, Unknown)
	}
	_, err := s.Issue(t.Context(), "post", bound())
	require.ErrorIs(t, err, ErrForm)
}

// TestOnce has many clients, at two gateways, show one ticket at once.
func TestOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		gateways := []*Service{New(db.NativeTickets, Options{}), New(db.NativeTickets, Options{})}
		ticket, err := gateways[0].Issue(t.Context(), Shell, bound())
		require.NoError(t, err)
		var in, reused atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				_, err := gateways[i%2].Redeem(t.Context(), Shell, string(ticket.Secret), "alice", here)
				var e *RefusedError
				switch {
				case err == nil:
					in.Add(1)
				case errors.As(err, &e) && e.Cause == Reused:
					reused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, in.Load())
		require.EqualValues(t, 19, reused.Load())
	})
}

func TestNLA(t *testing.T) {
	_, s, c := open(t)
	ticket, err := s.Issue(t.Context(), NLA, bound())
	require.NoError(t, err)
	require.NotContains(t, string(ticket.Secret), ticket.ID)
	// Its name is told in clear, so it is no ticket of the other form.
	_, err = s.Redeem(t.Context(), Shell, ticket.ID, "alice", here)
	requireRefused(t, err, Unknown)

	hash, ok := s.Prove(ticket.ID)
	require.True(t, ok)
	require.Equal(t, [16]byte(ntlm.NTHash(ticket.Secret)), [16]byte(hash))
	_, ok = s.Prove(ticket.ID)
	require.False(t, ok, "one at a time")
	s.Proved(ticket.ID, false)
	require.Equal(t, WrongSecret, s.Refused(t.Context(), ticket.ID).Cause)
	_, ok = s.Prove(ticket.ID)
	require.True(t, ok, "a mistyped password may be typed again")
	s.Proved(ticket.ID, true)
	_, ok = s.Prove(ticket.ID)
	require.False(t, ok, "proved once")
	got, err := s.Redeem(t.Context(), NLA, ticket.ID, "", here)
	require.NoError(t, err)
	require.Equal(t, bound(), got)
	require.Equal(t, Reused, s.Refused(t.Context(), ticket.ID).Cause)
	require.Equal(t, Unknown, s.Refused(t.Context(), "v-other").Cause)

	ticket, err = s.Issue(t.Context(), NLA, bound())
	require.NoError(t, err)
	for range maxFailures {
		_, ok = s.Prove(ticket.ID)
		require.True(t, ok)
		s.Proved(ticket.ID, false)
	}
	_, ok = s.Prove(ticket.ID)
	require.False(t, ok, "guessed at too often")

	ticket, err = s.Issue(t.Context(), NLA, bound())
	require.NoError(t, err)
	c.pass(Lifetime)
	_, ok = s.Prove(ticket.ID)
	require.False(t, ok, "late")
	require.Equal(t, Expired, s.Refused(t.Context(), ticket.ID).Cause)
	s.Proved("v-none", true)
}

func TestTooMany(t *testing.T) {
	_, s, c := open(t)
	for range burst {
		_, err := s.Issue(t.Context(), Shell, bound())
		require.NoError(t, err)
	}
	_, err := s.Issue(t.Context(), Shell, bound())
	var e *TooManyError
	require.ErrorAs(t, err, &e)
	require.Positive(t, e.RetryAfter)
	other := bound()
	other.UserID = "v"
	_, err = s.Issue(t.Context(), Shell, other)
	require.NoError(t, err, "others are not counted")
	c.pass(e.RetryAfter)
	_, err = s.Issue(t.Context(), Shell, bound())
	require.NoError(t, err)
}

func TestRunTidies(t *testing.T) {
	db, s, c := open(t)
	shell, err := s.Issue(t.Context(), Shell, bound())
	require.NoError(t, err)
	_, err = s.Issue(t.Context(), NLA, bound())
	require.NoError(t, err)
	c.pass(Lifetime + keepFor)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	require.Eventually(t, func() bool {
		_, err := db.NativeTickets.Get(t.Context(), key(Shell, string(shell.Secret)))
		return errors.Is(err, store.ErrNotFound)
	}, time.Minute, time.Millisecond)
	stop()
	require.NoError(t, <-over)
	require.Empty(t, s.hashes)
	require.Empty(t, s.people)
}
