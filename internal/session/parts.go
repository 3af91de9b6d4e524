package session

import (
	"context"
	"image"
	"time"

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
	// FreezeViewers stops the pictures of all viewers, or lets them go on; recorders are not affected.
	FreezeViewers(still bool)
	Stats() stream.Stats
}

// Door is where viewers come in. It calls back a Session's methods for viewers; its own must not wait for those.
type Door interface {
	// Run serves until ctx ends.
	Run(ctx context.Context) error
	// SetState shows the session's state to every viewer, and lets them go after StateEnded.
	SetState(state State, end End)
	// SetEnding shows that the session is going to end, or with the zero value that it is not any more.
	SetEnding(e Ending)
	SetName(name string)
	Bell()
	// SendClipboard offers text to the viewer in control.
	SendClipboard(text string) error
	// SetFreeze stops the pictures of the viewers of the session's own person, now and to come, and shows them f instead; nil lets them go
	// on. Others see that the session is frozen and go on watching. SetState tells of the state besides.
	SetFreeze(f *Freeze)
	// SetQuestion shows to whom it is for what rules want to know, and everybody else that it is asked; nil: nothing is. The viewer that may
	// answer does so by Session.Answer.
	SetQuestion(q *Question)
	// SetControl shows everybody who has the desktop's keyboard and pointer, and lets the acts of that viewer alone through. It is called
	// when somebody takes over and when that ends.
	SetControl(c Control)
	// ShowMessage shows a text to the session's own person, now and when they come, until Session.Acknowledge is called for it.
	ShowMessage(m Message)
	// SetWatchers shows the session's own person who watches, of those who are to be announced.
	SetWatchers(w []Watcher)
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
	// Frozen is nil unless Freeze was called.
	Frozen *Frozen
	// Control is of a supervisor who has taken over; its zero value: nobody has.
	Control Control
	// Question waits for an answer; nil: nothing is asked. It does not change.
	Question *Question
}

// Ending is the end of a session that is foreseen. Without a code there is none.
type Ending struct {
	End
	Deadline time.Time
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
	// Announced says that the session's own person is to know that this one watches.
	Announced bool
	Kind      Kind
}

// Kind is by which door a viewer came.
type Kind string

// The kinds.
const (
	KindBrowser Kind = ""
	KindNative  Kind = "native"
)

// Policy is what may be done to the target.
type Policy struct {
	ViewOnly            bool // no input at all
	ClipboardToTarget   bool
	ClipboardFromTarget bool
}

// Frozen tells of a freeze.
type Frozen struct {
	By    Person // no name: a rule of the gateway
	End   End    // why
	Since time.Time
}

// Freeze is what the session's own person sees of a freeze.
type Freeze struct {
	Frozen
	// Still is the desktop as it was, blurred and much smaller than it: to be shown at the desktop's size.
	Still *image.RGBA
}

// Control is who has the desktop's keyboard and pointer, by taking over; the zero value: nobody has taken over.
type Control struct {
	Viewer string // id
	Person Person
	Since  time.Time
}

// Message is a text for the session's own person.
type Message struct {
	ID   string
	From Person // no name: the gateway
	Text string
	At   time.Time
}

// Watcher is somebody who watches another person's session.
type Watcher struct {
	Person Person
	Since  time.Time
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
	RefusedTakenOver   Refusal = "A supervisor has taken over."
	RefusedByRule      Refusal = "A rule of the gateway holds this back."

	RefusedFrozenBefore Refusal = "The session is frozen already."
	RefusedNotFrozen    Refusal = "The session is not frozen."
	RefusedTaken        Refusal = "Another supervisor has taken over."
	RefusedHasControl   Refusal = "You have control of this session already."
	RefusedNotTaken     Refusal = "You have not taken over this session."
	RefusedNotWatching  Refusal = "Only who watches the session can take it over."
	RefusedMessages     Refusal = "There are messages the person has not read yet."
	RefusedNotAsked     Refusal = "This is not asked any more."
	RefusedNotHolder    Refusal = "Only who was asked and has control of the desktop can answer."
	RefusedReason       Refusal = "A reason has 1 to 500 characters."
)

// codes name, for programs, the refusals that supervisors get.
var codes = map[Refusal]string{
	RefusedEnded:        "session_ended",
	RefusedConnecting:   "session_connecting",
	RefusedNotRecorded:  "session_not_recorded",
	RefusedFrozenBefore: "session_frozen",
	RefusedNotFrozen:    "session_not_frozen",
	RefusedTaken:        "control_taken",
	RefusedHasControl:   "control_held",
	RefusedNotTaken:     "control_not_taken",
	RefusedNotWatching:  "not_watching",
	RefusedMessages:     "too_many_messages",
	RefusedTooLong:      "message_too_long",
	RefusedMalformed:    "message_malformed",
	RefusedNotAsked:     "not_asked",
	RefusedNotHolder:    "not_in_control",
	RefusedReason:       "justification_malformed",
}

// Code is the refusal's stable name; empty for those that are told to viewers only.
func (r Refusal) Code() string { return codes[r] }

var (
	_ desktop.Observer     = (*Session)(nil)
	_ desktop.LinkObserver = (*Session)(nil)
)
