package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
)

// hostile is a provider that says what a test wants.
type hostile struct {
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey
	// change is given the claims before they are signed.
	change func(claims map[string]any)
	// sign signs them; nil: as announced.
	sign func(claims []byte) string
	// tokens answers at the token endpoint instead, when set.
	tokens http.HandlerFunc
	info   map[string]any // userinfo; nil: there is none
	nonce  string
}

// Keys of the provider and of somebody else. Making them takes long.
var ownKey, otherKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func newHostile(t *testing.T) *hostile {
	key := ownKey()
	h := &hostile{t: t, key: key}
	mux := http.NewServeMux()
	h.server = httptest.NewServer(mux)
	t.Cleanup(h.server.Close)
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		d := map[string]any{
			"issuer": h.server.URL, "authorization_endpoint": h.server.URL + "/auth", "token_endpoint": h.server.URL + "/token",
			"jwks_uri": h.server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		}
		if h.info != nil {
			d["userinfo_endpoint"] = h.server.URL + "/info"
		}
		answer(w, d)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { answer(w, h.info) })
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if h.tokens != nil {
			h.tokens(w, r)
			return
		}
		if r.FormValue("client_id") != "vitrine" || r.FormValue("client_secret") != "s3cret" || r.FormValue("code_verifier") == "" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": h.token()})
	})
	return h
}

func (h *hostile) token() string {
	now := time.Now()
	c := map[string]any{
		"iss": h.server.URL, "sub": "s", "aud": "vitrine", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": h.nonce,
		"preferred_username": "mallory", "email": "m@example.org", "email_verified": true, "groups": []string{"g"},
	}
	if h.change != nil {
		h.change(c)
	}
	raw, err := json.Marshal(c)
	require.NoError(h.t, err)
	if h.sign != nil {
		return h.sign(raw)
	}
	return h.signed(jose.RS256, h.key, raw)
}

func (h *hostile) signed(alg jose.SignatureAlgorithm, key any, claims []byte) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	require.NoError(h.t, err)
	jws, err := s.Sign(claims)
	require.NoError(h.t, err)
	text, err := jws.CompactSerialize()
	require.NoError(h.t, err)
	return text
}

func (h *hostile) config() config.OIDC {
	return config.OIDC{
		Name: "corp", Issuer: h.server.URL, ClientID: "vitrine", ClientSecret: config.NewSecret("s3cret"), Scopes: []string{"openid"},
		Claims:    config.OIDCClaims{Username: "preferred_username", DisplayName: "name", Email: "email", Groups: "groups"},
		ClockSkew: time.Minute, MFA: []string{"mfa", "urn:strong"},
	}
}

// signIn goes through a flow.
func (h *hostile) signIn(cfg config.OIDC, answer ...string) (identity.ExternalIdentity, error) {
	ps := providers(h.t, cfg, Options{})
	d, err := ps.Begin(h.t.Context(), "corp", "/")
	require.NoError(h.t, err)
	u, err := url.Parse(d.URL)
	require.NoError(h.t, err)
	h.nonce = u.Query().Get("nonce")
	q := url.Values{"state": {u.Query().Get("state")}, "code": {"c"}}
	for i := 0; i < len(answer); i += 2 {
		q.Set(answer[i], answer[i+1])
	}
	who, _, err := ps.Finish(h.t.Context(), "corp", d.Binding, q)
	return who, err
}

func TestHostileTokens(t *testing.T) {
	unsigned := func(header string) func([]byte) string {
		return func(claims []byte) string {
			return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
		}
	}
	set := func(name string, v any) func(map[string]any) { return func(c map[string]any) { c[name] = v } }
	many := make([]string, maxGroups+1)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	for _, tc := range []struct {
		name   string
		change func(map[string]any)
		sign   func(h *hostile) func([]byte) string
		answer []string
		why    string
	}{
		{name: "another nonce", change: set("nonce", "other"), why: "its nonce is another"},
		{name: "no nonce", change: set("nonce", nil), why: "its nonce is another"},
		{name: "another client's", change: set("aud", "somebody"), why: "audience"},
		{name: "for several, issued to another", change: func(c map[string]any) { c["aud"], c["azp"] = []string{"vitrine", "other"}, "other" }, why: "issued to another client"},
		{name: "for several, issued to nobody", change: set("aud", []string{"vitrine", "other"}), why: "issued to another client"},
		{name: "another issuer", change: set("iss", "https://elsewhere.test"), why: "different provider"},
		{name: "answer of another issuer", answer: []string{"iss", "https://elsewhere.test"}, why: "the answer is of"},
		{name: "expired", change: set("exp", time.Now().Add(-2*time.Minute).Unix()), why: "it expired"},
		{name: "issued in the future", change: set("iat", time.Now().Add(2*time.Minute).Unix()), why: "which is to come"},
		{name: "not valid yet", change: set("nbf", time.Now().Add(2*time.Minute).Unix()), why: "not valid yet"},
		{name: "never expires", change: set("exp", nil), why: "failed to unmarshal"},
		{name: "no end", change: func(c map[string]any) { delete(c, "exp") }, why: "it expired"},
		{name: "nobody", change: set("sub", ""), why: "it names nobody"},
		{name: "an endless subject", change: set("sub", strings.Repeat("s", 256)), why: "it names nobody"},
		{name: "alg none", sign: func(*hostile) func([]byte) string { return unsigned(`{"alg":"none"}`) }, why: "malformed jwt"},
		{name: "alg None", sign: func(*hostile) func([]byte) string { return unsigned(`{"alg":"None","kid":"k"}`) }, why: "malformed jwt"},
		{name: "signed with the public key as a secret", sign: func(h *hostile) func([]byte) string {
			return func(c []byte) string { return h.signed(jose.HS256, h.key.N.Bytes(), c) }
		}, why: "malformed jwt"},
		{name: "signed with the client's secret", sign: func(h *hostile) func([]byte) string {
			return func(c []byte) string { return h.signed(jose.HS256, []byte(strings.Repeat("s3cret", 6)), c) }
		}, why: "malformed jwt"},
		{name: "signed by another key of that id", sign: func(h *hostile) func([]byte) string {
			return func(c []byte) string { return h.signed(jose.RS256, otherKey(), c) }
		}, why: "verify signature"},
		{name: "changed after signing", sign: func(h *hostile) func([]byte) string {
			return func(c []byte) string {
				parts := strings.Split(h.signed(jose.RS256, h.key, c), ".")
				parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(c), "mallory", "administrator", 1)))
				return strings.Join(parts, ".")
			}
		}, why: "verify signature"},
		{name: "not a token", sign: func(*hostile) func([]byte) string { return func([]byte) string { return "x" } }, why: "malformed jwt"},
		{name: "too many groups", change: set("groups", many), why: "more than 1000"},
		{name: "groups that are no names", change: set("groups", []any{1, 2}), why: "not a list of names"},
		{name: "groups that are an object", change: set("groups", map[string]any{"a": 1}), why: "not a list of names"},
		{name: "groups kept elsewhere", change: func(c map[string]any) {
			delete(c, "groups")
			c["_claim_names"], c["_claim_sources"] = map[string]string{"groups": "s"}, map[string]any{"s": map[string]string{"endpoint": "https://x.test"}}
		}, why: "too large for the provider to tell"},
		{name: "no code", answer: []string{"code", ""}, why: "has no code"},
		{name: "an endless code", answer: []string{"code", strings.Repeat("c", maxCodeBytes+1)}, why: "has no code"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHostile(t)
			h.change = tc.change
			if tc.sign != nil {
				h.sign = tc.sign(h)
			}
			_, err := h.signIn(h.config(), tc.answer...)
			require.ErrorIs(t, err, ErrRefused)
			require.ErrorContains(t, err, tc.why)
		})
	}
}

func TestClaims(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(map[string]any)
		cfg    func(*config.OIDC)
		check  func(t *testing.T, who identity.ExternalIdentity)
	}{
		{"a clock a little behind", func(c map[string]any) { c["exp"] = time.Now().Add(-30 * time.Second).Unix() }, nil, func(*testing.T, identity.ExternalIdentity) {}},
		{"a clock a little ahead", func(c map[string]any) { c["iat"] = time.Now().Add(30 * time.Second).Unix() }, nil, func(*testing.T, identity.ExternalIdentity) {}},
		{"a second factor by amr", func(c map[string]any) { c["amr"] = []string{"pwd", "mfa"} }, nil, func(t *testing.T, who identity.ExternalIdentity) { require.True(t, who.MFA) }},
		{"a second factor by acr", func(c map[string]any) { c["acr"] = "urn:strong" }, nil, func(t *testing.T, who identity.ExternalIdentity) { require.True(t, who.MFA) }},
		{"a password alone", func(c map[string]any) { c["amr"], c["acr"] = []any{"pwd", 7}, 1 }, nil, func(t *testing.T, who identity.ExternalIdentity) { require.False(t, who.MFA) }},
		{"nothing counts unless configured", func(c map[string]any) { c["amr"] = []string{"mfa"} }, func(o *config.OIDC) { o.MFA = nil }, func(t *testing.T, who identity.ExternalIdentity) { require.False(t, who.MFA) }},
		{"an address not verified", func(c map[string]any) { c["email_verified"] = false }, nil, func(t *testing.T, who identity.ExternalIdentity) { require.Empty(t, who.Email) }},
		{"verified as text", func(c map[string]any) { c["email_verified"] = "true" }, nil, func(t *testing.T, who identity.ExternalIdentity) {
			require.Equal(t, "m@example.org", who.Email)
		}},
		{"no name", func(c map[string]any) { delete(c, "preferred_username") }, nil, func(t *testing.T, who identity.ExternalIdentity) {
			require.Equal(t, "m@example.org", who.Name)
		}},
		{"control characters", func(c map[string]any) {
			c["preferred_username"], c["name"], c["email"], c["groups"] = "a\x00b", "c\nd", "e\rf", []string{"ok", "g\x1b[31m", ""}
		}, nil, func(t *testing.T, who identity.ExternalIdentity) {
			require.Equal(t, "s", who.Name)
			require.Empty(t, who.DisplayName+who.Email)
			require.Equal(t, []string{"ok"}, who.Groups)
		}},
		{"one group as text", func(c map[string]any) { c["groups"] = "only" }, nil, func(t *testing.T, who identity.ExternalIdentity) {
			require.Equal(t, []string{"only"}, who.Groups)
		}},
		{"claims within claims", func(c map[string]any) {
			c["realm_access"] = map[string]any{"roles": []string{"b", "a", "b"}}
		}, func(o *config.OIDC) { o.Claims.Groups = "realm_access.roles" }, func(t *testing.T, who identity.ExternalIdentity) {
			require.Equal(t, []string{"a", "b"}, who.Groups)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHostile(t)
			h.change = tc.change
			cfg := h.config()
			if tc.cfg != nil {
				tc.cfg(&cfg)
			}
			who, err := h.signIn(cfg)
			require.NoError(t, err)
			tc.check(t, who)
		})
	}
}

func TestHostileAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tokens http.HandlerFunc
		want   error
	}{
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			chunk := []byte(strings.Repeat(" ", 64<<10))
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, ErrUnreachable},
		{"an error with a long story", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, strings.Repeat("because\n", 1000))
		}, ErrRefused},
		{"an error without any", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, ErrUnreachable},
		{"no id_token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"a","token_type":"Bearer"}`)
		}, ErrRefused},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }, ErrUnreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHostile(t)
			h.tokens = tc.tokens
			_, err := h.signIn(h.config())
			require.ErrorIs(t, err, tc.want)
			require.Less(t, len(err.Error()), 1000)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
	t.Run("userinfo about somebody else", func(t *testing.T) {
		h := newHostile(t)
		h.change = func(c map[string]any) { delete(c, "groups") }
		h.info = map[string]any{"sub": "another", "groups": []string{"admins"}}
		_, err := h.signIn(h.config())
		require.ErrorIs(t, err, ErrRefused)
	})
	t.Run("userinfo cannot verify an address of the token", func(t *testing.T) {
		h := newHostile(t)
		h.change = func(c map[string]any) { delete(c, "groups"); delete(c, "email_verified") }
		h.info = map[string]any{"sub": "s", "email": "x@y.test", "email_verified": true}
		who, err := h.signIn(h.config())
		require.NoError(t, err)
		require.Empty(t, who.Email)
	})
	t.Run("userinfo cannot change what was signed", func(t *testing.T) {
		h := newHostile(t)
		h.change = func(c map[string]any) { delete(c, "groups") }
		h.info = map[string]any{"sub": "s", "groups": []string{"g"}, "preferred_username": "somebody", "amr": []string{"mfa"}, "email": "x@y.test"}
		who, err := h.signIn(h.config())
		require.NoError(t, err)
		require.Equal(t, "mallory", who.Name)
		require.False(t, who.MFA)
		require.Equal(t, []string{"g"}, who.Groups)
	})
}

func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"/recordings?a=b#c": "/recordings?a=b#c", "": "/", "//evil.test": "/", `/\evil.test`: "/", "https://evil.test": "/", "javascript:alert(1)": "/",
		"/sign-in?next=/": "/", "/api/v1/sign-out": "/", "/a\nb": "/", "/%zz": "/", "/" + strings.Repeat("a", maxNextBytes): "/", "evil": "/",
	} {
		require.Equal(t, want, LocalPath(next), next)
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/a", "//a", `/\a`, "/a?b=//c", "/\t/evil.test"} {
		f.Add(s)
	}
	base, err := url.Parse(origin)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, next string) {
		u, err := base.Parse(LocalPath(next))
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
			t.Fatalf("%q leads to %v, %v", next, u, err)
		}
	})
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"sub":"s","groups":["a"],"a.b":1,"a":{"b":["c"]},"email":"x@y","email_verified":true}`), "groups")
	f.Add([]byte(`{"_claim_names":{"a":"b"},"amr":[1]}`), "a.b.c")
	p := &provider{cfg: config.OIDC{Name: "x", MFA: []string{"mfa"}}, log: nil}
	f.Fuzz(func(t *testing.T, raw []byte, path string) {
		c := claims{}
		if json.Unmarshal(raw, &c) != nil {
			return
		}
		p.cfg.Claims = config.OIDCClaims{Username: path, DisplayName: path, Email: path, Groups: path}
		who, err := p.identity(t.Context(), "s", c)
		if err == nil && (!plain(who.Name) || !plain(who.DisplayName) || len(who.Groups) > maxGroups) {
			t.Fatalf("%+v", who)
		}
	})
}
