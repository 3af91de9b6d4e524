package serve

import (
	"context"
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
)

// workers runs sessions in processes of their own: worker.Manager as this package needs it. Errors are *api.Error where
// the caller can do something about them.
type workers interface {
	// Create starts session id and returns when its desktop is there. When it fails nothing is left running.
	Create(ctx context.Context, id string, n api.NewSession) (live, error)
	// Get returns how a running session is; false when there is none of that id.
	Get(id string) (live, bool)
	Offer(ctx context.Context, id string, o api.Offer) (api.Answer, error)
	AddCandidates(ctx context.Context, id, viewer, fragment string) error
	CloseViewer(ctx context.Context, id, viewer string) error
	Terminate(ctx context.Context, id, code, message string) error
	// Shutdown ends every session in good order, or kills what has not ended with ctx, and returns when all are gone.
	Shutdown(ctx context.Context) error
}

// newWorkers makes the workers' manager; it starts nothing.
type newWorkers func(cfg *config.Config, version string, log *slog.Logger, o *observer) (workers, error)

// live is how a running session is at this moment.
type live struct {
	State         string // connecting, active, frozen
	Width, Height int
	DesktopName   string
	Viewers       []api.Viewer
	FrameRate     float64 // frames a second of late
	Bitrate       float64 // bits a second of late
	Frames, Bytes uint64  // encoded since the beginning
	RecordedBytes int64
	MediaPort     uint16 // UDP
}

// apply overlays what was written down with how it is.
func (l live) apply(s *api.Session) {
	s.State, s.Width, s.Height, s.DesktopName = l.State, l.Width, l.Height, l.DesktopName
	s.Viewers, s.FrameRate, s.Bitrate, s.Frames, s.Bytes = l.Viewers, l.FrameRate, l.Bitrate, l.Frames, l.Bytes
}
