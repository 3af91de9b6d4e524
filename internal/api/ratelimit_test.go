package api

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter("things", 60, 10*time.Second)
	for range 10 {
		require.NoError(t, l.take("a", now))
	}
	var limited *LimitedError
	for range 3 { // asking in vain does not make it longer
		require.ErrorAs(t, l.take("a", now), &limited)
		require.Equal(t, time.Second, limited.RetryAfter)
	}
	require.NoError(t, l.take("b", now))
	require.NoError(t, l.take("a", now.Add(limited.RetryAfter)))
	require.Error(t, l.take("a", now.Add(limited.RetryAfter)))

	require.NoError(t, newLimiter("things", 0, time.Minute).take("a", now), "0 is no limit")
	rare := newLimiter("things", 1, time.Second)
	require.NoError(t, rare.take("a", now), "a limit lets at least one pass")
	require.Error(t, rare.take("a", now))
}

// TestLimiterIsBounded: a flood of keys costs no more memory than the bound, and does not free those who are limited.
func TestLimiterIsBounded(t *testing.T) {
	now := time.Now()
	l := newLimiter("things", 6000, time.Second)
	for i := range 2 * maxLimited {
		now = now.Add(time.Microsecond)
		require.NoError(t, l.take(strconv.Itoa(i), now))
	}
	require.LessOrEqual(t, len(l.entries), maxLimited)
	now = now.Add(time.Minute)
	for range 100 {
		require.NoError(t, l.take("busy", now))
	}
	for i := range maxLimited {
		_ = l.take(fmt.Sprint("later ", i), now.Add(10*time.Millisecond))
	}
	require.LessOrEqual(t, len(l.entries), maxLimited)
}

func TestSourceKey(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "",
	} {
		require.Equal(t, want, sourceKey(address))
	}
}

func TestConnectIsLimited(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits = Limits{Connects: 2} }).signIn()
	connect := request{method: "POST", path: "/api/v1/sessions", body: `{"target_id":"desk"}`}
	for range 2 {
		require.Equal(t, http.StatusCreated, f.do(connect).StatusCode)
	}
	res := f.do(connect)
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.Contains(t, bodyOf(t, res), "rate_limited")
	wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 30, wait, 1)
	require.Equal(t, 2, f.sessions.count("create"))

	f = newFixture(t, func(o *Options) { o.Limits = Limits{SourceConnects: 1} }).signIn()
	require.Equal(t, http.StatusCreated, f.do(connect).StatusCode)
	res = f.do(connect)
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.Contains(t, bodyOf(t, res), "from your address")
}

func TestRequestsOfAPersonAreLimited(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits = Limits{Requests: 18} }).signIn()
	me := request{method: "GET", path: "/api/v1/me"}
	for range 3 {
		require.Equal(t, http.StatusOK, f.do(me).StatusCode)
	}
	res := f.do(me)
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Equal(t, http.StatusTooManyRequests, f.do(request{method: "GET", path: "/api/v1/targets"}).StatusCode)
	f.signIn() // what is open to all is not the person's
}
