package identity

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// seeds are kept in memory, unsealed.
type seeds struct {
	mu sync.Mutex
	m  map[string]string
}

func (s *seeds) Seal(_ context.Context, record string, seed []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[record] = string(seed)
	return nil
}

func (s *seeds) Open(_ context.Context, record string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(maps.Clone(s.m)[record]), nil
}

func (s *seeds) Forget(context.Context, string) error { return nil }

// withFactors lets people have second factors.
func (f fixture) withFactors(mode config.MFA, roles ...policy.Role) fixture {
	f.mfa = MFA{Mode: mode, Roles: roles, Ceremonies: f.store.Ceremonies, Factors: factor.New(
		f.store.SecondFactors, f.store.Ceremonies, &seeds{m: map[string]string{}}, factor.Options{Now: f.clock.now})}
	return f
}

func (f fixture) alice(t *testing.T) factor.Person {
	u, err := f.store.Users.ByName(t.Context(), "alice")
	require.NoError(t, err)
	return personOf(u)
}

func (f fixture) code(t *testing.T, seed string) string {
	c, err := totp.GenerateCode(seed, f.clock.now())
	require.NoError(t, err)
	return c
}

// enrolled gives alice a generator, and returns its seed and her recovery codes.
func (f fixture) enrolled(t *testing.T) (string, []string) {
	key, err := f.mfa.Factors.BeginTOTP(t.Context(), f.alice(t))
	require.NoError(t, err)
	codes, err := f.mfa.Factors.ConfirmTOTP(t.Context(), f.alice(t), f.code(t, key.Seed))
	require.NoError(t, err)
	f.clock.advance(30 * time.Second)
	return key.Seed, codes
}

// half signs alice in as far as her password goes.
func (f fixture) half(t *testing.T) Pending {
	in, err := f.SignIn(t.Context(), "alice", password, "192.0.2.1", "", "")
	require.NoError(t, err)
	require.NotNil(t, in.Pending)
	require.Empty(t, in.Token, "nobody is signed in")
	return *in.Pending
}

func TestTwoSteps(t *testing.T) {
	f := newFixture(t).withAlice(t).withFactors(config.MFAOptional)
	ctx := t.Context()
	in, err := f.SignIn(ctx, "alice", password, "192.0.2.1", "", "")
	require.NoError(t, err)
	require.Nil(t, in.Pending, "nothing is enrolled")
	require.Zero(t, in.Subject.MFAAt)

	seed, codes := f.enrolled(t)
	p := f.half(t)
	require.Equal(t, []string{FactorTOTP, FactorRecovery}, p.Methods)
	require.False(t, p.Enrol)
	_, err = f.Authenticate(ctx, p.Token)
	require.ErrorIs(t, err, ErrNotSignedIn, "half a sign-in is none")
	again, err := f.Pending(ctx, p.Token)
	require.NoError(t, err)
	require.Equal(t, p, again)

	step := Step{Token: p.Token, Source: "192.0.2.1"}
	_, err = f.FinishTOTP(ctx, step, "000000")
	require.ErrorIs(t, err, ErrSecondFactor)
	_, _, err = f.FinishEnrolTOTP(ctx, step, f.code(t, seed))
	require.ErrorIs(t, err, ErrEnrolFirst, "who has a factor does not enrol another before proving it")
	in, err = f.FinishTOTP(ctx, step, f.code(t, seed))
	require.NoError(t, err)
	require.Equal(t, f.clock.now(), in.Subject.MFAAt)
	who, err := f.Authenticate(ctx, in.Token)
	require.NoError(t, err)
	require.Equal(t, f.clock.now(), who.MFAAt)
	_, err = f.FinishTOTP(ctx, step, f.code(t, seed))
	require.ErrorIs(t, err, ErrPendingOver, "once")

	p = f.half(t)
	_, err = f.FinishTOTP(ctx, Step{Token: p.Token}, f.code(t, seed))
	require.ErrorIs(t, err, ErrSecondFactor, "a code counts once, also for another sign-in")
	_, err = f.FinishRecovery(ctx, Step{Token: p.Token}, codes[0])
	require.NoError(t, err)
	p = f.half(t)
	_, err = f.FinishRecovery(ctx, Step{Token: p.Token}, codes[0])
	require.ErrorIs(t, err, ErrSecondFactor)

	t.Run("off", func(t *testing.T) {
		f := f
		s := *f.Service
		f.Service, s.mfa.Mode = &s, config.MFAOff
		in, err := s.SignIn(ctx, "alice", password, "192.0.2.1", "", "")
		require.NoError(t, err)
		require.NotEmpty(t, in.Token)
	})
}

func TestHalfSignInEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, f fixture, p Pending){
		"too late":  func(_ *testing.T, f fixture, _ Pending) { f.clock.advance(PendingLifetime) },
		"forgotten": func(t *testing.T, f fixture, p Pending) { require.NoError(t, f.ForgetPending(t.Context(), p.Token)) },
		"other password": func(t *testing.T, f fixture, p Pending) {
			f.clock.advance(time.Second)
			_, err := f.mfa.Factors.Of(t.Context(), p.UserID)
			require.NoError(t, err)
			require.NoError(t, f.store.Users.SetPassword(t.Context(), p.UserID, "x", f.clock.now(), false))
		},
		"disabled": func(t *testing.T, f fixture, p Pending) {
			require.NoError(t, f.store.Users.Create(t.Context(), store.User{ID: "x", Name: "other"}, "administrator"))
			require.NoError(t, f.store.Users.SetDisabled(t.Context(), p.UserID, true))
		},
		"tried too often": func(t *testing.T, f fixture, p Pending) {
			for range maxPendingAttempts {
				_, err := f.FinishTOTP(t.Context(), Step{Token: p.Token}, "000000")
				require.Error(t, err)
				f.clock.advance(10 * time.Second) // past the throttle
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t).withAlice(t).withFactors(config.MFAOptional)
			seed, _ := f.enrolled(t)
			p := f.half(t)
			end(t, f, p)
			_, err := f.FinishTOTP(t.Context(), Step{Token: p.Token}, f.code(t, seed))
			require.ErrorIs(t, err, ErrPendingOver)
		})
	}
	f := newFixture(t).withFactors(config.MFAOptional)
	for _, token := range []string{"", "made up"} {
		_, err := f.FinishTOTP(t.Context(), Step{Token: token}, "000000")
		require.ErrorIs(t, err, ErrPendingOver)
	}
}

// TestSecondFactorsAreThrottled: with new half sign-ins no more codes can be tried than with one.
func TestSecondFactorsAreThrottled(t *testing.T) {
	f := newFixture(t).withAlice(t).withFactors(config.MFAOptional)
	f.enrolled(t)
	tried := 0
	for range 20 {
		p := f.half(t)
		_, err := f.FinishTOTP(t.Context(), Step{Token: p.Token, Source: "192.0.2.1"}, "000000")
		if errors.Is(err, ErrSecondFactor) {
			tried++
			continue
		}
		_, throttled := errors.AsType[*ThrottledError](err)
		require.True(t, throttled, err)
	}
	require.Equal(t, freePairFailures, tried)
}

func TestRequiredEnrolment(t *testing.T) {
	f := newFixture(t).withAlice(t).withFactors(config.MFARequired, policy.Administrator, policy.Member)
	ctx := t.Context()
	require.NoError(t, f.store.Users.SetRoles(ctx, f.alice(t).ID, store.SourceLocal, []string{"reviewer"}))
	in, err := f.SignIn(ctx, "alice", password, "s", "", "")
	require.NoError(t, err)
	require.Nil(t, in.Pending, "her role needs none")
	require.NoError(t, f.store.Users.SetRoles(ctx, f.alice(t).ID, store.SourceLocal, []string{"reviewer", "user"}))

	p := f.half(t)
	require.True(t, p.Enrol)
	require.Equal(t, []string{FactorTOTP}, p.Methods)
	step := Step{Token: p.Token}
	_, err = f.FinishRecovery(ctx, step, "aaaa-aaaa-aaaa-aaaa")
	require.ErrorIs(t, err, ErrEnrolFirst)
	key, err := f.BeginEnrolTOTP(ctx, p.Token)
	require.NoError(t, err)
	_, _, err = f.FinishEnrolTOTP(ctx, step, "000000")
	require.ErrorIs(t, err, ErrSecondFactor)
	in, codes, err := f.FinishEnrolTOTP(ctx, step, f.code(t, key.Seed))
	require.NoError(t, err)
	require.Len(t, codes, factor.RecoveryCodes)
	require.Equal(t, f.clock.now(), in.Subject.MFAAt)
	require.NotEmpty(t, in.Token)
}

func TestStepUp(t *testing.T) {
	f := newFixture(t).withAlice(t).withFactors(config.MFAOptional)
	ctx := t.Context()
	in, err := f.SignIn(ctx, "alice", password, "s", "", "")
	require.NoError(t, err)
	id := in.Subject.ID
	_, err = f.StepUp(ctx, in.Token, id, "s", Proof{TOTP: "000000"})
	require.ErrorIs(t, err, ErrSecondFactor, "nothing to prove")
	seed, codes := f.enrolled(t)
	_, err = f.StepUp(ctx, in.Token, id, "s", Proof{})
	require.ErrorIs(t, err, ErrSecondFactor)
	at, err := f.StepUp(ctx, in.Token, id, "s", Proof{TOTP: f.code(t, seed)})
	require.NoError(t, err)
	who, err := f.Authenticate(ctx, in.Token)
	require.NoError(t, err)
	require.Equal(t, at, who.MFAAt)
	f.clock.advance(time.Hour)
	at, err = f.StepUp(ctx, in.Token, id, "s", Proof{Recovery: codes[3]})
	require.NoError(t, err)
	require.Equal(t, f.clock.now(), at)
	_, err = f.StepUp(ctx, "another cookie", id, "s", Proof{Recovery: codes[4]})
	require.ErrorIs(t, err, ErrNotSignedIn)
}

func TestExternalSecondFactor(t *testing.T) {
	f := newFixture(t).withFactors(config.MFARequired)
	e := ExternalIdentity{Source: "oidc:corp", Subject: "s1", Name: "carol"}
	in, err := f.SignInExternal(t.Context(), e, "s", "", "")
	require.NoError(t, err)
	require.True(t, in.Pending.Enrol, "the provider proved one factor")
	e.MFA = true
	in, err = f.SignInExternal(t.Context(), e, "s", "", "")
	require.NoError(t, err)
	require.Nil(t, in.Pending)
	require.Equal(t, f.clock.now(), in.Subject.MFAAt)
}

// fakeDirectory knows one person, and says of them what err is.
type fakeDirectory struct {
	source string
	who    ExternalIdentity
	asked  atomic.Int32
	err    atomic.Pointer[error]
}

func (d *fakeDirectory) Source() string         { return d.source }
func (d *fakeDirectory) Recheck() time.Duration { return 5 * time.Millisecond }

func (d *fakeDirectory) SignIn(_ context.Context, name, pw string) (ExternalIdentity, error) {
	d.asked.Add(1)
	if err := d.err.Load(); err != nil {
		return ExternalIdentity{}, *err
	}
	if name != d.who.Name || pw != "elsewhere" {
		return ExternalIdentity{}, ErrBadCredentials
	}
	return d.who, nil
}

func (d *fakeDirectory) Look(context.Context, string) (ExternalIdentity, error) {
	if err := d.err.Load(); err != nil {
		return ExternalIdentity{}, *err
	}
	return d.who, nil
}

func TestDirectories(t *testing.T) {
	f := newFixture(t).withAlice(t)
	ctx := t.Context()
	first := &fakeDirectory{source: "ldap:one", who: ExternalIdentity{Source: "ldap:one", Subject: "1", Name: "erin", Mapping: Mapping{Roles: []policy.Role{policy.Member}}}}
	second := &fakeDirectory{source: "ldap:two", who: ExternalIdentity{Source: "ldap:two", Subject: "2", Name: "alice"}}
	f.directories = []Directory{first, second}

	in, err := f.SignIn(ctx, "ERIN", "elsewhere", "s", "", "")
	require.NoError(t, err)
	require.Equal(t, []policy.Role{policy.Member}, in.Subject.Roles)
	require.Zero(t, second.asked.Load())

	_, err = f.SignIn(ctx, "alice", "elsewhere", "s", "", "")
	require.ErrorIs(t, err, ErrBadCredentials, "a user kept here is never somebody of a directory")
	require.Zero(t, second.asked.Load())
	_, err = f.SignIn(ctx, "alice", password, "s", "", "")
	require.NoError(t, err)
	_, err = f.SignIn(ctx, "nobody", "elsewhere", "s", "", "")
	require.ErrorIs(t, err, ErrBadCredentials)

	down := ErrDirectory
	first.err.Store(&down)
	_, err = f.SignIn(ctx, "erin", "elsewhere", "s", "", "")
	require.ErrorIs(t, err, ErrDirectory)
	_, err = f.SignIn(ctx, "alice", password, "s", "", "")
	require.NoError(t, err, "a directory that is down stops nobody who is kept here")
	require.NoError(t, f.store.Users.SetDisabled(ctx, in.Subject.ID, true))
	first.err.Store(nil)
	_, err = f.SignIn(ctx, "erin", "elsewhere", "s", "", "")
	require.ErrorIs(t, err, ErrUserDisabled)
}

func TestRecheck(t *testing.T) {
	f := newFixture(t).withAlice(t)
	d := &fakeDirectory{source: "ldap:one", who: ExternalIdentity{Source: "ldap:one", Subject: "1", Name: "erin", Mapping: Mapping{Roles: []policy.Role{policy.Member}}}}
	f.directories = []Directory{d}
	in, err := f.SignIn(t.Context(), "erin", "elsewhere", "s", "", "")
	require.NoError(t, err)
	alice, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)

	down := ErrDirectory
	d.err.Store(&down)
	require.ErrorIs(t, f.recheck(t.Context(), d), ErrDirectory)
	_, err = f.Authenticate(t.Context(), in.Token)
	require.NoError(t, err, "a directory that does not answer ends nothing")
	d.err.Store(nil)
	d.who.Mapping.Roles = []policy.Role{policy.Reviewer}
	require.NoError(t, f.recheck(t.Context(), d))
	who, err := f.Authenticate(t.Context(), in.Token)
	require.NoError(t, err)
	require.Equal(t, []policy.Role{policy.Reviewer}, who.Roles, "what the directory says now counts at once")

	gone := ErrGone
	d.err.Store(&gone)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Run(ctx) })
	require.Eventually(t, func() bool {
		_, err := f.Authenticate(t.Context(), in.Token)
		return errors.Is(err, ErrNotSignedIn)
	}, time.Minute, time.Millisecond)
	cancel()
	wg.Wait()
	_, err = f.Authenticate(t.Context(), alice.Token)
	require.NoError(t, err)
}
