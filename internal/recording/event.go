package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Event is something that happened. It is one of the types below; FORMAT.md says what their fields mean.
type Event interface {
	// kind is the value of the line's "kind".
	kind() string
}

type (
	// KeyEvent is a key going down or up.
	KeyEvent struct {
		Actor  string `json:"actor"`
		Keysym uint32 `json:"keysym,omitempty"`
		Key    string `json:"key,omitempty"`
		Down   bool   `json:"down"`
		Held   bool   `json:"held,omitempty"` // a rule kept it from the target
	}
	// TextEvent is text that no single key produced. Length is set by the recorder.
	TextEvent struct {
		Actor     string `json:"actor"`
		Text      string `json:"text,omitempty"`
		Length    int    `json:"length"` // characters
		Truncated bool   `json:"truncated,omitempty"`
		Held      bool   `json:"held,omitempty"`
	}
	// PointerEvent is a button going down or up.
	PointerEvent struct {
		Actor   string        `json:"actor"`
		X       int           `json:"x"`
		Y       int           `json:"y"`
		Buttons uint8         `json:"buttons"`
		Action  PointerAction `json:"action"`
		Held    bool          `json:"held,omitempty"`
	}
	// WheelEvent is a turn of the wheel, in notches.
	WheelEvent struct {
		Actor string `json:"actor"`
		X     int    `json:"x"`
		Y     int    `json:"y"`
		DX    int    `json:"dx"`
		DY    int    `json:"dy"`
	}
	// ClipboardEvent is text that crossed the glass. Bytes is set by the recorder.
	ClipboardEvent struct {
		Actor     string    `json:"actor"`
		Direction Direction `json:"direction"`
		Bytes     int       `json:"bytes"`
		Text      string    `json:"text"`
		Truncated bool      `json:"truncated,omitempty"`
		Held      bool      `json:"held,omitempty"`
	}
	// ResizeEvent is the desktop's new size in pixels.
	ResizeEvent struct {
		Actor  string `json:"actor,omitempty"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	}
	// ViewerJoinEvent is somebody beginning to watch.
	ViewerJoinEvent struct {
		Actor   string `json:"actor"`
		Viewer  string `json:"viewer"`
		Role    string `json:"role"`
		Address string `json:"address,omitempty"`
	}
	// ViewerLeaveEvent is somebody who stopped.
	ViewerLeaveEvent struct {
		Actor  string `json:"actor"`
		Viewer string `json:"viewer"`
		Role   string `json:"role,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
	// StateEvent is a change of the session's state.
	StateEvent struct {
		Actor   string `json:"actor,omitempty"` // who ended the session, where somebody did
		State   string `json:"state"`
		Reason  string `json:"reason,omitempty"`
		Message string `json:"message,omitempty"`
	}
	// ControlEvent is the control of the desktop changing hands.
	ControlEvent struct {
		Actor  string `json:"actor"`
		Action string `json:"action"` // taken, released; taken_over, returned
		Viewer string `json:"viewer"`
		// From is who had it before, where a supervisor takes over or gives back.
		From string `json:"from,omitempty"`
	}
	// FreezeEvent is somebody freezing the session: the person's input and picture stop, everything else goes on.
	FreezeEvent struct {
		Actor   string `json:"actor,omitempty"` // none: a rule did
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	// ResumeEvent is a frozen session going on.
	ResumeEvent struct {
		Actor string `json:"actor,omitempty"`
	}
	// MessageEvent is a text shown to the person in the session, or their word that they have read it.
	MessageEvent struct {
		Actor  string `json:"actor,omitempty"`
		Action string `json:"action"` // sent, acknowledged
		ID     string `json:"id"`
		Text   string `json:"text,omitempty"`
	}
	// WatchEvent is somebody beginning to watch another person's session, and whether that person is told.
	WatchEvent struct {
		Actor     string `json:"actor"`
		Viewer    string `json:"viewer"`
		Announced bool   `json:"announced"`
	}
	// RejectedEvent is input that was refused.
	RejectedEvent struct {
		Actor   string `json:"actor,omitempty"`
		What    string `json:"what"`
		Message string `json:"message"`
		Count   int    `json:"count,omitempty"` // when repeated
	}
	// EndingEvent is people being told that the session is going to end, or, without a reason, that it is not any more.
	EndingEvent struct {
		Reason   string `json:"reason,omitempty"`
		Message  string `json:"message,omitempty"`
		InMillis int64  `json:"in_ms"`
	}
	// NameEvent is the desktop's name.
	NameEvent struct {
		Name string `json:"name"`
	}
)

// PointerAction is what a button did.
type PointerAction string

// The pointer's actions.
const (
	PointerDown PointerAction = "down"
	PointerUp   PointerAction = "up"
)

// Direction is the way of a clipboard.
type Direction string

// The two ways.
const (
	ToTarget   Direction = "to_target"
	FromTarget Direction = "from_target"
)

func (KeyEvent) kind() string         { return "key" }
func (TextEvent) kind() string        { return "text" }
func (PointerEvent) kind() string     { return "pointer" }
func (WheelEvent) kind() string       { return "wheel" }
func (ClipboardEvent) kind() string   { return "clipboard" }
func (ResizeEvent) kind() string      { return "resize" }
func (ViewerJoinEvent) kind() string  { return "viewer_join" }
func (ViewerLeaveEvent) kind() string { return "viewer_leave" }
func (StateEvent) kind() string       { return "state" }
func (ControlEvent) kind() string     { return "control" }
func (FreezeEvent) kind() string      { return "freeze" }
func (ResumeEvent) kind() string      { return "resume" }
func (MessageEvent) kind() string     { return "message" }
func (WatchEvent) kind() string       { return "watch" }
func (RejectedEvent) kind() string    { return "rejected" }
func (EndingEvent) kind() string      { return "ending" }
func (NameEvent) kind() string        { return "name" }

// encodeEvent makes the line of an event at µs t, newline included. Text that does not fit is cut.
func encodeEvent(e Event, us int64, keys KeyMode) ([]byte, error) {
	e = prepare(e, keys)
	for {
		line, err := marshalEvent(e, us)
		if err != nil || len(line) <= MaxEventBytes {
			return line, err
		}
		shorter, ok := shorten(e, len(line))
		if !ok {
			return nil, fmt.Errorf("%w: %s event of %d bytes", ErrLimit, e.kind(), len(line))
		}
		e = shorter
	}
}

// prepare fills in what the recorder knows and takes out what it must not keep.
func prepare(e Event, keys KeyMode) Event {
	switch e := e.(type) {
	case KeyEvent:
		if keys == KeysNone || keys == KeysCommands && writes(e.Keysym) {
			e.Keysym, e.Key = 0, ""
		}
		return e
	case TextEvent:
		e.Length = utf8.RuneCountInString(e.Text)
		if keys == KeysNone || keys == KeysCommands {
			e.Text = ""
		}
		return e
	case ClipboardEvent:
		e.Bytes = len(e.Text)
		return e
	}
	return prepareDetected(e, keys)
}

// writes tells whether a key writes something. Keysyms of the others are in 0xfe00–0xffff, where the digits and signs of the
// keypad are the exception (X11's keysymdef.h).
func writes(keysym uint32) bool {
	return keysym < 0xfe00 || keysym > 0xffff || keysym >= 0xffaa && keysym <= 0xffb9 || keysym == 0xffbd || keysym == 0xff80
}

// shorten cuts the text of an event whose line took size bytes.
func shorten(e Event, size int) (Event, bool) {
	cut := func(text string) string {
		// Most of the line is the text: cut it in proportion, and a little more so that this ends.
		n := len(text) * (MaxEventBytes - 4096) / size
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		return text[:n]
	}
	switch e := e.(type) {
	case TextEvent:
		e.Text, e.Truncated = cut(e.Text), true
		return e, e.Text != ""
	case ClipboardEvent:
		e.Text, e.Truncated = cut(e.Text), true
		return e, e.Text != ""
	}
	return e, false
}

// marshalEvent writes the fields all events have, then the event's own.
func marshalEvent(e Event, us int64) ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, `{"t_us":%d,"kind":%q,`, us, e.kind())
	head := buf.Len()
	enc := json.NewEncoder(&buf) // ends the line
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("recording: %s event: %w", e.kind(), err)
	}
	line := buf.Bytes()
	return append(line[:head], line[head+1:]...), nil // without the second "{"
}

// eventHeader is what every line of events has.
type eventHeader struct {
	US   *int64 `json:"t_us"`
	Kind string `json:"kind"`
}

// parseEventTime checks that a line is an event and returns its time in µs.
func parseEventTime(line []byte) (int64, error) {
	var h eventHeader
	if len(line) > MaxEventBytes {
		return 0, fmt.Errorf("event of %d bytes", len(line))
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return 0, err
	}
	if h.US == nil || *h.US < 0 || h.Kind == "" {
		return 0, fmt.Errorf("event without t_us or kind")
	}
	return *h.US, nil
}
