package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServeDrains: a request under way when the server is told to stop is answered.
func TestServeDrains(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.block = make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, Listener{Listener: l}, f.server, slog.New(slog.DiscardHandler)) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	answered := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/api/v1/sessions", strings.NewReader(`{"target_id":"desk"}`))
		if err != nil {
			answered <- 0
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.AddCookie(f.cookie)
		res, err := client.Do(req)
		if err != nil {
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	require.Eventually(t, func() bool {
		f.sessions.mu.Lock()
		defer f.sessions.mu.Unlock()
		return len(f.sessions.calls) > 0
	}, waitLong, tick)
	stop()
	close(f.sessions.block)
	require.Equal(t, http.StatusCreated, <-answered)
	require.NoError(t, <-served)
	_, err = net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}

// TestCallerLeaves: a caller who goes away cancels what they asked for, and nothing is logged as an error.
func TestCallerLeaves(t *testing.T) {
	f := newFixture(t).signIn()
	f.sessions.block = make(chan struct{})
	ctx, leave := context.WithCancelCause(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/sessions", strings.NewReader(`{"target_id":"desk"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.AddCookie(f.cookie)
	req.RemoteAddr = "192.0.2.1:1"
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.server.ServeHTTP(&discard{header: http.Header{}}, req)
	}()
	require.Eventually(t, func() bool {
		f.sessions.mu.Lock()
		defer f.sessions.mu.Unlock()
		return len(f.sessions.calls) > 0
	}, waitLong, tick)
	leave(context.Canceled)
	<-done
	require.NotContains(t, f.log.String(), "level=ERROR")
}

func TestServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	err = Serve(t.Context(), Listener{Listener: l}, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.True(t, errors.Is(err, net.ErrClosed), err)
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
