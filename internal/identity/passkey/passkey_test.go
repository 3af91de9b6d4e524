package passkey

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"
)

const origin = "https://vitrine.test:8443"

var alice = Person{ID: "6f1c", Name: "alice"}

// token is an authenticator with one key, and the browser it is in.
type token struct {
	t    *testing.T
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newToken(t *testing.T) *token {
	k := &token{
		t: t, rp: virtualwebauthn.RelyingParty{ID: "vitrine.test", Name: "Vitrine", Origin: origin},
		auth: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(alice.ID)}),
		key:  virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2),
	}
	k.auth.AddCredential(k.key)
	return k
}

func (k *token) create(options Options) []byte {
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	require.NoError(k.t, err)
	return []byte(virtualwebauthn.CreateAttestationResponse(k.rp, k.auth, k.key, *o))
}

func (k *token) get(options Options) []byte {
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	require.NoError(k.t, err)
	return []byte(virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.key, *o))
}

// enrolled is a relying party and a token that alice has enrolled with it.
func enrolled(t *testing.T) (*RelyingParty, *token, Credential) {
	rp, err := New(origin)
	require.NoError(t, err)
	k := newToken(t)
	options, session, err := rp.BeginRegistration(alice, nil)
	require.NoError(t, err)
	c, err := rp.FinishRegistration(alice, session, k.create(options))
	require.NoError(t, err)
	require.NotEmpty(t, c.ID)
	return rp, k, c
}

func TestSecondFactor(t *testing.T) {
	rp, k, c := enrolled(t)
	options, session, err := rp.BeginAssertion(alice, []Credential{c})
	require.NoError(t, err)
	require.Contains(t, string(options), c.ID)
	k.key.Counter = 7
	used, err := rp.FinishAssertion(alice, []Credential{c}, session, k.get(options))
	require.NoError(t, err)
	require.Equal(t, c.ID, used.ID)
	require.EqualValues(t, 7, used.SignCount)
	require.NotContains(t, used.JSON, "clientDataJSON", "attestations are not kept")

	t.Run("the counter stands still", func(t *testing.T) {
		options, session, err := rp.BeginAssertion(alice, []Credential{used})
		require.NoError(t, err)
		again, err := rp.FinishAssertion(alice, []Credential{used}, session, k.get(options))
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorIs(t, err, ErrCloned)
		require.Contains(t, again.JSON, `"cloneWarning":true`)
	})
	t.Run("excluded from being made twice", func(t *testing.T) {
		options, _, err := rp.BeginRegistration(alice, []Credential{used})
		require.NoError(t, err)
		require.Contains(t, string(options), `"excludeCredentials":[{"type":"public-key","id":"`+c.ID)
	})
}

func TestSignIn(t *testing.T) {
	rp, k, c := enrolled(t)
	find := func(id string) (Person, []Credential, error) {
		require.Equal(t, alice.ID, id)
		return alice, []Credential{c}, nil
	}
	options, session, err := rp.BeginSignIn()
	require.NoError(t, err)
	require.Contains(t, string(options), `"userVerification":"required"`)
	used, err := rp.FinishSignIn(session, k.get(options), find)
	require.NoError(t, err)
	require.Equal(t, c.ID, used.ID)

	k.auth.Options.UserNotVerified = true
	options, session, err = rp.BeginSignIn()
	require.NoError(t, err)
	_, err = rp.FinishSignIn(session, k.get(options), find)
	require.ErrorIs(t, err, ErrRefused, "a touch alone is one factor only")
}

// TestRefused changes one thing at a time about an assertion that would be good.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		broken func(t *testing.T, k *token, answer []byte) []byte
	}{
		{"another challenge", func(t *testing.T, k *token, _ []byte) []byte {
			rp, err := New(origin)
			require.NoError(t, err)
			other, _, err := rp.BeginSignIn()
			require.NoError(t, err)
			return k.get(other)
		}},
		{"another site", func(_ *testing.T, k *token, answer []byte) []byte {
			k.rp.Origin = "https://vitrine.test.evil.test"
			return nil
		}},
		{"the same host by http", func(_ *testing.T, k *token, _ []byte) []byte { k.rp.Origin = "http://vitrine.test:8443"; return nil }},
		{"another relying party", func(_ *testing.T, k *token, _ []byte) []byte { k.rp.ID = "evil.test"; return nil }},
		{"another key of the same id", func(_ *testing.T, k *token, _ []byte) []byte {
			id := k.key.ID
			k.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
			k.key.ID = id
			return nil
		}},
		{"somebody else's handle", func(_ *testing.T, k *token, _ []byte) []byte {
			k.auth.Options.UserHandle = []byte("mallory")
			return nil
		}},
		{"nobody there", func(_ *testing.T, k *token, _ []byte) []byte { k.auth.Options.UserNotPresent = true; return nil }},
		{"cut short", func(_ *testing.T, _ *token, answer []byte) []byte { return answer[:len(answer)-10] }},
		{"nothing", func(*testing.T, *token, []byte) []byte { return []byte(`{}`) }},
		{"too long", func(_ *testing.T, _ *token, answer []byte) []byte {
			return append(answer, []byte(strings.Repeat(" ", maxResponseBytes))...)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rp, k, c := enrolled(t)
			options, session, err := rp.BeginAssertion(alice, []Credential{c})
			require.NoError(t, err)
			k.key.Counter++
			answer := tc.broken(t, k, k.get(options))
			if answer == nil {
				answer = k.get(options)
			}
			_, err = rp.FinishAssertion(alice, []Credential{c}, session, answer)
			require.ErrorIs(t, err, ErrRefused)
		})
	}
}

func TestOrigins(t *testing.T) {
	for _, tc := range []struct {
		public, listen string
		tls, ok        bool
		want           string
	}{
		{"https://vitrine.example.org", "127.0.0.1:8080", false, true, "https://vitrine.example.org"},
		{"https://vitrine.example.org:8443/", "127.0.0.1:8080", false, true, "https://vitrine.example.org:8443"},
		{"http://vitrine.example.org", "127.0.0.1:8080", false, false, "http://vitrine.example.org"},
		{"", "127.0.0.1:8080", false, true, "http://localhost:8080"},
		{"", "[::1]:8080", true, true, "https://localhost:8080"},
		{"", "0.0.0.0:8443", true, false, "https://0.0.0.0:8443"},
		{"https://192.0.2.1", "", false, false, "https://192.0.2.1"},
		{"", ":8443", true, false, "https://:8443"},
	} {
		got := Origin(tc.public, tc.listen, tc.tls)
		require.Equal(t, tc.want, got)
		_, err := New(got)
		require.Equal(t, tc.ok, err == nil, got)
	}
}

func FuzzFinish(f *testing.F) {
	rp, err := New(origin)
	require.NoError(f, err)
	_, session, err := rp.BeginSignIn()
	require.NoError(f, err)
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AA","userHandle":"AA"}}`))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUEA"}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := rp.FinishSignIn(session, answer, func(string) (Person, []Credential, error) { return alice, nil, nil }); err == nil {
			t.Fatal("signed in")
		}
		var s map[string]any
		require.NoError(t, json.Unmarshal([]byte(session), &s))
		if _, err := rp.FinishRegistration(alice, session, answer); err == nil {
			t.Fatal("registered")
		}
	})
}
