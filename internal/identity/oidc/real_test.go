package oidc

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed/openid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "https://vitrine.test"

// book is a table of ceremonies in memory.
type book struct {
	mu    sync.Mutex
	pages map[string]store.Ceremony
}

func (b *book) Put(_ context.Context, c store.Ceremony, _ time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages[c.ID] = c
	return nil
}

func (b *book) Take(_ context.Context, id string, now time.Time) (store.Ceremony, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.pages[id]
	delete(b.pages, id)
	if !ok || !now.Before(c.ExpiresAt) {
		return store.Ceremony{}, store.ErrNotFound
	}
	return c, nil
}

// real is a provider of zitadel/oidc that can stop and come back.
type real struct {
	t       *testing.T
	address string
	server  *http.Server
	done    chan struct{}
}

func (r *real) start() {
	l, err := net.Listen("tcp", r.address)
	require.NoError(r.t, err)
	r.address = l.Addr().String()
	r.server = &http.Server{Handler: openid.Handler(r.issuer(), openid.People(), origin+"/api/v1/sign-in/oidc/corp/callback")}
	r.done = make(chan struct{})
	go func() { // ends with stop
		defer close(r.done)
		_ = r.server.Serve(l)
	}()
}

func (r *real) stop() {
	_ = r.server.Close()
	<-r.done
}

func (r *real) issuer() string {
	_, port, _ := net.SplitHostPort(r.address)
	return "http://localhost:" + port
}

func newReal(t *testing.T) *real {
	r := &real{t: t, address: "127.0.0.1:0"}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *real) config() config.OIDC {
	cfg := config.Identity{OIDC: []config.OIDC{{
		Name: "corp", Issuer: r.issuer(), ClientID: openid.ClientID, ClientSecret: config.NewSecret(openid.ClientSecret),
		Mapping: config.Mapping{Roles: []string{"user"}, Rules: []config.MappingRule{{Group: "operators", Roles: []string{"supervisor"}}}},
	}}}
	o := &cfg.OIDC[0]
	o.Scopes, o.ClockSkew = []string{"openid", "profile", "email"}, time.Minute
	o.Claims = config.OIDCClaims{Username: "preferred_username", DisplayName: "name", Email: "email", Groups: "groups"}
	return *o
}

// providers returns Providers of one, and lets go of connections at the end.
func providers(t *testing.T, cfg config.OIDC, opts Options) *Providers {
	t.Helper()
	ps, err := New([]config.OIDC{cfg}, origin, &book{pages: map[string]store.Ceremony{}}, opts)
	require.NoError(t, err)
	t.Cleanup(ps.Close)
	return ps
}

// browse signs in at the provider's form as a person would, and returns the parameters it sends the browser back with.
func browse(t *testing.T, to, name string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), origin) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := client.Get(to)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	form := url.Values{"id": {res.Request.URL.Query().Get("authRequestID")}, "username": {name}, "password": {openid.Password}}
	res, err = client.PostForm(res.Request.URL.Scheme+"://"+res.Request.URL.Host+"/login/username", form)
	require.NoError(t, err)
	res.Body.Close()
	back, err := res.Location()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(back.String(), origin+"/api/v1/sign-in/oidc/corp/callback?"), back)
	return back.Query()
}

func TestRealProvider(t *testing.T) {
	r := newReal(t)
	ps := providers(t, r.config(), Options{})
	ctx := t.Context()
	d, err := ps.Begin(ctx, "corp", "/recordings?q=1")
	require.NoError(t, err)
	u, err := url.Parse(d.URL)
	require.NoError(t, err)
	require.Equal(t, "S256", u.Query().Get("code_challenge_method"))
	require.NotEmpty(t, u.Query().Get("nonce"))
	answer := browse(t, d.URL, "carol")
	require.Equal(t, d.Cookie, CookieName(answer.Get("state")))

	who, next, err := ps.Finish(ctx, "corp", d.Binding, answer)
	require.NoError(t, err)
	require.Equal(t, "/recordings?q=1", next)
	require.Equal(t, identity.ExternalIdentity{
		Source: "oidc:corp", Subject: "id-carol", Name: "carol", DisplayName: "Carol Jones", Email: "carol@example.org",
		Groups: []string{"everyone", "operators"},
		Mapping: identity.Mapping{
			Roles: []policy.Role{policy.Member}, Rules: []identity.MappingRule{{Group: "operators", Roles: []policy.Role{policy.Supervisor}}},
		},
	}, who)

	_, _, err = ps.Finish(ctx, "corp", d.Binding, answer)
	require.ErrorIs(t, err, ErrExpired, "replayed state")

	t.Run("a code used before", func(t *testing.T) {
		other, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		u, err := url.Parse(other.URL)
		require.NoError(t, err)
		_, _, err = ps.Finish(ctx, "corp", other.Binding, url.Values{"state": {u.Query().Get("state")}, "code": {answer.Get("code")}})
		require.ErrorIs(t, err, ErrRefused)
	})
	t.Run("a code of another flow", func(t *testing.T) { // PKCE: the verifier does not fit
		victim, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		stolen := browse(t, victim.URL, "carol")
		own, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		u, err := url.Parse(own.URL)
		require.NoError(t, err)
		_, _, err = ps.Finish(ctx, "corp", own.Binding, url.Values{"state": {u.Query().Get("state")}, "code": {stolen.Get("code")}})
		require.ErrorIs(t, err, ErrRefused)
	})
	t.Run("another browser", func(t *testing.T) {
		d, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		answer := browse(t, d.URL, "carol")
		for _, binding := range []string{"", "x"} {
			_, _, err = ps.Finish(ctx, "corp", binding, answer)
			require.ErrorIs(t, err, ErrExpired)
		}
		_, _, err = ps.Finish(ctx, "corp", d.Binding, answer)
		require.ErrorIs(t, err, ErrExpired, "and the flow is over")
	})
	t.Run("an address that is not verified", func(t *testing.T) {
		d, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		who, _, err := ps.Finish(ctx, "corp", d.Binding, browse(t, d.URL, "dave"))
		require.NoError(t, err)
		require.Empty(t, who.Email)
	})
	t.Run("allowed domains", func(t *testing.T) {
		cfg := r.config()
		cfg.AllowedDomains = []string{"EXAMPLE.org"}
		ps := providers(t, cfg, Options{})
		for name, want := range map[string]error{"carol": nil, "dave": ErrNotAllowed} {
			d, err := ps.Begin(ctx, "corp", "/")
			require.NoError(t, err)
			_, _, err = ps.Finish(ctx, "corp", d.Binding, browse(t, d.URL, name))
			require.ErrorIs(t, err, want, name)
		}
	})
	t.Run("too late", func(t *testing.T) {
		now := time.Now()
		ps := providers(t, r.config(), Options{Now: func() time.Time { return now }})
		d, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		answer := browse(t, d.URL, "carol")
		now = now.Add(FlowLifetime)
		_, _, err = ps.Finish(ctx, "corp", d.Binding, answer)
		require.ErrorIs(t, err, ErrExpired)
	})
	t.Run("cancelled", func(t *testing.T) {
		d, err := ps.Begin(ctx, "corp", "/")
		require.NoError(t, err)
		u, err := url.Parse(d.URL)
		require.NoError(t, err)
		_, _, err = ps.Finish(ctx, "corp", d.Binding, url.Values{
			"state": {u.Query().Get("state")}, "error": {"access_denied"}, "error_description": {strings.Repeat("no\n", 1000)},
		})
		require.ErrorIs(t, err, ErrCancelled)
		require.Less(t, len(err.Error()), 500)
		require.NotContains(t, err.Error(), "\n")
	})
	t.Run("unknown provider", func(t *testing.T) {
		_, err := ps.Begin(ctx, "nobody", "/")
		require.ErrorIs(t, err, ErrUnknown)
		_, _, err = ps.Finish(ctx, "nobody", "", nil)
		require.ErrorIs(t, err, ErrUnknown)
	})
}

// TestProviderComesAndGoes: a provider that is down at first is found later, one that comes back with other keys is believed.
func TestProviderComesAndGoes(t *testing.T) {
	r := newReal(t)
	r.stop()
	now := time.Now()
	ps := providers(t, r.config(), Options{Now: func() time.Time { return now }})
	ctx := t.Context()
	for range 3 {
		_, err := ps.Begin(ctx, "corp", "/")
		require.ErrorIs(t, err, ErrUnreachable)
	}
	r.start()
	_, err := ps.Begin(ctx, "corp", "/")
	require.ErrorIs(t, err, ErrUnreachable, "it is not asked all the time")
	now = now.Add(retryWait)
	d, err := ps.Begin(ctx, "corp", "/")
	require.NoError(t, err)
	_, _, err = ps.Finish(ctx, "corp", d.Binding, browse(t, d.URL, "carol"))
	require.NoError(t, err)

	r.stop()
	r.start() // with other keys
	d, err = ps.Begin(ctx, "corp", "/")
	require.NoError(t, err)
	who, _, err := ps.Finish(ctx, "corp", d.Binding, browse(t, d.URL, "carol"))
	require.NoError(t, err, "keys are fetched anew when one is not known")
	require.Equal(t, "id-carol", who.Subject)

	d, err = ps.Begin(ctx, "corp", "/")
	require.NoError(t, err)
	answer := browse(t, d.URL, "carol")
	r.stop()
	_, _, err = ps.Finish(ctx, "corp", d.Binding, answer)
	require.ErrorIs(t, err, ErrUnreachable, "gone in between")
	now = now.Add(2 * rediscoverWait)
	_, err = ps.Begin(ctx, "corp", "/")
	require.NoError(t, err, "what was found holds while it cannot be looked up again")
	r.start()
}

// TestSlowProvider: who waits for a provider can leave, and the next one asks it again.
func TestSlowProvider(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer l.Close()
	r := &real{t: t, address: l.Addr().String()}
	ps := providers(t, r.config(), Options{})
	for i := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = ps.Begin(ctx, "corp", "/")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, fmt.Sprint(i))
	}
}
