package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// Listener is where Serve takes connections.
type Listener struct {
	net.Listener
	TLS *tls.Config // nil: plain HTTP
}

// Serve answers HTTP on l until ctx ends, then lets what is under way finish for a while. It closes l.
func Serve(ctx context.Context, l Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		TLSConfig:         l.TLS,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // failed handshakes and the like: the callers' faults
	}
	served := make(chan error, 1) // capacity 1: the goroutine never waits for us
	go func() {
		if l.TLS != nil {
			served <- server.ServeTLS(l, "", "")
			return
		}
		served <- server.Serve(l)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("api: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("http requests cut off", "after", shutdownTimeout)
		err = server.Close()
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
