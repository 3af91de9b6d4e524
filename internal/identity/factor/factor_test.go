package factor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var alice, bob = Person{ID: "u1", Name: "alice"}, Person{ID: "u2", Name: "bob"}

// memory are Seeds that are not sealed.
type memory struct {
	mu    sync.Mutex
	seeds map[string]string
}

func (m *memory) Seal(_ context.Context, record string, seed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seeds[record] = string(seed)
	return nil
}

func (m *memory) Open(_ context.Context, record string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.seeds[record]; ok {
		return []byte(s), nil
	}
	return nil, errors.New("no such seed")
}

func (m *memory) Forget(_ context.Context, record string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seeds, record)
	return nil
}

type fixture struct {
	*Service
	t     *testing.T
	now   time.Time
	seeds *memory
	rp    virtualwebauthn.RelyingParty
}

func newFixture(t *testing.T) *fixture {
	db, err := store.Open(t.Context(), storetest.Migrated(t))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	for _, p := range []Person{alice, bob} {
		require.NoError(t, db.Users.Create(t.Context(), store.User{ID: p.ID, Name: p.Name}))
	}
	rp, err := passkey.New("https://vitrine.test")
	require.NoError(t, err)
	f := &fixture{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), seeds: &memory{seeds: map[string]string{}},
		rp: virtualwebauthn.RelyingParty{ID: "vitrine.test", Name: "Vitrine", Origin: "https://vitrine.test"},
	}
	f.Service = New(db.SecondFactors, db.Ceremonies, f.seeds, Options{RP: rp, Now: func() time.Time { return f.now }})
	return f
}

func (f *fixture) code(seed string) string {
	c, err := totp.GenerateCode(seed, f.now)
	require.NoError(f.t, err)
	return c
}

// enrolTOTP gives p a generator and returns its seed and the recovery codes.
func (f *fixture) enrolTOTP(p Person) (string, []string) {
	key, err := f.BeginTOTP(f.t.Context(), p)
	require.NoError(f.t, err)
	codes, err := f.ConfirmTOTP(f.t.Context(), p, f.code(key.Seed))
	require.NoError(f.t, err)
	return key.Seed, codes
}

func TestTOTP(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	require.ErrorIs(t, f.CheckTOTP(ctx, alice.ID, "123456"), ErrWrong, "there is none")
	_, err := f.ConfirmTOTP(ctx, alice, "123456")
	require.ErrorIs(t, err, ErrExpired, "not begun")

	key, err := f.BeginTOTP(ctx, alice)
	require.NoError(t, err)
	require.ErrorIs(t, f.CheckTOTP(ctx, alice.ID, f.code(key.Seed)), ErrWrong, "not confirmed yet")
	_, err = f.ConfirmTOTP(ctx, alice, "000000")
	require.ErrorIs(t, err, ErrWrong)
	_, err = f.ConfirmTOTP(ctx, bob, f.code(key.Seed))
	require.ErrorIs(t, err, ErrExpired, "somebody else's")
	codes, err := f.ConfirmTOTP(ctx, alice, f.code(key.Seed))
	require.NoError(t, err, "a wrong code does not end the enrolment")
	require.Len(t, codes, RecoveryCodes)
	_, err = f.ConfirmTOTP(ctx, alice, f.code(key.Seed))
	require.ErrorIs(t, err, ErrExpired, "a stale form")

	require.ErrorIs(t, f.CheckTOTP(ctx, alice.ID, f.code(key.Seed)), ErrWrong, "the code that confirmed is used up")
	f.now = f.now.Add(30 * time.Second)
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if f.CheckTOTP(ctx, alice.ID, f.code(key.Seed)) == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, wins.Load(), "a code counts once, also at once")

	// A new generator takes the place of the old one when confirmed, not before.
	f.now = f.now.Add(time.Minute)
	fresh, err := f.BeginTOTP(ctx, alice)
	require.NoError(t, err)
	require.NoError(t, f.CheckTOTP(ctx, alice.ID, f.code(key.Seed)))
	again, err := f.ConfirmTOTP(ctx, alice, f.code(fresh.Seed))
	require.NoError(t, err)
	require.Nil(t, again, "there are recovery codes")
	f.now = f.now.Add(time.Minute)
	require.ErrorIs(t, f.CheckTOTP(ctx, alice.ID, f.code(key.Seed)), ErrWrong)
	require.NoError(t, f.CheckTOTP(ctx, alice.ID, f.code(fresh.Seed)))

	require.NoError(t, f.RemoveTOTP(ctx, alice.ID))
	require.ErrorIs(t, f.RemoveTOTP(ctx, alice.ID), ErrUnknown)
	require.Empty(t, f.seeds.seeds)
	all, err := f.Of(ctx, alice.ID)
	require.NoError(t, err)
	require.Zero(t, all, "the recovery codes go with the last factor")
}

func TestEnrolmentExpires(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	key, err := f.BeginTOTP(ctx, alice)
	require.NoError(t, err)
	f.now = f.now.Add(enrolmentLifetime)
	_, err = f.ConfirmTOTP(ctx, alice, f.code(key.Seed))
	require.ErrorIs(t, err, ErrExpired)
}

func TestRecoveryCodes(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	_, err := f.NewRecoveryCodes(ctx, alice.ID)
	require.ErrorIs(t, err, ErrUnknown, "without a factor there is nothing to recover")
	_, codes := f.enrolTOTP(alice)
	seen := map[string]bool{}
	for _, c := range codes {
		require.Regexp(t, `^([a-z0-9]{4}-){3}[a-z0-9]{4}$`, c)
		require.False(t, seen[c])
		seen[c] = true
	}
	require.ErrorIs(t, f.CheckRecovery(ctx, bob.ID, codes[0]), ErrWrong)
	require.ErrorIs(t, f.CheckRecovery(ctx, alice.ID, "aaaa-aaaa-aaaa-aaaa"), ErrWrong)
	require.ErrorIs(t, f.CheckRecovery(ctx, alice.ID, ""), ErrWrong)
	require.NoError(t, f.CheckRecovery(ctx, alice.ID, " "+strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))))
	require.ErrorIs(t, f.CheckRecovery(ctx, alice.ID, codes[0]), ErrWrong, "once")
	fresh, err := f.NewRecoveryCodes(ctx, alice.ID)
	require.NoError(t, err)
	require.ErrorIs(t, f.CheckRecovery(ctx, alice.ID, codes[1]), ErrWrong, "replaced")
	require.NoError(t, f.CheckRecovery(ctx, alice.ID, fresh[1]))
	all, err := f.Of(ctx, alice.ID)
	require.NoError(t, err)
	require.Equal(t, RecoveryCodes-1, all.RecoveryCodes)

	require.NoError(t, f.Reset(ctx, alice.ID))
	require.ErrorIs(t, f.CheckRecovery(ctx, alice.ID, fresh[2]), ErrWrong)
	all, err = f.Of(ctx, alice.ID)
	require.NoError(t, err)
	require.Zero(t, all)
}

// device is an authenticator with one passkey.
type device struct {
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func (f *fixture) enrolPasskey(p Person, name string) *device {
	d := &device{
		auth: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(p.ID)}),
		key:  virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2),
	}
	options, err := f.BeginEnrolment(f.t.Context(), p)
	require.NoError(f.t, err)
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(f.t, err)
	_, _, err = f.FinishEnrolment(f.t.Context(), p, name, []byte(virtualwebauthn.CreateAttestationResponse(f.rp, d.auth, d.key, *o)))
	require.NoError(f.t, err)
	f.now = f.now.Add(time.Second)
	return d
}

func (f *fixture) answer(d *device, options passkey.Options) []byte {
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	require.NoError(f.t, err)
	d.key.Counter++
	return []byte(virtualwebauthn.CreateAssertionResponse(f.rp, d.auth, d.key, *o))
}

func TestPasskeys(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	_, err := f.BeginPasskey(ctx, "sign_in:x", alice)
	require.ErrorIs(t, err, ErrWrong, "there is none")
	first, second := f.enrolPasskey(alice, " Blue key "), f.enrolPasskey(alice, "Phone")
	other := f.enrolPasskey(bob, "Bob's")
	all, err := f.Of(ctx, alice.ID)
	require.NoError(t, err)
	require.Equal(t, "Blue key", all.Passkeys[0].Name)
	require.Equal(t, RecoveryCodes, all.RecoveryCodes)

	for _, d := range []*device{first, second} {
		options, err := f.BeginPasskey(ctx, "sign_in:x", alice)
		require.NoError(t, err)
		answer := f.answer(d, options)
		require.NoError(t, f.FinishPasskey(ctx, "sign_in:x", alice, answer))
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, answer), ErrExpired, "replayed")
	}
	t.Run("somebody else's passkey", func(t *testing.T) {
		options, err := f.BeginPasskey(ctx, "sign_in:x", alice)
		require.NoError(t, err)
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, f.answer(other, options)), ErrWrong)
	})
	t.Run("somebody else's ceremony", func(t *testing.T) {
		options, err := f.BeginPasskey(ctx, "sign_in:x", bob)
		require.NoError(t, err)
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, f.answer(other, options)), ErrExpired)
	})
	t.Run("too late", func(t *testing.T) {
		options, err := f.BeginPasskey(ctx, "sign_in:x", alice)
		require.NoError(t, err)
		f.now = f.now.Add(challengeLifetime)
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, f.answer(first, options)), ErrExpired)
	})
	t.Run("a copy", func(t *testing.T) {
		options, err := f.BeginPasskey(ctx, "sign_in:x", alice)
		require.NoError(t, err)
		second.key.Counter = 0 // and 1 with this answer, which there was before
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, f.answer(second, options)), ErrWrong)
		all, err := f.Of(ctx, alice.ID)
		require.NoError(t, err)
		require.True(t, all.Passkeys[1].Cloned)
		require.Equal(t, 1, all.UsablePasskeys())
		second.key.Counter = 1000
		options, err = f.BeginPasskey(ctx, "sign_in:x", alice)
		require.NoError(t, err)
		require.NotContains(t, string(options), all.Passkeys[1].ID)
		require.ErrorIs(t, f.FinishPasskey(ctx, "sign_in:x", alice, f.answer(second, options)), ErrWrong, "from then on not taken")
	})
	t.Run("names and removal", func(t *testing.T) {
		id := all.Passkeys[0].ID
		for _, name := range []string{"", "  ", "a\nb", "a\x00b", "\xff", strings.Repeat("x", MaxNameBytes+1)} {
			require.ErrorIs(t, f.RenamePasskey(ctx, alice.ID, id, name), ErrName)
		}
		require.ErrorIs(t, f.RenamePasskey(ctx, bob.ID, id, "mine"), ErrUnknown)
		require.NoError(t, f.RenamePasskey(ctx, alice.ID, id, "Rot ✔"))
		require.ErrorIs(t, f.RemovePasskey(ctx, bob.ID, id), ErrUnknown)
		require.NoError(t, f.RemovePasskey(ctx, alice.ID, id))
	})
}

func TestSignInByPasskey(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	d := f.enrolPasskey(alice, "Phone")
	person := func(id string) (Person, error) {
		if id == alice.ID {
			return alice, nil
		}
		return Person{}, ErrWrong
	}
	options, token, err := f.BeginSignIn(ctx)
	require.NoError(t, err)
	answer := f.answer(d, options)
	_, err = f.FinishSignIn(ctx, "another browser", answer, person)
	require.ErrorIs(t, err, ErrExpired)
	who, err := f.FinishSignIn(ctx, token, answer, person)
	require.NoError(t, err)
	require.Equal(t, alice.ID, who)
	_, err = f.FinishSignIn(ctx, token, answer, person)
	require.ErrorIs(t, err, ErrExpired, "replayed")

	d.auth.Options.UserHandle = []byte("nobody")
	options, token, err = f.BeginSignIn(ctx)
	require.NoError(t, err)
	_, err = f.FinishSignIn(ctx, token, f.answer(d, options), person)
	require.ErrorIs(t, err, ErrWrong)
}

func TestWithoutPasskeys(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	f.Service.rp = nil
	require.False(t, f.HasPasskeys())
	_, err := f.BeginEnrolment(ctx, alice)
	require.ErrorIs(t, err, ErrNoPasskeys)
	_, _, err = f.BeginSignIn(ctx)
	require.ErrorIs(t, err, ErrNoPasskeys)
	_, err = f.BeginPasskey(ctx, "x", alice)
	require.ErrorIs(t, err, ErrNoPasskeys)
}
