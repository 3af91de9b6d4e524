package main

import (
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// newDemoTarget makes the desktop of the demo.
func newDemoTarget(log *slog.Logger) (*demotarget.Server, error) {
	return demotarget.New(demotarget.Options{Log: log.With("component", "demo_desktop")})
}
