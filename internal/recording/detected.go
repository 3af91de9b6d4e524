package recording

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Events of detection: what was read out of the others, and what rules said to it.
type (
	// LineEvent is a line somebody typed, as the keys say: it is noted when the line ends. Its text is left out where the
	// mode of the keyboard keeps no text, and Length remains.
	LineEvent struct {
		Actor     string    `json:"actor"`
		Text      string    `json:"text,omitempty"`
		Length    int       `json:"length"`              // characters
		FirstUS   int64     `json:"first_us"`            // when its first key went down
		Ended     string    `json:"ended"`               // enter, click, tab, abort, control, session
		Certainty Certainty `json:"certainty"`           // how sure the text is
		Other     string    `json:"other,omitempty"`     // what the keys mean if read the other way
		Truncated bool      `json:"truncated,omitempty"` // longer than a line may be
	}
	// TitleEvent is the title of the window the target says is in front.
	TitleEvent struct {
		Text string `json:"text"`
	}
	// ScreenEvent is text that was read off a part of the picture, a line each. Reading takes its time: the event comes after what it
	// tells of.
	ScreenEvent struct {
		Text    string `json:"text"`
		X       int    `json:"x"`
		Y       int    `json:"y"`
		Width   int    `json:"width"`
		Height  int    `json:"height"`
		ShownUS int64  `json:"shown_us"` // when it was seen
	}
	// ScreenUnreadEvent is parts of the picture that should have been read and were not.
	ScreenUnreadEvent struct {
		Reason UnreadReason `json:"reason"`
		Count  int          `json:"count"`
	}
	// AlertEvent is a rule that fits. Excerpt is left out of typed text where the mode of the keyboard keeps none.
	AlertEvent struct {
		Actor    string `json:"actor,omitempty"`
		Rule     string `json:"rule"`
		Name     string `json:"name"`
		Severity string `json:"severity"`
		Action   string `json:"action"`
		Source   string `json:"source"`
		Excerpt  string `json:"excerpt,omitempty"`
		Count    int    `json:"count,omitempty"` // when repeated
	}
	// JustificationEvent is the answer to the question why, of whom was asked or instead of them.
	JustificationEvent struct {
		Actor    string `json:"actor"`
		Rule     string `json:"rule"`
		Name     string `json:"name,omitempty"` // of the rule
		Answer   string `json:"answer"`         // one of those below
		Text     string `json:"text,omitempty"`
		Releases bool   `json:"releases,omitempty"` // what was held back goes to the target next
	}
)

// UnreadReason is why something on the screen was not read.
type UnreadReason string

// The reasons.
const (
	// UnreadBusy: it was gone before it was its turn.
	UnreadBusy UnreadReason = "busy"
	// UnreadTimeout: reading took too long.
	UnreadTimeout UnreadReason = "timeout"
	// UnreadFailed: the program that reads failed, or cannot be started.
	UnreadFailed UnreadReason = "failed"
	// UnreadEnded: the session ended before.
	UnreadEnded UnreadReason = "ended"
)

// What becomes of the question why.
const (
	AnswerGiven     = "given"     // with a reason
	AnswerRefused   = "refused"   // what was held back is not done
	AnswerExpired   = "expired"   // nobody answered in time
	AnswerWithdrawn = "withdrawn" // somebody froze or resumed the session instead, whom Actor names
)

// Certainty says how sure the text of a line is.
type Certainty string

// The certainties.
const (
	// Certain: every key of it was seen, and means the same in a terminal as in a window.
	Certain Certainty = "certain"
	// Uncertain: something in it was recalled from earlier lines, or keys may mean different things.
	Uncertain Certainty = "uncertain"
	// Incomplete: the target has added something that no key says, such as the rest of a word.
	Incomplete Certainty = "incomplete"
)

func (LineEvent) kind() string          { return "line" }
func (TitleEvent) kind() string         { return "title" }
func (ScreenEvent) kind() string        { return "screen" }
func (ScreenUnreadEvent) kind() string  { return "screen_unread" }
func (AlertEvent) kind() string         { return "alert" }
func (JustificationEvent) kind() string { return "justification" }

// sourceTyped is the source of alerts about what was typed.
const sourceTyped = "typed"

// prepareDetected is prepare for the events of this file.
func prepareDetected(e Event, keys KeyMode) Event {
	keep := keys != KeysNone && keys != KeysCommands
	switch e := e.(type) {
	case LineEvent:
		e.Length = utf8.RuneCountInString(e.Text)
		if !keep {
			e.Text, e.Other = "", ""
		}
		return e
	case AlertEvent:
		if !keep && e.Source == sourceTyped {
			e.Excerpt = ""
		}
		return e
	}
	return e
}

// DecodeEvent reads a line of events. An event of a kind that this package does not know is nil.
func DecodeEvent(line []byte) (us int64, e Event, err error) {
	if us, err = parseEventTime(line); err != nil {
		return 0, nil, err
	}
	var h eventHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return 0, nil, err
	}
	decode, known := decoders[h.Kind]
	if !known {
		return us, nil, nil
	}
	if e, err = decode(line); err != nil {
		return 0, nil, fmt.Errorf("recording: %s event: %w", h.Kind, err)
	}
	return us, e, nil
}

var decoders = map[string]func(line []byte) (Event, error){
	"key": decodeAs[KeyEvent], "text": decodeAs[TextEvent], "pointer": decodeAs[PointerEvent], "wheel": decodeAs[WheelEvent],
	"clipboard": decodeAs[ClipboardEvent], "resize": decodeAs[ResizeEvent], "viewer_join": decodeAs[ViewerJoinEvent],
	"viewer_leave": decodeAs[ViewerLeaveEvent], "state": decodeAs[StateEvent], "control": decodeAs[ControlEvent],
	"rejected": decodeAs[RejectedEvent], "ending": decodeAs[EndingEvent], "name": decodeAs[NameEvent],
	"line": decodeAs[LineEvent], "title": decodeAs[TitleEvent], "screen": decodeAs[ScreenEvent], "screen_unread": decodeAs[ScreenUnreadEvent], "alert": decodeAs[AlertEvent],
	"justification": decodeAs[JustificationEvent],
}

func decodeAs[E Event](line []byte) (Event, error) {
	var e E
	err := json.Unmarshal(line, &e)
	return e, err
}
