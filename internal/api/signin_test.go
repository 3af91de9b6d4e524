package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func signInBody(name, password string) string {
	return `{"username":"` + name + `","password":"` + password + `"}`
}

func TestSignInCookie(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Options)
		secure bool
	}{
		{"plain", func(*Options) {}, false},
		{"TLS", func(o *Options) { o.TLS = true }, true},
		{"TLS at a proxy", func(o *Options) { o.PublicURL = "https://vitrine.test" }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, tc.change)
			res := f.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("alice", password)})
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Len(t, res.Cookies(), 1)
			c := res.Cookies()[0]
			require.Equal(t, cookieOf(tc.secure), c.Name)
			require.Equal(t, tc.secure, strings.HasPrefix(c.Name, "__Host-"))
			require.True(t, c.HttpOnly)
			require.Equal(t, http.SameSiteStrictMode, c.SameSite)
			require.Equal(t, tc.secure, c.Secure)
			require.Equal(t, "/", c.Path)
			require.Greater(t, c.MaxAge, 3600)
			require.Equal(t, tc.secure, res.Header.Get("Strict-Transport-Security") != "")

			f.cookie = c
			require.Equal(t, 200, f.do(request{method: "GET", path: "/api/v1/me"}).StatusCode)
			res = f.do(request{method: "POST", path: "/api/v1/sign-out"})
			require.Equal(t, 204, res.StatusCode)
			require.Negative(t, res.Cookies()[0].MaxAge)
			res = f.do(request{method: "GET", path: "/api/v1/me"})
			require.Equal(t, 401, res.StatusCode)
			require.Negative(t, res.Cookies()[0].MaxAge, "a dead cookie is removed")
			require.NotContains(t, f.log.String(), c.Value)
			require.NotContains(t, f.log.String(), password)
		})
	}
}

func TestSignInRotatesTheCookie(t *testing.T) {
	f := newFixture(t).signIn()
	old := f.cookie
	f.signIn()
	require.NotEqual(t, old.Value, f.cookie.Value)
	f.cookie = old
	require.Equal(t, 401, f.do(request{method: "GET", path: "/api/v1/me"}).StatusCode)
}

func TestSignInRefused(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"wrong password", signInBody("alice", "wrong"), 401, "sign_in_failed"},
		{"unknown name", signInBody("mallory", password), 401, "sign_in_failed"},
		{"no name", signInBody("", password), 400, "request_invalid"},
		{"no password", `{"username":"alice"}`, 400, "request_invalid"},
		{"endless password", signInBody("alice", strings.Repeat("p4ss", 300)), 400, "request_invalid"},
		{"password as a number", `{"username":"alice","password":123456789}`, 400, "request_invalid"},
		{"empty", ``, 400, "request_invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			res := f.do(request{method: "POST", path: "/api/v1/sign-in", body: tc.body})
			body := bodyOf(t, res)
			require.Equal(t, tc.status, res.StatusCode, body)
			requireProblem(t, res, body, tc.code)
			require.Empty(t, res.Cookies())
			require.NotContains(t, body+f.log.String(), "p4ssp4ss", "what was sent is never quoted")
			require.NotContains(t, body+f.log.String(), "123456789")
		})
	}
}

func TestSignInThrottled(t *testing.T) {
	f := newFixture(t)
	var res *http.Response
	for range 6 {
		res = f.do(request{method: "POST", path: "/api/v1/sign-in", body: signInBody("alice", "wrong")})
	}
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, wait)
	requireProblem(t, res, bodyOf(t, res), "sign_in_throttled")
}

func TestCrossOrigin(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.PublicURL = "https://vitrine.test" }).signIn()
	for _, tc := range []struct {
		name   string
		header http.Header
		method string
		path   string
		want   int
	}{
		{"same origin", http.Header{"Sec-Fetch-Site": {"same-origin"}}, "POST", "/api/v1/sessions/" + runningID + "/terminate", 204},
		{"no browser", nil, "POST", "/api/v1/sessions/" + runningID + "/terminate", 204},
		{"the public origin", http.Header{"Origin": {"https://vitrine.test"}}, "POST", "/api/v1/sessions/" + runningID + "/terminate", 204},
		{"another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "POST", "/api/v1/sessions/" + runningID + "/terminate", 403},
		{"another site, old browser", http.Header{"Origin": {"https://evil.test"}}, "POST", "/api/v1/sessions/" + runningID + "/terminate", 403},
		{"another site signs in", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "POST", "/api/v1/sign-in", 403},
		{"a link from another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "GET", "/", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.sessions.calls = nil
			res := f.do(request{method: tc.method, path: tc.path, header: tc.header})
			require.Equal(t, tc.want, res.StatusCode)
			if tc.want == 403 {
				requireProblem(t, res, bodyOf(t, res), "cross_origin")
				require.Empty(t, f.sessions.calls)
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/", "/api/v1/me", "/api/nothing", "/healthz", "/assets/app-1a2.js"} {
		h := f.do(request{method: "GET", path: path}).Header
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'", path)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe")
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "DENY", h.Get("X-Frame-Options"), path)
		require.NotEmpty(t, h.Get("X-Request-Id"), path)
	}
}

type panicking struct{ Targets }

func TestPanic(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Targets = panicking{} }).signIn()
	res := f.do(request{method: "GET", path: "/api/v1/targets"})
	require.Equal(t, 500, res.StatusCode)
	requireProblem(t, res, bodyOf(t, res), "internal")
	require.Contains(t, f.log.String(), "panic in a handler")
	require.Contains(t, f.log.String(), "stack=")
	require.Contains(t, f.log.String(), res.Header.Get("X-Request-Id"))
}

func TestCausesAreInTheLogOnly(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.err = errBroken
	res := f.do(request{method: "GET", path: "/api/v1/sessions"})
	requireProblem(t, res, bodyOf(t, res), "internal")
	require.Contains(t, f.log.String(), errBroken.Error())
	require.Contains(t, f.log.String(), "level=ERROR")
	require.True(t, errors.Is(errorOf(errBroken), errBroken))
}
