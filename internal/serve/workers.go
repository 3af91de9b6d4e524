package serve

import (
	"context"
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// workers runs sessions in processes of their own: worker.Manager as this package needs it. Errors are *api.Error where
// the caller can do something about them.
type workers interface {
	// Create starts session id, which signs in with c, and returns when its desktop is there. When it fails nothing is left
	// running. It keeps no reference to c.
	// rules are those of detection, a detect.File in JSON; nil: none.
	Create(ctx context.Context, id string, n api.NewSession, c target.Credential, rules []byte) (live, error)
	// Get returns how a running session is; false when there is none of that id.
	Get(id string) (live, bool)
	Offer(ctx context.Context, id string, o api.Offer) (api.Answer, error)
	AddCandidates(ctx context.Context, id, viewer, fragment string) error
	CloseViewer(ctx context.Context, id, viewer string) error
	Terminate(ctx context.Context, id string, by policy.Subject, code, message string) error
	// OpenNative hands a native client to a running session.
	OpenNative(ctx context.Context, id string, p native.Passage) error
	// Announce shows the people in a session that it is going to end; the zero value takes that back.
	Announce(ctx context.Context, id string, e access.Ending) error
	// Permit changes which ways the clipboard may go.
	Permit(ctx context.Context, id string, c access.Clipboard) error
	// SetRules changes the rules of detection of a running session.
	SetRules(ctx context.Context, id string, rules []byte) error
	// What supervisors do. A refusal is an *api.Error.
	Freeze(ctx context.Context, id string, by policy.Subject, reason string) error
	Resume(ctx context.Context, id string, by policy.Subject) error
	TakeControl(ctx context.Context, id string, by policy.Subject, viewer string, fromOther bool) error
	ReleaseControl(ctx context.Context, id string, by policy.Subject) error
	Message(ctx context.Context, id string, from policy.Subject, text string) (string, error)
	Answer(ctx context.Context, id string, by policy.Subject, a api.Reply) (bool, error)
	// Thumbnail returns a small JPEG of a session's desktop and its serial; no bytes when that is known.
	Thumbnail(ctx context.Context, id string, known uint64) (jpeg []byte, serial uint64, err error)
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
	Frozen        *api.Frozen    // nil: it is not
	Control       *api.TakenOver // nil: nobody has taken over
	Question      *api.Question  // nil: nothing is asked
	FrameRate     float64        // frames a second of late
	Bitrate       float64        // bits a second of late
	Frames, Bytes uint64         // encoded since the beginning
	Encoders      uint64         // opened since the beginning
	RecordedBytes int64
	MediaPort     uint16 // UDP
}

// apply overlays what was written down with how it is.
func (l live) apply(s *api.Session) {
	s.State, s.Width, s.Height, s.DesktopName = l.State, l.Width, l.Height, l.DesktopName
	s.Frozen, s.Control, s.Question = l.Frozen, l.Control, l.Question
	s.Viewers, s.FrameRate, s.Bitrate, s.Frames, s.Bytes = l.Viewers, l.FrameRate, l.Bitrate, l.Frames, l.Bytes
	s.Encoders = l.Encoders
}
