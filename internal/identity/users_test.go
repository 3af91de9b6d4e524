package identity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

func TestPasswordRules(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"several words", "alice", "correct horse", true},
		{"no kinds of characters are asked for", "alice", "brumzelwopta", true},
		{"random digits", "alice", "830174652958", true},
		{"any script", "alice", "пароль надёжный", true},
		{"generated", "alice", NewPassword(), true},
		{"short", "alice", "elevenchars", false},
		{"characters, not bytes", "alice", "éééééé", false},
		{"long", "alice", strings.Repeat("ab cd", MaxPasswordBytes/5+1), false},
		{"not text", "alice", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4", false},
		{"common with signs around", "alice", "!!Sunshine2024!!", false},
		{"common", "alice", "qwertyuiop12", false},
		{"common, repeated", "alice", "dragondragon", false},
		{"one letter", "alice", "aaaaaaaaaaaa", false},
		{"three letters repeated", "alice", "xyzxyzxyzxyz", false},
		{"the name", "alice.alison", "Alice.Alison", false},
		{"the name with digits", "alice.alison", "alice.alison1", false},
		{"the name repeated", "alison", "alisonalison", false},
		{"the name before @", "alice.alison@x.test", "alice.alison", false},
		{"the name and more", "alice", "alice likes tea", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := f.checkNewPassword(tc.user, tc.password)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrWeakPassword)
			require.NotContains(t, err.Error(), tc.password)
		})
	}
}

func TestRepeated(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "aaa": "a", "abab": "ab", "aba": "aba", "éaéa": "éa", "abcabcab": "abcabcab"} {
		require.Equal(t, want, repeated(in), in)
	}
}

// TestLockSurvivesARestart: the count of failures and the lock are in the database.
func TestLockSurvivesARestart(t *testing.T) {
	f := newFixture(t).withAlice(t)
	for i := range freeNameFailures {
		_, err := f.SignIn(t.Context(), "alice", "guess", address(i), "", "")
		require.ErrorIs(t, err, ErrBadCredentials)
	}
	again, err := New(TablesOf(f.store), Options{Hashing: quick, Now: f.clock.now})
	require.NoError(t, err)
	throttled := func(source string) bool {
		_, err := again.SignIn(t.Context(), "alice", "guess", source, "", "")
		_, throttled := err.(*ThrottledError) //nolint:errorlint // the exact type is the contract
		return throttled
	}
	require.True(t, throttled("198.51.100.1"))
	f.clock.advance(2 * time.Second)
	require.False(t, throttled("198.51.100.1"), "one more guess")
	require.True(t, throttled("198.51.100.2"), "and a longer wait")
	f.clock.advance(maxNameWait)
	_, err = again.SignIn(t.Context(), "alice", password, "198.51.100.3", "", "")
	require.NoError(t, err, "never locked for long")
	u, err := f.UserByName(t.Context(), "alice")
	require.NoError(t, err)
	require.Zero(t, u.FailedSignIns)
}

// TestStrangersDoNotLockOut: whoever has signed in from a place may there, whatever strangers do elsewhere.
func TestStrangersDoNotLockOut(t *testing.T) {
	f := newFixture(t).withAlice(t)
	_, err := f.SignIn(t.Context(), "alice", password, "2001:db8:1:2::7", "", "")
	require.NoError(t, err)
	for i := range 2 * freeNameFailures {
		_, err := f.SignIn(t.Context(), "alice", "guess", address(i), "", "")
		require.Error(t, err)
	}
	_, err = f.SignIn(t.Context(), "alice", password, "198.51.100.1", "", "")
	require.ErrorContains(t, err, "wait")
	_, err = f.SignIn(t.Context(), "alice", password, "2001:db8:1:2::8", "", "")
	require.NoError(t, err, "the same network")
	// There guesses are still counted.
	for range freePairFailures {
		_, err = f.SignIn(t.Context(), "alice", "guess", "2001:db8:1:2::7", "", "")
		require.ErrorIs(t, err, ErrBadCredentials)
	}
	_, err = f.SignIn(t.Context(), "alice", "guess", "2001:db8:1:2::7", "", "")
	require.ErrorContains(t, err, "wait")
}

// TestUnknownNamesLockAlike: from the answers nobody learns whether a name is anybody's.
func TestUnknownNamesLockAlike(t *testing.T) {
	f := newFixture(t).withAlice(t)
	seen := map[string]string{}
	for _, name := range []string{"alice", "mallory"} {
		for i := range freeNameFailures + 5 {
			_, err := f.SignIn(t.Context(), name, "guess", fmt.Sprintf("%s.%d", address(i), len(name)), "", "")
			seen[name] += err.Error() + "\n"
			f.clock.advance(100 * time.Millisecond)
		}
	}
	require.Equal(t, seen["alice"], seen["mallory"])
}

func TestChangePassword(t *testing.T) {
	f := newFixture(t)
	alice := f.create(t, "alice")
	first, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	second, err := f.SignIn(t.Context(), "alice", password, "s", "", "")
	require.NoError(t, err)
	require.ErrorIs(t, f.ChangePassword(t.Context(), alice.ID, "wrong", "another fine one", "s", first.Token), ErrBadCredentials)
	require.ErrorIs(t, f.ChangePassword(t.Context(), alice.ID, password, password, "s", first.Token), ErrWeakPassword)
	require.NoError(t, f.ChangePassword(t.Context(), alice.ID, password, "another fine one", "s", first.Token))
	_, err = f.Authenticate(t.Context(), first.Token)
	require.NoError(t, err)
	_, err = f.Authenticate(t.Context(), second.Token)
	require.ErrorIs(t, err, ErrNotSignedIn)
	for range freePairFailures {
		require.Error(t, f.ChangePassword(t.Context(), alice.ID, "wrong", "another fine one", "t", first.Token))
	}
	require.ErrorContains(t, f.ChangePassword(t.Context(), alice.ID, "another fine one", "yet another one", "t", first.Token), "wait", "guessing is slowed down here too")
}

// TestSignInBesideAPasswordChange: a sign-in that was begun with the old password does not outlive it.
func TestSignInBesideAPasswordChange(t *testing.T) {
	f := newFixture(t)
	alice := f.create(t, "alice")
	u, err := f.verifyPassword(t.Context(), "alice", password, "s")
	require.NoError(t, err)
	f.clock.advance(time.Second)
	require.NoError(t, f.SetPassword(t.Context(), alice.ID, "another fine one", false))
	_, err = f.begin(t.Context(), u, MethodPassword, time.Time{}, "s", "", "")
	require.ErrorIs(t, err, ErrBadCredentials)
	list, err := f.SignIns(t.Context(), alice.ID)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestSetupCode(t *testing.T) {
	f := newFixture(t)
	ada := NewUser{Name: "ada", Password: password, Roles: []policy.Role{policy.Reviewer}}
	setup := func(code string, n NewUser) (SignIn, error) {
		return f.Setup(t.Context(), code, n, "192.0.2.1", "", "")
	}
	_, err := setup("", ada)
	require.ErrorIs(t, err, ErrBadSetupCode, "there is no code yet")
	old, err := f.NewSetupCode(t.Context())
	require.NoError(t, err)
	code, err := f.NewSetupCode(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^[a-z0-9]{5}(-[a-z0-9]{5}){3}$`, code)
	_, err = setup(old, ada)
	require.ErrorIs(t, err, ErrBadSetupCode, "the newest counts")
	_, err = setup(code, NewUser{Name: "ada", Password: "short"})
	require.ErrorIs(t, err, ErrWeakPassword)
	in, err := setup(strings.ToUpper(strings.ReplaceAll(code, "-", " ")), ada)
	require.NoError(t, err)
	require.Equal(t, []policy.Role{policy.Administrator}, in.Subject.Roles)
	_, err = setup(code, NewUser{Name: "mallory", Password: password})
	require.ErrorIs(t, err, ErrSetupDone)
	none, err := f.NewSetupCode(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	require.NotContains(t, f.log.String(), code)

	f = newFixture(t)
	code, err = f.NewSetupCode(t.Context())
	require.NoError(t, err)
	for range freePairFailures {
		_, err = setup("guess", ada)
		require.ErrorIs(t, err, ErrBadSetupCode)
	}
	_, err = setup(code, ada)
	require.ErrorContains(t, err, "wait", "guessing is slowed down")
	f.clock.advance(time.Minute)
	_, err = setup(code, ada)
	require.NoError(t, err)
}

func TestAPITokenLives(t *testing.T) {
	f := newFixture(t)
	alice := f.create(t, "alice", policy.Member, policy.Reviewer)
	make := func(user string, life time.Duration, scopes ...policy.Action) (store.APIToken, string) {
		tok, text, err := f.CreateToken(t.Context(), user, NewToken{Name: "t", Scopes: scopes, ExpiresAt: f.clock.now().Add(life)})
		require.NoError(t, err)
		return tok, text
	}
	tok, text := make(alice.ID, time.Hour, policy.Replay, policy.ManageUsers)
	who, err := f.AuthenticateToken(t.Context(), text, "192.0.2.9")
	require.NoError(t, err)
	require.Equal(t, []policy.Action{policy.Replay}, who.Permissions, "nothing its user may not")
	require.ElementsMatch(t, []policy.Action{policy.Replay, policy.ManageUsers}, who.Scopes)
	require.Equal(t, tok.ID, who.TokenID)
	require.Zero(t, who.MFAAt)
	f.clock.advance(time.Hour)
	_, err = f.AuthenticateToken(t.Context(), text, "192.0.2.9")
	require.ErrorIs(t, err, ErrNotSignedIn, "expired")

	_, text = make(alice.ID, time.Hour, policy.Replay)
	_, err = f.UpdateUser(t.Context(), alice.ID, Change{Disabled: new(true)})
	require.NoError(t, err)
	_, err = f.AuthenticateToken(t.Context(), text, "")
	require.ErrorIs(t, err, ErrNotSignedIn)
	_, err = f.UpdateUser(t.Context(), alice.ID, Change{Disabled: new(false)})
	require.NoError(t, err)
	_, err = f.AuthenticateToken(t.Context(), text, "")
	require.ErrorIs(t, err, ErrNotSignedIn, "enabling brings no token back")

	_, text = make(alice.ID, time.Hour, policy.Replay)
	require.NoError(t, f.DeleteUser(t.Context(), alice.ID))
	_, err = f.AuthenticateToken(t.Context(), text, "")
	require.ErrorIs(t, err, ErrNotSignedIn)

	bob := f.create(t, "bob")
	for range MaxTokensPerUser {
		make(bob.ID, time.Hour, policy.Connect)
	}
	_, _, err = f.CreateToken(t.Context(), bob.ID, NewToken{Name: "t", Scopes: []policy.Action{policy.Connect}, ExpiresAt: f.clock.now().Add(time.Hour)})
	require.ErrorIs(t, err, ErrTooManyTokens)
}

func FuzzToken(f *testing.F) {
	f.Add(newAPIToken())
	f.Add("vtr_")
	f.Add("vtr_" + strings.Repeat("0", tokenSecretLetters+tokenCheckLetters))
	f.Add(strings.Repeat("é", 60))
	f.Fuzz(func(t *testing.T, text string) {
		if !wellFormedToken(text) {
			return
		}
		require.Len(t, text, tokenLength)
		for i := range text { // one letter changed is never well formed
			changed := []byte(text)
			changed[i] ^= 1
			require.False(t, wellFormedToken(string(changed)), "%q", changed)
		}
	})
}
