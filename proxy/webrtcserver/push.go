package webrtcserver

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// State is the session's state as browsers see it.
type State string

// The states.
const (
	StateActive State = "active"
	StateFrozen State = "frozen"
	StateEnded  State = "ended"
)

// Level says how much a notice matters.
type Level string

// The levels.
const (
	LevelInfo    Level = "info"
	LevelWarning Level = "warning"
	LevelError   Level = "error"
)

// SetState tells every viewer, and those that come, the session's state. After StateEnded viewers are let go
// as soon as they have heard it, and new ones are refused.
func (s *Server) SetState(state State, code, message string) {
	reply := stateReply{T: "state", State: state, Code: code, Message: message}
	msg := encode(reply)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = reply
	s.ended = s.ended || state == StateEnded
	for _, v := range s.viewers {
		v.push(channelControl, msg)
		if s.ended {
			v.finish(errEnded)
		}
	}
}

// An Ending is a session's end that is foreseen.
type Ending struct {
	Code     string // why, for programs
	Message  string // for people
	Deadline time.Time
}

// reply words e as it is now.
func (e Ending) reply() []byte {
	r := endingReply{T: "ending", Code: e.Code, Message: e.Message}
	if e.Code != "" {
		r.Remaining = max(0, time.Until(e.Deadline).Milliseconds())
	}
	return encode(r)
}

// SetEnding tells every viewer, and those that come, when the session is going to end. The zero value takes it back.
func (s *Server) SetEnding(e Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = e
	for _, v := range s.viewers {
		v.push(channelControl, e.reply())
	}
}

// Notice shows a message to every viewer.
func (s *Server) Notice(level Level, message string) {
	s.broadcast(encode(noticeReply{T: "notice", Level: level, Message: message}))
}

// Bell rings in every browser that shows the desktop.
func (s *Server) Bell() {
	msg := encode(bellReply{T: "bell"})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if !s.hidden(v) {
			v.push(channelControl, msg)
		}
	}
}

// SetName tells every viewer, and those that come, the desktop's name.
func (s *Server) SetName(name string) {
	name = strings.ToValidUTF8(name, "\ufffd")
	if len(name) > desktop.MaxNameBytes {
		name = strings.ToValidUTF8(name[:desktop.MaxNameBytes], "")
	}
	msg := encode(nameReply{T: "name", Name: name})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
	for _, v := range s.viewers {
		if !s.hidden(v) {
			v.push(channelControl, msg)
		}
	}
}

// SendClipboard offers text to the viewer in control, replacing what was not yet sent. It is not an error when
// there is none.
func (s *Server) SendClipboard(text string) error {
	if len(text) > desktop.MaxClipboardBytes {
		return fmt.Errorf("webrtc: clipboard text of %d bytes exceeds %d", len(text), desktop.MaxClipboardBytes)
	}
	if !utf8.ValidString(text) {
		return errors.New("webrtc: clipboard text is not UTF-8")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.acts()
	if v == nil {
		return nil
	}
	s.clipID++
	v.put(channelClipboard, slotClipboard, splitClipboard(s.clipID, text)...)
	return nil
}

func (s *Server) broadcast(msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		v.push(channelControl, msg)
	}
}

// tell sends one viewer a message on its control channel.
func (s *Server) tell(v *viewer, msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.push(channelControl, msg)
}

// reply replaces a slot of one viewer's control channel.
func (s *Server) reply(v *viewer, slot slot, msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.put(channelControl, slot, msg)
}

// greet opens the server's side of a data channel. On the control channel hello comes first, then whatever
// changed before there was a channel to say it on.
func (s *Server) greet(v *viewer, label string, o *outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if label == channelControl {
		size := s.cfg.Screen.Size()
		hello := helloReply{
			T: "hello", Viewer: v.id, Role: v.mayAct(), Session: s.cfg.Session,
			Width: size.X, Height: size.Y, Name: s.name, Resizable: s.cfg.Resizable,
		}
		if s.hidden(v) {
			hello.Name = "" // it may have changed since
		} else {
			o.put(slotCursor, s.cursor)
		}
		if s.cfg.Owner != "" && !v.owns() {
			hello.Watching = watchingSilent
			if v.tells {
				hello.Watching = watchingAnnounced
			}
		}
		o.push(encode(hello))
		s.greetSupervised(v, o)
		o.push(encode(s.state))
		if s.ending.Code != "" {
			o.push(s.ending.reply())
		}
	}
	v.outboxes[label] = o
	if s.ended {
		v.finish(errEnded)
	}
}
