package session

import (
	"context"
	"image"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Recorder keeps what happens; *recording.Recorder is one. A Recorder that failed fails for ever.
type Recorder interface {
	stream.Sink
	// Run writes until ctx ends, and returns the recording's failure as soon as there is one.
	Run(ctx context.Context) error
	// Event notes e at the present time without waiting for the disk.
	Event(e recording.Event) error
	// Seal ends the recording. It is bounded in time.
	Seal(end recording.EndReason) error
	// Bytes is how much is in the spool.
	Bytes() uint64
}

// Hub encodes the picture and hands it to all sinks; *stream.Hub is one.
type Hub interface {
	Run(ctx context.Context) error
	Serve(ctx context.Context, s stream.Sink, queue int, full stream.Overflow) error
	// FreezeViewers stops the pictures of viewers, or lets them go on; recorders are not affected.
	FreezeViewers(still bool)
	Stats() stream.Stats
}

// Door is where viewers come in. It calls back a Session's methods for viewers; its own must not wait for those.
type Door interface {
	// Run serves until ctx ends.
	Run(ctx context.Context) error
	// SetState shows the session's state to every viewer, and lets them go after StateEnded.
	SetState(state State, end End)
	SetName(name string)
	Bell()
	// SendClipboard offers text to the viewer in control.
	SendClipboard(text string) error
}

// Observer hears what becomes of the session. Its methods are called from the loop: they must neither block nor call
// the Session.
type Observer interface {
	StatusChanged(s Status)
	ViewersChanged(viewers []Viewer)
}

// State is where a session stands.
type State string

// The states. From ended there is no way back.
const (
	StateConnecting State = "connecting"
	StateActive     State = "active"
	StateFrozen     State = "frozen"
	StateEnded      State = "ended"
)

// Status is how a session is at one moment.
type Status struct {
	State State
	// End is why the session is frozen or ended.
	End End
	// Size is the desktop's in pixels, zero while connecting.
	Size image.Point
	// DesktopName is what the target calls the desktop.
	DesktopName string
}

// Stats are figures of a session.
type Stats struct {
	Frames, Bytes uint64  // access units since the start, and their bytes
	FrameRate     float64 // frames in the last second
	Bitrate       float64 // bits in the last second
	InputEvents   uint64  // acts let through to the target
	RecordedBytes uint64  // in the spool
	Viewers       int
}

// Person is somebody at a viewer.
type Person struct{ ID, Name string }

// Role is what a viewer may do.
type Role string

// The roles.
const (
	RoleControl Role = "control"
	RoleView    Role = "view"
)

// Viewer is one who watches.
type Viewer struct {
	ID      string
	Person  Person
	Role    Role
	Address string
}

// Policy is what may be done to the target.
type Policy struct {
	ViewOnly            bool // no input at all
	ClipboardToTarget   bool
	ClipboardFromTarget bool
}

// Refusal is why an act was not let through, as a sentence for the person who tried.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// The refusals.
const (
	RefusedEnded       Refusal = "The session has ended."
	RefusedConnecting  Refusal = "The desktop is not there yet."
	RefusedFrozen      Refusal = "The session is frozen."
	RefusedControl     Refusal = "You do not control this desktop."
	RefusedViewOnly    Refusal = "This desktop is for viewing only."
	RefusedClipboard   Refusal = "Text may not be pasted into this desktop."
	RefusedTooFast     Refusal = "That was too much at once."
	RefusedTooLong     Refusal = "The text is too long."
	RefusedMalformed   Refusal = "The text is not valid."
	RefusedNotRecorded Refusal = "The session cannot be recorded any more."
	RefusedSize        Refusal = "This desktop cannot change its size."
	RefusedStalled     Refusal = "The desktop takes no input."
)

var (
	_ desktop.Observer     = (*Session)(nil)
	_ desktop.LinkObserver = (*Session)(nil)
)
