// Package telemetry is what the gateway says about itself: the structured log, Prometheus metrics, and the
// request ids that tie a problem shown to a person to the lines of the log.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns the structured log in format "text" or "json", from level "debug", "info", "warn" or "error" on.
// Each record of a request's context carries its request_id.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("telemetry: log level %q: %w", level, err)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(contextHandler{slog.NewTextHandler(w, opts)}), nil
	case "json":
		return slog.New(contextHandler{slog.NewJSONHandler(w, opts)}), nil
	}
	return nil, fmt.Errorf("telemetry: log format %q is not text or json", format)
}
