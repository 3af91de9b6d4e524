package webrtcserver

import (
	"bytes"
	"encoding/json"
)

// What the server says (PROTOCOL.md). T is the kind of the message, the same for all of a type.

type helloReply struct {
	T         string `json:"t"`
	Viewer    string `json:"viewer"`
	Role      Role   `json:"role"`
	Session   string `json:"session"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Name      string `json:"name"`
	Resizable bool   `json:"resizable"`
	// Watching is of somebody who watches another person's session.
	Watching string `json:"watching,omitempty"`
}

// Values of helloReply.Watching.
const (
	watchingSilent    = "silent"
	watchingAnnounced = "announced"
)

type cursorReply struct {
	T      string `json:"t"`
	Hidden bool   `json:"hidden"`
	HotX   int    `json:"hx"`
	HotY   int    `json:"hy"`
	Width  int    `json:"w"`
	Height int    `json:"h"`
	PNG    []byte `json:"png,omitempty"`
}

type sizeReply struct {
	T      string `json:"t"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

type roleReply struct {
	T       string `json:"t"`
	Role    Role   `json:"role"`
	Message string `json:"message"`
}

type stateReply struct {
	T       string `json:"t"`
	State   State  `json:"state"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type bellReply struct {
	T string `json:"t"`
}

type nameReply struct {
	T    string `json:"t"`
	Name string `json:"name"`
}

type noticeReply struct {
	T       string `json:"t"`
	Level   Level  `json:"level"`
	Message string `json:"message"`
}

// endingReply says that the session is going to end; without a code that it is not any more. The time left is relative,
// because clocks differ.
type endingReply struct {
	T         string `json:"t"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	Remaining int64  `json:"in_ms"`
}

// freezeReply says that the session is frozen, or not any more. Times are how long ago, because clocks differ.
type freezeReply struct {
	T    string `json:"t"`
	On   bool   `json:"on"`
	By   string `json:"by,omitempty"`
	For  int64  `json:"for_ms"`
	Live bool   `json:"live"` // this viewer goes on seeing the desktop
	// Still is a JPEG, for those who do not.
	Still []byte `json:"still,omitempty"`
}

// controlReply says who has taken over; without a name nobody has.
type controlReply struct {
	T    string `json:"t"`
	By   string `json:"by"`
	Mine bool   `json:"mine"`
	For  int64  `json:"for_ms"`
}

// questionReply says what is asked; without an id nothing is (any more).
type questionReply struct {
	T       string      `json:"t"`
	ID      string      `json:"id"`
	By      string      `json:"by,omitempty"` // who is asked
	Mine    bool        `json:"mine"`         // at this viewer
	Rules   []AskedRule `json:"rules,omitempty"`
	Source  string      `json:"source,omitempty"`
	Excerpt string      `json:"excerpt,omitempty"`
	Held    bool        `json:"held,omitempty"` // an act waits
	For     int64       `json:"for_ms"`
	In      int64       `json:"in_ms,omitempty"` // left to answer; 0: any time
}

// messageReply is a text for the session's person, who answers seen.
type messageReply struct {
	T    string `json:"t"`
	ID   string `json:"id"`
	From string `json:"from,omitempty"`
	Text string `json:"text"`
	For  int64  `json:"for_ms"`
}

// watchersReply says who watches.
type watchersReply struct {
	T        string         `json:"t"`
	Watchers []watcherReply `json:"watchers"`
}

type watcherReply struct {
	Name string `json:"name"`
	For  int64  `json:"for_ms"`
}

// readReply takes a message off the session person's other screens.
type readReply struct {
	T  string `json:"t"`
	ID string `json:"id"`
}

type pongReply struct {
	T         string  `json:"t"`
	ID        int64   `json:"id"`
	FrameRate float64 `json:"fps"`
	Kilobits  float64 `json:"kbps"`
}

type clipReply struct {
	T     string `json:"t"`
	ID    int64  `json:"id"`
	Part  int    `json:"part"`
	Parts int    `json:"parts"`
	Text  string `json:"text"`
}

type clipRefusedReply struct {
	T       string `json:"t"`
	ID      int64  `json:"id"`
	Message string `json:"message"`
}

// encode returns the JSON text of a reply. Replies hold only strings and numbers that JSON can say; JSON
// escapes for HTML are left out, because they would swell clipboard texts.
func encode(reply any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(reply); err != nil {
		panic("webrtcserver: reply without JSON form: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
