package api

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func gunzip(t *testing.T, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(b)
}

func TestConsole(t *testing.T) {
	f := newFixture(t)
	const script = "/assets/app-1a2.js"
	for _, tc := range []struct {
		name, path string
		header     http.Header
		status     int
		kind       string
		cache      string
		gzip       bool
		has        string
	}{
		{"index", "/", nil, 200, "text/html; charset=utf-8", "no-store", false, "console"},
		{"an address of the console's own", "/sessions/01X", nil, 200, "text/html; charset=utf-8", "no-store", false, "console"},
		{"hashed", script, nil, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", false, "export"},
		{"hashed, compressed", script, http.Header{"Accept-Encoding": {"gzip, deflate"}}, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", true, "export"},
		{"gzip refused", script, http.Header{"Accept-Encoding": {"gzip;q=0, br"}}, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", false, "export"},
		{"not hashed", "/favicon.svg", nil, 200, "image/svg+xml", "no-cache", false, "<svg/>"},
		{"hashed, gone", "/assets/app-old.js", nil, 404, "application/problem+json", "no-store", false, "not_found"},
		{"no such file", "/robots.txt", nil, 404, "application/problem+json", "no-store", false, "not_found"},
		{"hidden file", "/.gitkeep", nil, 404, "application/problem+json", "no-store", false, "not_found"},
		{"climbing", "/../../etc/passwd", nil, 200, "text/html; charset=utf-8", "no-store", false, "console"},
		{"API typo is no page", "/api/v2/me", nil, 404, "application/problem+json", "no-store", false, "not_found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := f.do(request{method: "GET", path: tc.path, header: tc.header})
			require.Equal(t, tc.status, res.StatusCode)
			require.Equal(t, tc.kind, res.Header.Get("Content-Type"))
			require.Equal(t, tc.cache, res.Header.Get("Cache-Control"))
			body := bodyOf(t, res)
			require.Equal(t, tc.gzip, res.Header.Get("Content-Encoding") == "gzip")
			if tc.gzip {
				require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
				body = gunzip(t, body)
			}
			require.Contains(t, body, tc.has)
		})
	}
}

func TestConsoleRevalidates(t *testing.T) {
	f := newFixture(t)
	tag := f.do(request{method: "GET", path: "/favicon.svg"}).Header.Get("ETag")
	res := f.do(request{method: "GET", path: "/favicon.svg", header: http.Header{"If-None-Match": {tag}}})
	require.Equal(t, http.StatusNotModified, res.StatusCode)
	require.Equal(t, 200, f.do(request{method: "HEAD", path: "/"}).StatusCode)
	require.Equal(t, 405, f.do(request{method: "POST", path: "/"}).StatusCode)
}

func TestConsoleNotBuilt(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Console = fstest.MapFS{".gitkeep": {}} })
	res := f.do(request{method: "GET", path: "/"})
	require.Equal(t, 503, res.StatusCode)
	require.Contains(t, bodyOf(t, res), "make build")
}

func TestHealth(t *testing.T) {
	broken := errors.New("database gone")
	f := newFixture(t, func(o *Options) { o.Ready = func(context.Context) error { return broken } })
	require.Equal(t, 200, f.do(request{method: "GET", path: "/healthz"}).StatusCode)
	res := f.do(request{method: "GET", path: "/readyz"})
	require.Equal(t, 503, res.StatusCode)
	require.NotContains(t, bodyOf(t, res), "database gone")
	broken = nil
	require.Equal(t, 200, f.do(request{method: "GET", path: "/readyz"}).StatusCode)
}
