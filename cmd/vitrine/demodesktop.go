package main

import (
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
	"github.com/vitrine-psm/vitrine/internal/demotarget/scene"
)

// newDemoTarget makes the desktop of the demo.
func newDemoTarget(log *slog.Logger) (*demotarget.Server, error) {
	return demotarget.New(demotarget.Options{Scene: scene.New(nil), Log: log.With("component", "demo_desktop")})
}
