package rdpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// stateVersion rises when older programs could not go on with a State.
const stateVersion = 1

// State is what another process must know to go on with a connection. It holds no password and no ticket; Pending may hold
// keys that were pressed early, and Cookie is a secret, so it goes from process to process and into no log.
type State struct {
	Version  int       `json:"version"`
	Hello    Hello     `json:"hello"`
	User     uint16    `json:"user"`
	Message  uint16    `json:"message,omitempty"` // the message channel
	Channels []channel `json:"channels,omitempty"`
	ShareID  uint32    `json:"share_id"`
	Licensed bool      `json:"licensed,omitempty"`
	Active   bool      `json:"active,omitempty"`
	// Cookie is the auto-reconnect cookie to give, if any.
	Cookie *rdp.ReconnectCookie `json:"cookie,omitempty"`
	// Pending is what was read of the client and belongs to the next process.
	Pending []byte `json:"pending,omitempty"`
}

// Marshal returns the State for Unmarshal in another process.
func (s State) Marshal() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("rdpserver: state: %w", err)
	}
	if len(b) > maxStateBytes {
		return nil, fmt.Errorf("%w: %d bytes exceed %d", ErrState, len(b), maxStateBytes)
	}
	return b, nil
}

// UnmarshalState reads a State. It returns an error wrapping ErrState for one that Marshal did not write.
func UnmarshalState(b []byte) (State, error) {
	if len(b) > maxStateBytes {
		return State{}, fmt.Errorf("%w: %d bytes exceed %d", ErrState, len(b), maxStateBytes)
	}
	var s State
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return State{}, fmt.Errorf("%w: no valid JSON", ErrState) // the error would quote it
	}
	return s, s.check()
}

func (s *State) check() error {
	h := &s.Hello
	texts := append([]string{
		h.Cookie, h.RoutingToken, h.PreconnectionBlob, h.ClientName, h.Domain, h.Username, h.WorkingDir, h.ClientAddress,
	}, h.Channels...)
	for _, text := range texts {
		if len(text) > maxHelloText {
			return fmt.Errorf("%w: a text of %d bytes", ErrState, len(text))
		}
	}
	switch {
	case s.Version != stateVersion:
		return fmt.Errorf("%w: version %d, want %d", ErrState, s.Version, stateVersion)
	case len(s.Channels) > rdp.MaxChannels || len(h.Channels) > rdp.MaxChannels:
		return fmt.Errorf("%w: %d channels", ErrState, max(len(s.Channels), len(h.Channels)))
	case s.User < firstStatic || int(s.User) > firstStatic+rdp.MaxChannels+1:
		return fmt.Errorf("%w: user %d", ErrState, s.User)
	case s.Message != 0 && (s.Message < firstStatic || s.Message >= s.User):
		return fmt.Errorf("%w: message channel %d", ErrState, s.Message)
	case s.Active && !s.Licensed:
		return fmt.Errorf("%w: active without a licence", ErrState)
	case len(s.Pending) > maxPending:
		return fmt.Errorf("%w: %d bytes pending", ErrState, len(s.Pending))
	}
	switch h.Depth {
	case 15, 16, 24, 32:
	default:
		return fmt.Errorf("%w: %d bits a pixel", ErrState, h.Depth)
	}
	for i, c := range s.Channels {
		if int(c.ID) != firstStatic+i || len(c.Name) > maxHelloText {
			return fmt.Errorf("%w: channel %d", ErrState, c.ID)
		}
	}
	return nil
}

// state gives the connection up.
func (l *link) state() (State, net.Conn) {
	return State{
		Version: stateVersion, Hello: l.hello, User: l.user, Message: l.message, Channels: l.channels, ShareID: l.shareID,
		Licensed: l.licensed, Active: l.active, Cookie: l.cookie, Pending: l.frames.Rest(),
	}, l.conn
}

// Detach gives the connection up for another process to Resume. The Client is of no use afterwards.
func (c *Client) Detach() (State, net.Conn, error) {
	l, err := c.taken()
	if err != nil {
		return State{}, nil, err
	}
	s, conn := l.state()
	return s, conn, nil
}

// Resume takes a connection up that was detached: conn carries what was inside its TLS. It returns an error wrapping ErrState.
// Hello is without secrets.
func Resume(conn net.Conn, s State, log *slog.Logger) (*Client, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &link{
		conn: conn, log: log, hello: s.Hello, user: s.User, message: s.Message, channels: s.Channels, shareID: s.ShareID,
		licensed: s.Licensed, active: s.Active, cookie: s.Cookie,
	}
	l.frames = rdp.NewFrameReader(io.MultiReader(bytes.NewReader(s.Pending), conn))
	return &Client{Hello: s.Hello, link: l}, nil
}
