package demotarget

import (
	"image"
	"time"
)

// Kind says what an Event is about.
type Kind string

// The kinds of events.
const (
	KeyPressed  Kind = "key"       // Keysym, Down
	Pointed     Kind = "pointer"   // Pos, Buttons
	TextArrived Kind = "clipboard" // Text
	SizeAsked   Kind = "size"      // Size
)

// Event is something a viewer did.
type Event struct {
	Time    time.Time
	Kind    Kind
	Keysym  uint32
	Down    bool
	Pos     image.Point
	Buttons uint8 // RFC 6143 7.5.5: bit 0 left, 1 middle, 2 right, 3 to 6 the wheel up, down, left, right
	Text    string
	Size    image.Point
}

// eventLog keeps the newest events. The server's mu guards it; slices of list handed out are never written.
type eventLog struct {
	list  []Event
	total int           // ever added
	more  chan struct{} // closed by the next add
}

func newEventLog() eventLog { return eventLog{more: make(chan struct{})} }

func (l *eventLog) add(e Event) {
	e.Time = time.Now()
	if len(l.list) == MaxEvents {
		l.list = append(make([]Event, 0, 2*MaxEvents), l.list[MaxEvents/2:]...)
	}
	l.list = append(l.list, e)
	l.total++
	close(l.more)
	l.more = make(chan struct{})
}
