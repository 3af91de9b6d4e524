package notify

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// Kind is what sort of thing happened. Webhooks name it as type.
type Kind string

// Kinds of events. More may come; whoever receives them ignores what they do not know.
const (
	RequestMade     Kind = "access_request.made"
	RequestDecided  Kind = "access_request.decided" // approved, denied or expired
	GrantEnding     Kind = "access_grant.ending"    // its window is about to end
	GrantEnded      Kind = "access_grant.ended"     // by somebody else, before its time
	BreakGlass      Kind = "break_glass.used"
	BreakGlassAfter Kind = "break_glass.reviewed"
	SessionEnded    Kind = "session.ended_by_policy"
	SessionAlert    Kind = "session.alert" // a rule of detection fits what happens in a session
)

// Kinds returns every kind there is, in a fixed order.
func Kinds() []Kind {
	return []Kind{RequestMade, RequestDecided, GrantEnding, GrantEnded, BreakGlass, BreakGlassAfter, SessionEnded, SessionAlert}
}

// Recipient is somebody an event is for.
type Recipient struct {
	UserID string
	Name   string
	Email  string // "": none
}

// Event is something people are told. Nothing in it is secret.
type Event struct {
	Kind   Kind
	At     time.Time         // zero: now
	Urgent bool              // goes first, is never dropped for others, and looks it
	Title  string            // one line
	Text   string            // a sentence or a few; may be empty
	Link   string            // a path of the console, with its slash; may be empty
	Data   map[string]string // for programs, by snake_case keys
	To     []Recipient       // who sees it in the console and by e-mail; webhooks get every event
}

func newID() string { return ulid.Make().String() }
