package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// fixtureOrigin is the address that requests of the fixture come to.
const fixtureOrigin = "https://example.com"

// plainSeeds keeps seeds as they are.
type plainSeeds struct {
	mu sync.Mutex
	m  map[string]string
}

func (s *plainSeeds) Seal(_ context.Context, record string, seed []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[record] = string(seed)
	return nil
}

func (s *plainSeeds) Open(_ context.Context, record string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.m[record]), nil
}

func (s *plainSeeds) Forget(context.Context, string) error { return nil }

// jar does requests as a browser that keeps the cookies of sign-ins.
type jar struct {
	*fixture
	cookies map[string]string
}

func (f *fixture) browser() *jar { return &jar{f, map[string]string{}} }

func (j *jar) ask(method, path, body string, into any) *http.Response {
	j.t.Helper()
	var list []string
	for name, v := range j.cookies {
		list = append(list, name+"="+v)
	}
	h := http.Header{}
	if len(list) > 0 {
		h.Set("Cookie", strings.Join(list, "; "))
	}
	res := j.do(request{method: method, path: "/api/v1" + path, body: body, header: h})
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(j.cookies, c.Name)
		} else {
			j.cookies[c.Name] = c.Value
		}
	}
	if into != nil {
		require.Less(j.t, res.StatusCode, 300, path)
		require.NoError(j.t, json.NewDecoder(res.Body).Decode(into))
	}
	return res
}

func (j *jar) signIn() *http.Response {
	return j.ask("POST", "/sign-in", signInBody("alice", password), nil)
}

func (j *jar) code(seed string, ahead time.Duration) string {
	c, err := totp.GenerateCode(seed, time.Now().Add(ahead))
	require.NoError(j.t, err)
	return `{"code":"` + c + `"}`
}

type totpKey struct{ Secret, URL, QR string }

// enrol gives alice a generator and returns its seed and her recovery codes.
func (j *jar) enrol() (string, []string) {
	var key totpKey
	j.ask("POST", "/me/factors/totp", "", &key)
	require.True(j.t, strings.HasPrefix(key.QR, "data:image/png;base64,"))
	var added struct {
		Codes []string `json:"recovery_codes"`
	}
	j.ask("POST", "/me/factors/totp/confirm", j.code(key.Secret, -30*time.Second), &added)
	require.Len(j.t, added.Codes, 10)
	return key.Secret, added.Codes
}

func TestSignInInTwoSteps(t *testing.T) {
	f := newFixture(t)
	b := f.browser()
	require.Equal(t, 200, b.signIn().StatusCode)
	seed, codes := b.enrol()

	b = f.browser()
	var pending struct {
		Methods []string
		Enrol   bool
	}
	res := b.ask("POST", "/sign-in", signInBody("alice", password), &pending)
	require.Equal(t, http.StatusAccepted, res.StatusCode)
	require.Equal(t, []string{"totp", "recovery"}, pending.Methods)
	c := res.Cookies()[0]
	require.Equal(t, pendingCookie, c.Name)
	require.True(t, c.HttpOnly)
	require.Equal(t, "/api/v1/sign-in", c.Path)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.Equal(t, 401, b.ask("GET", "/me", "", nil).StatusCode, "half a sign-in is none")
	b.cookies[cookieName] = b.cookies[pendingCookie]
	require.Equal(t, 401, b.ask("GET", "/me", "", nil).StatusCode, "nor is its cookie under another name")
	delete(b.cookies, cookieName)

	var offered struct{ Pending *struct{ Username string } }
	b.ask("GET", "/sign-in", "", &offered)
	require.Equal(t, "alice", offered.Pending.Username, "a page that is loaded again goes on")

	res = b.ask("POST", "/sign-in/totp", `{"code":"000000"}`, nil)
	requireProblem(t, res, bodyOf(t, res), "second_factor_wrong")
	good := b.code(seed, 0)
	stale := f.browser()
	stale.cookies[pendingCookie] = b.cookies[pendingCookie]
	require.Equal(t, 200, b.ask("POST", "/sign-in/totp", good, nil).StatusCode)
	require.NotContains(t, b.cookies, pendingCookie)
	require.Equal(t, 200, b.ask("GET", "/me", "", nil).StatusCode)
	res = stale.ask("POST", "/sign-in/totp", good, nil)
	requireProblem(t, res, bodyOf(t, res), "sign_in_over")

	b = f.browser()
	b.signIn()
	res = b.ask("POST", "/sign-in/totp", good, nil)
	requireProblem(t, res, bodyOf(t, res), "second_factor_wrong") // a replayed code
	require.Equal(t, 200, b.ask("POST", "/sign-in/recovery", `{"code":"`+codes[0]+`"}`, nil).StatusCode)
	b = f.browser()
	b.signIn()
	res = b.ask("POST", "/sign-in/recovery", `{"code":"`+codes[0]+`"}`, nil)
	requireProblem(t, res, bodyOf(t, res), "second_factor_wrong")
	require.Equal(t, 204, b.ask("DELETE", "/sign-in/pending", "", nil).StatusCode)
	res = f.browser().ask("POST", "/sign-in/totp", good, nil)
	requireProblem(t, res, bodyOf(t, res), "sign_in_over")

	for _, secret := range append(codes, seed, good) {
		require.NotContains(t, f.log.String(), secret)
	}
}

func TestStepUpIsNeeded(t *testing.T) {
	f := newFixture(t)
	b := f.browser()
	b.signIn()
	seed, codes := b.enrol() // this sign-in has proved nothing yet
	for _, change := range []struct{ method, path, body string }{
		{"POST", "/me/factors/totp", ""},
		{"DELETE", "/me/factors/totp", ""},
		{"POST", "/me/factors/passkeys/options", ""},
		{"POST", "/me/factors/recovery-codes", ""},
		{"DELETE", "/me/factors/passkeys/x", ""},
	} {
		res := b.ask(change.method, change.path, change.body, nil)
		requireProblem(t, res, bodyOf(t, res), "step_up_needed")
	}
	res := b.ask("POST", "/me/step-up", `{"code":"000000"}`, nil)
	require.Equal(t, 422, res.StatusCode, "not 401: the sign-in is as good as before")
	require.Equal(t, 200, b.ask("POST", "/me/step-up", b.code(seed, 0), nil).StatusCode)
	var fresh struct {
		Codes []string `json:"recovery_codes"`
	}
	b.ask("POST", "/me/factors/recovery-codes", "", &fresh)
	require.NotEqual(t, codes, fresh.Codes)
	var factors struct {
		Codes     int `json:"recovery_codes"`
		Available []string
		MFAAt     *time.Time `json:"mfa_at"`
	}
	b.ask("GET", "/me/factors", "", &factors)
	require.Equal(t, 10, factors.Codes)
	require.Equal(t, []string{"totp", "passkey"}, factors.Available)
	require.NotNil(t, factors.MFAAt)
	require.Equal(t, 204, b.ask("DELETE", "/me/factors/totp", "", nil).StatusCode)
	require.Equal(t, 404, b.ask("DELETE", "/me/factors/totp", "", nil).StatusCode)
}

func TestPasskeysByAPI(t *testing.T) {
	f := newFixture(t)
	b := f.browser()
	b.signIn()
	rp := virtualwebauthn.RelyingParty{ID: "example.com", Name: "Vitrine", Origin: fixtureOrigin}
	auth := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(f.aliceID)})
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	options := func(path string) string {
		var out struct{ Options json.RawMessage }
		b.ask("POST", path, "", &out)
		return string(out.Options)
	}
	made, err := virtualwebauthn.ParseAttestationOptions(options("/me/factors/passkeys/options"))
	require.NoError(t, err)
	body := `{"name":"Blue key","credential":` + virtualwebauthn.CreateAttestationResponse(rp, auth, key, *made) + `}`
	require.Equal(t, 201, b.ask("POST", "/me/factors/passkeys", body, nil).StatusCode)
	res := b.ask("POST", "/me/factors/passkeys", body, nil)
	requireProblem(t, res, bodyOf(t, res), "step_up_needed")
	answer := func(path string) string {
		o, err := virtualwebauthn.ParseAssertionOptions(options(path))
		require.NoError(t, err)
		key.Counter++
		return `{"credential":` + virtualwebauthn.CreateAssertionResponse(rp, auth, key, *o) + `}`
	}
	require.Equal(t, 200, b.ask("POST", "/me/step-up", answer("/me/step-up/options"), nil).StatusCode)

	for name, begin := range map[string]func(){"as the second step": func() { b.signIn() }, "alone": func() {}} {
		b = f.browser()
		begin()
		good := answer("/sign-in/passkey/options")
		other := f.browser()
		res := other.ask("POST", "/sign-in/passkey", good, nil)
		require.Equal(t, 401, res.StatusCode, "another browser, %s", name)
		require.Equal(t, 200, b.ask("POST", "/sign-in/passkey", good, nil).StatusCode, name)
		var me struct{ Username string }
		b.ask("GET", "/me", "", &me)
		require.Equal(t, "alice", me.Username)
		require.NotEqual(t, 200, b.ask("POST", "/sign-in/passkey", good, nil).StatusCode, "replayed, %s", name)
	}
	t.Run("at another address", func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.MFA.PasskeyOrigin = "https://elsewhere.test" })
		var out struct{ Passkeys bool }
		f.browser().ask("GET", "/sign-in", "", &out)
		require.False(t, out.Passkeys)
	})
}

func TestRequiredEnrolmentByAPI(t *testing.T) {
	f := newFixture(t)
	mfa := f.mfa
	mfa.Mode = config.MFARequired
	who, err := identity.New(identity.TablesOf(f.db), identity.Options{Hashing: quickHashing, MFA: mfa})
	require.NoError(t, err)
	f.server.identity, f.server.steps = who, who
	b := f.browser()
	var pending struct{ Enrol bool }
	b.ask("POST", "/sign-in", signInBody("alice", password), &pending)
	require.True(t, pending.Enrol)
	for _, path := range []string{"/me", "/targets", "/sessions", "/me/factors"} {
		require.Equal(t, 401, b.ask("GET", path, "", nil).StatusCode, "nothing else works: %s", path)
	}
	var key totpKey
	b.ask("POST", "/sign-in/enrol/totp", "", &key)
	var done struct {
		Me    struct{ Username string }
		Codes []string `json:"recovery_codes"`
	}
	b.ask("POST", "/sign-in/enrol/totp/confirm", b.code(key.Secret, 0), &done)
	require.Equal(t, "alice", done.Me.Username)
	require.Len(t, done.Codes, 10)
	require.Equal(t, 200, b.ask("GET", "/me", "", nil).StatusCode)
	res := b.ask("DELETE", "/me/factors/totp", "", nil)
	requireProblem(t, res, bodyOf(t, res), "last_factor")
}

func TestResetFactors(t *testing.T) {
	f := newFixture(t)
	b := f.browser()
	b.signIn()
	b.enrol()
	require.Equal(t, 404, b.ask("DELETE", "/users/nobody/factors", "", nil).StatusCode)
	f.policy.denied = map[policy.Action]bool{policy.ManageUsers: true}
	require.Equal(t, 403, b.ask("DELETE", "/users/"+f.aliceID+"/factors", "", nil).StatusCode)
	f.policy.denied = nil
	require.Equal(t, 204, b.ask("DELETE", "/users/"+f.aliceID+"/factors", "", nil).StatusCode)
	require.Equal(t, 401, b.ask("GET", "/me", "", nil).StatusCode, "signed out")
	require.Equal(t, 200, f.browser().signIn().StatusCode, "without a second step")
}

// fakeProviders has one provider that says err, or that carol signs in.
type fakeProviders struct {
	err  error
	next string
}

func (p *fakeProviders) Choices() []oidc.Choice {
	return []oidc.Choice{{Name: "corp", Label: "Example Corp"}}
}

func (p *fakeProviders) Begin(_ context.Context, name, next string) (oidc.Departure, error) {
	p.next = next
	return oidc.Departure{URL: "https://login.test/auth?state=s", Cookie: oidc.CookieName("s"), Binding: "b"}, p.err
}

func (p *fakeProviders) Finish(_ context.Context, _, binding string, q url.Values) (identity.ExternalIdentity, string, error) {
	if binding != "b" || q.Get("code") != "c" {
		return identity.ExternalIdentity{}, "/", oidc.ErrExpired
	}
	return identity.ExternalIdentity{Source: "oidc:corp", Subject: "1", Name: "carol"}, p.next, p.err
}

func TestProviderByAPI(t *testing.T) {
	p := &fakeProviders{}
	f := newFixture(t, func(o *Options) { o.SignInProviders = p })
	b := f.browser()
	res := b.ask("GET", "/sign-in/oidc/corp?next=%2Frecordings", "", nil)
	require.Equal(t, 302, res.StatusCode)
	require.Equal(t, "https://login.test/auth?state=s", res.Header.Get("Location"))
	require.Equal(t, http.SameSiteLaxMode, res.Cookies()[0].SameSite, "the browser comes back from another site")
	res = f.browser().ask("GET", "/sign-in/oidc/corp/callback?state=s&code=c", "", nil)
	require.Equal(t, "/sign-in?error=sign_in_over", res.Header.Get("Location"), "another browser")
	res = b.ask("GET", "/sign-in/oidc/corp/callback?state=s&code=c", "", nil)
	require.Equal(t, "/recordings", res.Header.Get("Location"))
	require.NotContains(t, b.cookies, oidc.CookieName("s"))
	require.Equal(t, 200, b.ask("GET", "/me", "", nil).StatusCode)

	for err, code := range map[error]string{
		oidc.ErrUnreachable: "provider_unreachable", oidc.ErrRefused: "provider_refused", oidc.ErrCancelled: "provider_cancelled",
		oidc.ErrNotAllowed: "provider_not_allowed", errBroken: "internal",
	} {
		p.err = nil
		b := f.browser()
		b.ask("GET", "/sign-in/oidc/corp", "", nil)
		p.err = err
		res := b.ask("GET", "/sign-in/oidc/corp/callback?state=s&code=c", "", nil)
		require.Equal(t, "/sign-in?error="+code, res.Header.Get("Location"))
	}
}
