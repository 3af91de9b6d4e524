package telemetry

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoggerCarriesRequestID(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := NewLogger(&out, "info", format)
		require.NoError(t, err)
		ctx := WithRequestID(t.Context(), "REQ1")
		log.With("component", "x").WithGroup("g").InfoContext(ctx, "hello", "a", 1)
		require.Contains(t, out.String(), "request_id")
		require.Contains(t, out.String(), "REQ1")
		out.Reset()
		log.Debug("silent")
		log.Info("without context")
		require.NotContains(t, out.String(), "silent")
		require.NotContains(t, out.String(), "request_id")
	}
}

func TestLoggerRefuses(t *testing.T) {
	for _, tc := range [][2]string{{"loud", "text"}, {"info", "xml"}} {
		_, err := NewLogger(&bytes.Buffer{}, tc[0], tc[1])
		require.Error(t, err)
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	require.NotEqual(t, NewRequestID(), NewRequestID())
	require.Empty(t, RequestID(t.Context()))
}

func TestHTTPMetrics(t *testing.T) {
	r := NewRegistry("1.2.3")
	m := NewHTTPMetrics(r)
	scrape := func() string {
		w := httptest.NewRecorder()
		MetricsHandler(r).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	done := m.Begin()
	require.Contains(t, scrape(), "vitrine_http_requests_in_flight 1\n")
	done("GET", "/api/v1/me", 200, time.Millisecond)
	m.Begin()("BREW", "", 405, time.Millisecond)

	out := scrape()
	require.Contains(t, out, "vitrine_http_requests_in_flight 0\n")
	require.Contains(t, out, `vitrine_http_requests_total{method="GET",route="/api/v1/me",status="200"} 1`)
	require.Contains(t, out, `vitrine_http_requests_total{method="other",route="",status="405"} 1`)
	require.Contains(t, out, `vitrine_build_info{version="1.2.3"} 1`)
	require.Contains(t, out, "go_goroutines")
}
