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
}

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
