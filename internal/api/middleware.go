package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/telemetry"
)

// contentSecurityPolicy is what the console needs and no more. Recordings play through MediaSource, a blob.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

// observe gives the request an id, and when it is answered logs and counts it.
func (s *Server) observe(metrics *telemetry.HTTPMetrics) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		id := telemetry.NewRequestID()
		c.Request = c.Request.WithContext(telemetry.WithRequestID(c.Request.Context(), id))
		c.Header("X-Request-Id", id)
		done := metrics.Begin()
		defer func() {
			status, took := c.Writer.Status(), time.Since(start)
			done(c.Request.Method, c.FullPath(), status, took)
			s.logRequest(c, status, took)
		}()
		c.Next()
	}
}

func (s *Server) logRequest(c *gin.Context, status int, took time.Duration) {
	ctx := c.Request.Context()
	level := slog.LevelDebug
	attrs := []slog.Attr{
		slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path), slog.Int("status", status),
		slog.Duration("took", took), slog.Int("bytes", max(0, c.Writer.Size())), slog.String("client_address", c.ClientIP()),
	}
	if last := c.Errors.Last(); last != nil {
		attrs = append(attrs, slog.Any("error", last.Err), slog.String("code", errorOf(last.Err).Code))
	}
	switch {
	case errors.Is(context.Cause(ctx), context.Canceled): // the caller left: nothing is wrong here
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case status >= http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusNotFound:
		level = slog.LevelWarn
	}
	s.log.LogAttrs(ctx, level, "http request", attrs...)
}

// recoverPanic turns a panic of a handler into a problem, with the stack in the log.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			panic(v)
		}
		s.log.ErrorContext(c.Request.Context(), "panic in a handler", "error", fmt.Sprint(v), "stack", string(debug.Stack()))
		fail(c, fmt.Errorf("api: panic: %v", v))
	}()
	c.Next()
}

func (s *Server) securityHeaders(c *gin.Context) {
	c.Set(httpsKey, s.https)
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), clipboard-read=(self), clipboard-write=(self), fullscreen=(self)")
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if isAPI(c.Request.URL.Path) {
		h.Set("Cache-Control", "no-store") // handlers of what may be kept say otherwise
	}
	c.Next()
}

func (s *Server) sameOrigin(c *gin.Context) {
	if _, program := bearer(c.Request); program {
		c.Next() // a page of another site cannot send that header, and the cookie does not count beside it
		return
	}
	if err := s.origin.Check(c.Request); err != nil {
		fail(c, &Error{http.StatusForbidden, codeCrossOrigin, "Another site's page may not do this.", err})
		return
	}
	c.Next()
}

// limitRequest caps the body and sets deadlines.
func (s *Server) limitRequest(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes)
	control := http.NewResponseController(c.Writer)
	// Behind a writer without deadlines, as in tests, there are none.
	_ = control.SetReadDeadline(time.Now().Add(requestTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(answerTimeout))
	c.Next()
}

// received ends the deadline for the request: one that passes while the handler works would cancel its context.
func received(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// patient takes the deadline off an answer that begins late. Call it again with a duration when the answer is known.
func patient(w http.ResponseWriter, d time.Duration) {
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(deadline)
}

// unhurried is a writer with a deadline for each write instead of one for all of them, for answers of open length.
type unhurried struct{ http.ResponseWriter }

func (u unhurried) Write(p []byte) (int, error) {
	patient(u.ResponseWriter, answerTimeout)
	return u.ResponseWriter.Write(p)
}
