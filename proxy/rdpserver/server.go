package rdpserver

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// DefaultMaxViewers bounds the native clients of one session.
const DefaultMaxViewers = 16

// What Admit returns.
var (
	// ErrClosed: the session has ended, or nobody runs the Server.
	ErrClosed = errors.New("rdpserver: the session has ended")
	// ErrTooManyViewers: there is no room for another client.
	ErrTooManyViewers = errors.New("rdpserver: too many viewers")
	// ErrControlTaken: somebody else controls the desktop.
	ErrControlTaken = errors.New("rdpserver: the desktop is controlled by somebody else")
	// ErrUnknownViewer: there is no such viewer.
	ErrUnknownViewer = errors.New("rdpserver: no such viewer")
)

// Role is what a viewer may do.
type Role string

// The roles.
const (
	RoleControl Role = "control" // its input reaches the target
	RoleView    Role = "view"
)

// Person is who sits at the client.
type Person struct{ ID, Name string }

// Viewer is one client.
type Viewer struct {
	ID      string
	Person  Person
	Role    Role
	Address string // where the connection came from
	Client  string // the name the client gives itself
	// Announced says that the session's own person is to know that this one watches.
	Announced bool
}

// SessionState is where the session stands, as its viewers see it.
type SessionState string

// The states.
const (
	SessionActive SessionState = "active"
	SessionFrozen SessionState = "frozen"
	SessionEnded  SessionState = "ended"
)

// Ending is the end of the session that is foreseen. Without a message there is none.
type Ending struct {
	Message  string
	Deadline time.Time
}

// ServerHandler hears what viewers do. Its methods are called from the goroutines of viewers.
type ServerHandler interface {
	// Input is one act of a viewer with control. It may block for a bounded time. The text of an error is for the person.
	Input(v Viewer, in desktop.Input) error
	// Resize asks for another desktop size.
	Resize(v Viewer, size image.Point) error
	// ViewerJoined is called before any other call about a viewer, ViewerLeft last, once for every ViewerJoined.
	ViewerJoined(v Viewer)
	ViewerLeft(v Viewer, reason string)
	// RoleChanged is called when a viewer won or lost control.
	RoleChanged(v Viewer)
	// Acknowledged is called when a viewer has clicked a message away.
	Acknowledged(v Viewer, message string)
	// Answered is called when a viewer has answered a question: with a reason, or that nothing is to be done. The text of an error is for
	// the person, who may try again.
	Answered(v Viewer, question, reason string, refuse bool) error
	// Refused tells of something that was malformed or not allowed: what kind, and why, without its content.
	Refused(v Viewer, what, why string)
}

// ServerConfig is what a Server needs.
type ServerConfig struct {
	Framebuffer *desktop.Framebuffer
	Video       Streamer
	Handler     ServerHandler
	Logger      *slog.Logger
	// Resizable says that the target may take another size.
	Resizable  bool
	MaxViewers int // 0: DefaultMaxViewers
	// Owner is the id of the session's own person, who is frozen out, told and watched.
	Owner string
}

// Server shows one session to native clients. Its methods may be called from any goroutine.
type Server struct {
	cfg    ServerConfig
	log    *slog.Logger
	admits chan *viewer  // unbuffered: from Admit to Run
	done   chan struct{} // closed when Run ends

	mu      sync.Mutex
	viewers map[string]*viewer
	state   SessionState
	reason  rdp.ErrorInfo // of the end
	message string        // of the state, for people
	ending  Ending
	freeze  *Freeze // nil: none
	over    TakenOver
	told    []Message // not acknowledged, the oldest first
	watched []string  // by whom, by name

	question *Question // nil: none
	answer   answer    // to it, as far as it is written
}

// NewServer checks the configuration. The Server works while Run runs.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Framebuffer == nil || cfg.Video == nil || cfg.Handler == nil || cfg.Logger == nil {
		return nil, errors.New("rdpserver: framebuffer, video, handler and logger are required")
	}
	if cfg.MaxViewers == 0 {
		cfg.MaxViewers = DefaultMaxViewers
	}
	return &Server{
		cfg: cfg, log: cfg.Logger, admits: make(chan *viewer), done: make(chan struct{}), viewers: map[string]*viewer{}, state: SessionActive,
	}, nil
}

// viewer is one client in the session.
type viewer struct {
	s       *Server
	client  *Client
	end     context.CancelCauseFunc // set before it is registered
	joined  bool                    // guarded by Server.mu, like what follows
	info    Viewer
	conn    *Conn           // nil until it is active
	notice  string          // for this one alone
	buttons desktop.Buttons // held
	clicked desktop.Buttons // pressed on the banner, and not for the desktop
}

// Arrival is a client that serve has accepted.
type Arrival struct {
	Viewer Viewer // ID, Person, Role and Address are set
	Conn   net.Conn
	State  State
}

// Run serves until ctx ends, then lets every viewer go.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.done)
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { cancel(&endError{reason: rdp.ErrorInfoLogoffByAdmin, text: "the session has ended"}) }()
	for {
		select {
		case v := <-s.admits:
			wg.Go(func() { v.run(ctx) })
		case <-ctx.Done():
			return nil
		}
	}
}

// Admit lets a client in. The Server owns its connection, also when there is an error.
func (s *Server) Admit(ctx context.Context, a Arrival) error {
	client, err := Resume(a.Conn, a.State, s.log.With("viewer", a.Viewer.ID))
	if err != nil {
		_ = a.Conn.Close()
		return err
	}
	a.Viewer.Client = client.Hello.ClientName
	v := &viewer{s: s, client: client, info: a.Viewer}
	if err := s.add(v); err != nil {
		return errors.Join(err, client.Refuse(ctx, refusal(err)))
	}
	select {
	case s.admits <- v:
		return nil
	case <-s.done:
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.remove(v)
	_ = client.Close()
	return err
}

// Turn sends an arrival away for a reason that Admit has not to find out: one of its errors. The Server owns its connection.
func (s *Server) Turn(ctx context.Context, a Arrival, why error) error {
	client, err := Resume(a.Conn, a.State, s.log)
	if err != nil {
		return errors.Join(err, a.Conn.Close())
	}
	return client.Refuse(ctx, refusal(why))
}

// refusal is RDP's word for an error of Admit.
func refusal(err error) rdp.ErrorInfo {
	if errors.Is(err, ErrControlTaken) {
		return rdp.ErrorInfoOtherConnection
	}
	return rdp.ErrorInfoServerDenied
}

// add makes room for a viewer.
func (s *Server) add(v *viewer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == SessionEnded:
		return ErrClosed
	case v.info.ID == "" || s.viewers[v.info.ID] != nil:
		return fmt.Errorf("rdpserver: viewer %q exists", v.info.ID)
	case len(s.viewers) >= s.cfg.MaxViewers:
		return fmt.Errorf("%w: %d, at most %d", ErrTooManyViewers, len(s.viewers), s.cfg.MaxViewers)
	case v.info.Role == RoleControl:
		if by := s.controlledBy(); by != nil && by.info.Person.ID != v.info.Person.ID {
			return fmt.Errorf("%w: %s", ErrControlTaken, by.info.Person.Name)
		}
	}
	s.viewers[v.info.ID] = v
	return nil
}

// controlledBy returns the viewer with control, or nil. It needs mu.
func (s *Server) controlledBy() *viewer {
	for _, v := range s.viewers {
		if v.info.Role == RoleControl && v.joined {
			return v
		}
	}
	return nil
}

func (s *Server) remove(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v.info.ID)
}

// endError is why a viewer is let go.
type endError struct {
	reason rdp.ErrorInfo
	text   string
}

func (e *endError) Error() string { return e.text }

// run is a viewer's life.
func (v *viewer) run(ctx context.Context) {
	s := v.s
	defer s.remove(v)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	activation, stop := context.WithTimeoutCause(ctx, activateTimeout, ErrTimeout)
	conn, err := v.client.Activate(activation, s.cfg.Framebuffer.Size())
	stop()
	if err != nil {
		s.log.Info("viewer did not come", "person", v.info.Person.Name, "reason", err.Error())
		return
	}
	v.join(conn, cancel)
	err = conn.Serve(ctx, Desktop{Framebuffer: s.cfg.Framebuffer, Video: s.cfg.Video, Handler: v, Clipboard: true})
	v.leave(err)
	reason := rdp.ErrorInfoNone
	if end, ok := errors.AsType[*endError](err); ok {
		reason = end.reason
	}
	if err := conn.Disconnect(context.WithoutCancel(ctx), reason); err != nil {
		s.log.Debug("viewer gone before its end", "error", err)
	}
}

// join makes an active client a viewer. If it wants control it gets it now, from another window of the same person if there is one.
func (v *viewer) join(conn *Conn, cancel context.CancelCauseFunc) {
	s := v.s
	s.mu.Lock()
	var previous *viewer
	if v.info.Role == RoleControl {
		switch previous = s.controlledBy(); {
		case previous == nil:
		case previous.info.Person.ID == v.info.Person.ID:
			previous.info.Role = RoleView
		default:
			previous, v.info.Role = nil, RoleView
		}
	}
	v.conn, v.end, v.joined = conn, cancel, true
	s.decorate(v)
	info := v.info
	var lost Viewer
	if previous != nil {
		lost = previous.info
	}
	s.mu.Unlock()
	if previous != nil {
		s.cfg.Handler.RoleChanged(lost)
	}
	if info.Role == RoleControl && s.cfg.Resizable {
		conn.wish(conn.Hello().Size) // a native client's window has the size its person chose
	}
	s.log.Info("viewer joined", "viewer", info.ID, "person", info.Person.Name, "role", info.Role, "address", info.Address, "client", info.Client)
	s.cfg.Handler.ViewerJoined(info)
	s.mu.Lock()
	ended := s.state == SessionEnded
	s.mu.Unlock()
	if ended {
		cancel(s.farewell())
	}
}

func (v *viewer) leave(reason error) {
	s := v.s
	s.mu.Lock()
	v.joined = false
	info := v.info
	s.mu.Unlock()
	text := "the client left"
	if reason != nil {
		text = reason.Error()
	}
	s.log.Info("viewer left", "viewer", info.ID, "person", info.Person.Name, "role", info.Role, "reason", text)
	s.cfg.Handler.ViewerLeft(info, text)
}

func (v *viewer) now() Viewer {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.info
}

// Input implements Handler. What a viewer without control does is dropped without blame: it may have lost it a moment ago.
func (v *viewer) Input(in desktop.Input) error {
	if p, ok := in.(desktop.PointerEvent); ok && v.dismiss(p) {
		return nil
	}
	if v.answers(in) {
		return nil
	}
	info, acts := v.acts()
	if !acts {
		return nil
	}
	return v.s.cfg.Handler.Input(info, in)
}

// acts tells whether what a viewer does counts: it has control, and nobody else has taken over.
func (v *viewer) acts() (Viewer, bool) {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over.Viewer != "":
		return v.info, s.over.Viewer == v.info.ID
	case s.freeze != nil && v.info.Person.ID == s.cfg.Owner:
		return v.info, false
	}
	return v.info, v.info.Role == RoleControl
}

// Resize implements Handler.
func (v *viewer) Resize(size image.Point) error {
	info, acts := v.acts()
	if !acts || !v.s.cfg.Resizable {
		return nil
	}
	return v.s.cfg.Handler.Resize(info, size)
}

// Refused implements Handler.
func (v *viewer) Refused(what, why string) { v.s.cfg.Handler.Refused(v.now(), what, why) }

// SetState shows the session's state to every viewer, and lets them go after SessionEnded. message is for people; reason is what a
// client is told of the end.
func (s *Server) SetState(state SessionState, reason rdp.ErrorInfo, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.reason, s.message = state, reason, message
	for _, v := range s.viewers {
		if v.conn == nil {
			continue
		}
		s.decorate(v)
		if state == SessionEnded {
			v.end(s.farewell())
		}
	}
}

// farewell is the end the viewers are told. It needs no lock: the state does not change any more.
func (s *Server) farewell() error { return &endError{s.reason, s.message} }

// SetEnding shows that the session is going to end, or with the zero value that it is not any more.
func (s *Server) SetEnding(e Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = e
	s.decorateAll()
}

// SendClipboard offers text to the viewer in control. It returns an error wrapping ErrUnknownViewer when there is none.
func (s *Server) SendClipboard(text string) error {
	s.mu.Lock()
	v := s.controlledBy()
	var conn *Conn
	if v != nil {
		conn = v.conn
	}
	s.mu.Unlock()
	if conn == nil {
		return ErrUnknownViewer
	}
	return conn.SendClipboard(text)
}

// Bell rings at every viewer.
func (s *Server) Bell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if v.conn != nil {
			v.conn.Bell()
		}
	}
}

// Yield takes control away from the viewer that has it, if one has, and shows it a notice.
func (s *Server) Yield(notice string) {
	if v, ok := s.Controller(); ok {
		_ = s.SetRole(v.ID, RoleView, notice) // it may have left
	}
}

// Controller returns the viewer with control; ok is unset when none has it.
func (s *Server) Controller() (v Viewer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.controlledBy(); c != nil {
		return c.info, true
	}
	return Viewer{}, false
}

// SetRole gives a viewer control or takes it away, and shows it a notice until the next time. It returns an error wrapping ErrUnknownViewer. Nobody else loses control by it.
func (s *Server) SetRole(id string, role Role, notice string) error {
	s.mu.Lock()
	v := s.viewers[id]
	if v == nil || !v.joined {
		s.mu.Unlock()
		return fmt.Errorf("%w %q", ErrUnknownViewer, id)
	}
	changed := v.info.Role != role
	v.info.Role, v.notice = role, notice
	info := v.info
	s.decorate(v)
	s.mu.Unlock()
	if changed {
		s.cfg.Handler.RoleChanged(info)
	}
	return nil
}

// CloseViewer ends one viewer, giving the reason to the Handler. It returns an error wrapping ErrUnknownViewer.
func (s *Server) CloseViewer(id, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.viewers[id]
	if v == nil || v.end == nil {
		return fmt.Errorf("%w %q", ErrUnknownViewer, id)
	}
	v.end(&endError{rdp.ErrorInfoDisconnectByAdmin, reason})
	return nil
}

// Viewers returns who is connected.
func (s *Server) Viewers() []Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Viewer
	for _, v := range s.viewers {
		if v.joined {
			all = append(all, v.info)
		}
	}
	return all
}
