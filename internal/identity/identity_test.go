package identity

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick makes hashing cheap enough for tests.
var quick = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	*Service
	store *store.Store
	clock *clock
	log   *bytes.Buffer
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	f := fixture{store: db, clock: &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, log: &bytes.Buffer{}}
	f.Service, err = New(TablesOf(db), Options{
		Hashing: quick, Now: f.clock.now, Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	require.NoError(t, err)
	return f
}

const password = "correct horse"

// create makes a user with roles and the common password.
func (f fixture) create(t *testing.T, name string, roles ...policy.Role) User {
	t.Helper()
	u, err := f.CreateUser(t.Context(), NewUser{Name: name, Password: password, Roles: roles})
	require.NoError(t, err)
	return u
}

func (f fixture) withAlice(t *testing.T) fixture {
	t.Helper()
	f.create(t, "Alice")
	return f
}

func TestFirstUser(t *testing.T) {
	f := newFixture(t)
	pw, err := f.EnsureFirstUser(t.Context())
	require.NoError(t, err)
	require.Len(t, pw, passwordLetters)
	in, err := f.SignIn(t.Context(), FirstUser, pw, "192.0.2.1", "", "")
	require.NoError(t, err)
	require.Equal(t, policy.All(), in.Subject.Permissions)
	again, err := f.EnsureFirstUser(t.Context())
	require.NoError(t, err)
	require.Empty(t, again)
	require.NotContains(t, f.log.String(), pw, "the password never enters the log")
	require.NotContains(t, f.log.String(), in.Token)
}

func TestSignIn(t *testing.T) {
	f := newFixture(t).withAlice(t)
	hash, err := f.hasher.hash(t.Context(), password)
	require.NoError(t, err)
	require.NoError(t, f.store.Users.Create(t.Context(), store.User{ID: "g", Name: "gone", PasswordHash: hash, Disabled: true}))
	for _, tc := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"right", "alice", password, true},
		{"case and space of the name do not matter", " ALICE ", password, true},
		{"case of the password does", "alice", "Correct horse", false},
		{"unknown name", "mallory", password, false},
		{"empty password", "alice", "", false},
		{"disabled", "gone", password, false},
		{"name with a quote", "alice' --", password, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, err := f.SignIn(t.Context(), tc.user, tc.password, tc.name, "", "")
			if !tc.ok {
				require.ErrorIs(t, err, ErrBadCredentials)
				require.Equal(t, ErrBadCredentials.Error(), err.Error(), "every refusal reads the same")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "alice", in.Subject.Name)
			who, err := f.Authenticate(t.Context(), in.Token)
			require.NoError(t, err)
			require.Equal(t, in.Subject, who.Subject)
		})
	}
}

func TestTokens(t *testing.T) {
	f := newFixture(t).withAlice(t)
	first, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	second, err := f.SignIn(t.Context(), "alice", password, "s", "", first.Token)
	require.NoError(t, err)
	require.NotEqual(t, first.Token, second.Token)
	require.Len(t, first.Token, 43, "256 bits")

	for name, token := range map[string]string{
		"rotated away": first.Token, "empty": "", "made up": strings.Repeat("A", 43), "the hash itself": hashToken(second.Token),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Authenticate(t.Context(), token)
			require.ErrorIs(t, err, ErrNotSignedIn)
		})
	}
	_, err = f.store.BrowserSessions.Get(t.Context(), second.Token)
	require.ErrorIs(t, err, store.ErrNotFound, "the token itself is not in the database")

	require.NoError(t, f.SignOut(t.Context(), second.Token))
	require.NoError(t, f.SignOut(t.Context(), second.Token))
	_, err = f.Authenticate(t.Context(), second.Token)
	require.ErrorIs(t, err, ErrNotSignedIn)
}

func TestExpiry(t *testing.T) {
	for _, tc := range []struct {
		name  string
		steps []time.Duration
		want  error
	}{
		{"used often, before the absolute end", []time.Duration{7 * time.Hour, 7 * time.Hour, 7 * time.Hour}, nil},
		{"idle", []time.Duration{DefaultIdleTimeout}, ErrNotSignedIn},
		{"absolute", []time.Duration{7 * time.Hour, 7 * time.Hour, 7 * time.Hour, 3 * time.Hour}, ErrNotSignedIn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t).withAlice(t)
			in, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
			require.NoError(t, err)
			for _, step := range tc.steps {
				f.clock.advance(step)
				_, err = f.Authenticate(t.Context(), in.Token)
			}
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestSetPasswordEndsSignIns(t *testing.T) {
	f := newFixture(t)
	alice := f.create(t, "alice")
	in, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	_, token, err := f.CreateToken(t.Context(), alice.ID, NewToken{Name: "t", Scopes: []policy.Action{policy.Connect}, ExpiresAt: f.clock.now().Add(time.Hour)})
	require.NoError(t, err)
	require.ErrorIs(t, f.SetPassword(t.Context(), "nobody", "long enough it is", false), ErrUnknownUser)
	require.ErrorIs(t, f.SetPassword(t.Context(), alice.ID, "short", false), ErrWeakPassword)
	require.NoError(t, f.SetPassword(t.Context(), alice.ID, "new password of hers", false))
	_, err = f.Authenticate(t.Context(), in.Token)
	require.ErrorIs(t, err, ErrNotSignedIn)
	_, err = f.AuthenticateToken(t.Context(), token, "s")
	require.ErrorIs(t, err, ErrNotSignedIn)
	_, err = f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.ErrorIs(t, err, ErrBadCredentials)
	_, err = f.SignIn(t.Context(), "alice", "new password of hers", "s", "", "")
	require.NoError(t, err)
}

func TestCreateUserRefuses(t *testing.T) {
	f := newFixture(t).withAlice(t)
	create := func(n NewUser) error {
		_, err := f.CreateUser(t.Context(), n)
		return err
	}
	require.ErrorIs(t, create(NewUser{Name: "alice", Password: password}), ErrExists)
	require.ErrorIs(t, create(NewUser{Name: "bob", Password: "short"}), ErrWeakPassword)
	require.ErrorIs(t, create(NewUser{Name: "bob", Password: password, Groups: []string{"none"}}), ErrUnknownGroup)
	for field, list := range map[string][]NewUser{
		"name":         {{Name: ""}, {Name: "a b"}, {Name: "-x"}, {Name: "é"}, {Name: strings.Repeat("a", 129)}},
		"roles":        {{Name: "bob", Roles: []policy.Role{"god"}}},
		"email":        {{Name: "bob", Email: "no address"}, {Name: "bob", Email: "Bob <b@x.test>"}, {Name: "bob", Email: strings.Repeat("a", 260) + "@x.test"}},
		"display_name": {{Name: "bob", DisplayName: "a\nb"}, {Name: "bob", DisplayName: "\xff"}, {Name: "bob", DisplayName: strings.Repeat("é", 129)}},
	} {
		for _, n := range list {
			n.Password = password
			invalid, ok := errors.AsType[*InvalidError](create(n))
			require.True(t, ok, "%+v", n)
			require.Equal(t, field, invalid.Field)
		}
	}
	n, err := f.store.Users.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestOutdatedHashIsRenewed(t *testing.T) {
	f := newFixture(t)
	old, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 32, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	require.NoError(t, f.store.Users.Create(t.Context(), store.User{ID: "1", Name: "alice", PasswordHash: old}))
	_, err = f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	u, err := f.store.Users.ByName(t.Context(), "alice")
	require.NoError(t, err)
	require.NotEqual(t, old, u.PasswordHash)
	_, err = f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
}

// TestUnknownNamesCostAHash counts hashes instead of timing them.
func TestUnknownNamesCostAHash(t *testing.T) {
	f := newFixture(t).withAlice(t)
	// With every slot taken no hash can be computed, so whoever does not wait has not hashed.
	require.NoError(t, f.hasher.slots.Acquire(t.Context(), maxHashing))
	for _, name := range []string{"alice", "mallory"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.hasherWait(ctx, name)
		require.ErrorIs(t, err, context.Canceled, name)
	}
	f.hasher.slots.Release(maxHashing)
}

// hasherWait is checkPassword with a live context for the database and ctx for the hashing.
func (f fixture) hasherWait(ctx context.Context, name string) (store.User, error) {
	s := *f.Service
	s.users = detached{s.users}
	return s.checkPassword(ctx, name, "x")
}

type detached struct{ Users }

func (d detached) ByName(ctx context.Context, name string) (store.User, error) {
	return d.Users.ByName(context.WithoutCancel(ctx), name)
}

func TestRunRemovesExpired(t *testing.T) {
	f := newFixture(t).withAlice(t)
	in, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	f.clock.advance(DefaultAbsoluteTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	require.Eventually(t, func() bool {
		_, err := f.store.BrowserSessions.Get(t.Context(), hashToken(in.Token))
		return err != nil
	}, time.Minute, time.Millisecond)
	cancel()
	wg.Wait()
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(time.Now)
		for range freePairFailures {
			require.Zero(t, th.begin("alice", "192.0.2.1", false))
		}
		require.Equal(t, firstWait, th.begin("alice", "192.0.2.1", false), "the pair has to wait")
		require.Zero(t, th.begin("alice", "192.0.2.2", false), "another source does not")
		require.Zero(t, th.begin("bob", "192.0.2.1", false), "nor does another name")
		for want := firstWait; want < maxPairWait; want *= 2 {
			wait := th.begin("alice", "192.0.2.1", false)
			require.Equal(t, want, wait, "it doubles")
			time.Sleep(wait)
			require.Zero(t, th.begin("alice", "192.0.2.1", false))
		}
		require.LessOrEqual(t, th.begin("alice", "192.0.2.1", false), maxPairWait)
		time.Sleep(forgetAfter)
		require.Zero(t, th.begin("alice", "192.0.2.1", false), "forgotten")
	})
}

func TestThrottleSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(time.Now)
		for range 100 {
			require.Zero(t, th.begin("alice", "192.0.2.1", false), "success never throttles")
			th.succeeded("alice", "192.0.2.1")
		}
		require.Empty(t, th.entries)

		// Guessing at others between sign-ins to one's own account still runs into the source's limit.
		tries := 0
		for ; tries < 1000; tries++ {
			if th.begin("victim"+strings.Repeat("x", tries), "192.0.2.1", false) > 0 {
				break
			}
			if th.begin("mallory", "192.0.2.1", false) > 0 {
				break
			}
			th.succeeded("mallory", "192.0.2.1")
		}
		require.LessOrEqual(t, tries, freeSourceFailures)
	})
}

func TestThrottleIsNoLockout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(time.Now)
		for i := range 10_000 {
			th.begin("alice", address(i), false)
		}
		require.LessOrEqual(t, th.begin("alice", "198.51.100.1", false), maxNameWait)
		require.LessOrEqual(t, len(th.entries), maxThrottleEntries)
		for i := range maxThrottleEntries {
			th.begin(strings.Repeat("n", i%50)+address(i), address(i), false)
		}
		require.LessOrEqual(t, len(th.entries), maxThrottleEntries, "bounded")
	})
}

func address(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

func TestSourceKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "odd": "odd",
	} {
		require.Equal(t, want, sourceKey(in))
	}
}

// TestConcurrentGuesses: many tries at once get no more than the free ones.
func TestConcurrentGuesses(t *testing.T) {
	f := newFixture(t).withAlice(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	checked := 0
	for range 50 {
		wg.Go(func() {
			_, err := f.SignIn(t.Context(), "alice", "guess", "192.0.2.1", "", "")
			mu.Lock()
			defer mu.Unlock()
			if _, throttled := err.(*ThrottledError); !throttled { //nolint:errorlint // the exact type is the contract
				checked++
			}
		})
	}
	wg.Wait()
	require.Equal(t, freePairFailures, checked)
	f.clock.advance(time.Minute)
	_, err := f.SignIn(t.Context(), "alice", password, "192.0.2.1", "", "")
	require.NoError(t, err, "the right password still works after the wait")
}
