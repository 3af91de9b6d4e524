package vncclient

import (
	"encoding/binary"
	"io"
	"time"

	vnc "github.com/mitchellh/go-vnc"
)

// Types of server messages ([RFC 6143] 7.6, the last two from rfbproto).
const (
	msgFramebufferUpdate   = 0
	msgSetColourMapEntries = 1
	msgBell                = 2
	msgServerCutText       = 3
	msgEndOfContinuous     = 150
	msgServerFence         = 248
)

// message is a type of server message that reads itself off the session's connection. It stands in for both
// the type and the value that go-vnc wants; the value is discarded, since no channel is given.
type message struct {
	kind uint8
	s    *session
	read func() error
}

// Type implements vnc.ServerMessage.
func (m *message) Type() uint8 { return m.kind }

// Read implements vnc.ServerMessage. An error ends the session and go-vnc's loop.
func (m *message) Read(*vnc.ClientConn, io.Reader) (vnc.ServerMessage, error) {
	m.s.conn.inMessage = true
	err := m.read()
	m.s.conn.inMessage = false
	if err != nil {
		m.s.fail(err)
		return nil, err
	}
	return m, nil
}

// messages returns all 256 types, those that do not exist too: go-vnc drops the connection at a type it does
// not know without a word.
func (s *session) messages() []vnc.ServerMessage {
	known := map[uint8]func() error{
		msgFramebufferUpdate:   s.framebufferUpdate,
		msgSetColourMapEntries: s.setColourMapEntries,
		msgBell:                s.bell,
		msgServerCutText:       s.serverCutText,
		msgEndOfContinuous:     s.endOfContinuousUpdates,
		msgServerFence:         s.serverFence,
	}
	all := make([]vnc.ServerMessage, 0, 256)
	for kind := range 256 {
		read := known[uint8(kind)]
		if read == nil {
			read = func() error { return protocolError("message type %d", kind) }
		}
		all = append(all, &message{uint8(kind), s, read})
	}
	return all
}

// setColourMapEntries skips a colour map ([RFC 6143] 7.6.2): the pixel format asked for has none.
func (s *session) setColourMapEntries() error {
	p, err := s.in.Next(5)
	if err != nil {
		return streamError("reading a colour map", err)
	}
	first, n := int(binary.BigEndian.Uint16(p[1:])), int(binary.BigEndian.Uint16(p[3:]))
	if first+n > 1<<16 {
		return protocolError("%d colours from %d in a colour map of 65536", n, first)
	}
	if err := s.in.Skip(int64(n) * 6); err != nil {
		return streamError("reading a colour map", err)
	}
	return nil
}

// bell passes on what a person can hear ([RFC 6143] 7.6.3).
func (s *session) bell() error {
	if now := time.Now(); now.Sub(s.rang) >= bellInterval {
		s.rang = now
		s.cfg.Observer.Bell()
	}
	return nil
}
