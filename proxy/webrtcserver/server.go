package webrtcserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
)

// Config is what a Server needs. Conn, Logger, Video, Screen and Handler are required.
type Config struct {
	// Conn is the session's UDP socket. The Server owns it and closes it when Run ends.
	Conn net.PacketConn
	// TCPListener, where not nil, serves ICE-TCP for browsers that UDP does not reach. Owned like Conn.
	TCPListener net.Listener
	// PublicAddresses are the IP addresses named in ICE candidates, with Conn's port; empty means those Conn
	// is bound to.
	PublicAddresses []string
	Logger          *slog.Logger
	Video           Streamer
	Screen          Screen
	Handler         Handler
	// Session is told to browsers.
	Session string
	// Owner is the id of the person whose session it is: theirs are the viewers that SetFreeze stops, and who reads messages.
	Owner string
	// Resizable says that the target may take another size.
	Resizable bool
	// Figures, where not nil, answers pings with the encoder's figures.
	Figures func() Figures
	// OnEstimate, where not nil, is told the estimated bandwidth to the viewer in control, in bits a second,
	// whenever it changes.
	OnEstimate func(bitsPerSecond int)
	// Rates bound the estimate.
	Rates Rates
	// MaxViewers bounds the viewers, connecting ones counted. Zero: DefaultMaxViewers.
	MaxViewers int
}

// Offer is a WHEP offer.
type Offer struct {
	ViewerID      string // empty: one is made
	Person        Person
	Role          Role // what is asked for
	ClientAddress string
	SDP           string
	// Announced says that the session's own person is told that this one watches, which this one is shown.
	Announced bool
}

// Answer is what the browser gets.
type Answer struct {
	ViewerID string
	SDP      string
}

// Server shows one session to browsers. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	log     *slog.Logger
	network fixedNet
	ice     iceTimes
	offers  chan *viewer  // unbuffered: from Offer to Run
	done    chan struct{} // closed when Run ends

	// acting is held while input passes to the Handler and while viewers come and go, so that the releases
	// of one viewer come before the presses of the next. It is taken before mu. SetTakenOver does without: who calls it has released
	// what was held, and lets nothing of others through.
	acting sync.Mutex

	mu      sync.Mutex
	viewers map[string]*viewer
	control *viewer // the one with RoleControl unless somebody has taken over, or nil; written with acting held
	over    TakenOver
	freeze  *Freeze // nil: the session's person sees it
	// question is what is asked; nil: nothing.
	question *Question
	texts    []Message
	watched  []Watcher
	state    stateReply
	ending   Ending // no Code: none is foreseen
	name     string
	cursor   []byte // the last cursor message
	ended    bool
	clipID   int64
}

// New checks the configuration. The Server works while Run runs.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Conn == nil:
		return nil, errors.New("webrtc: no UDP socket")
	case cfg.Logger == nil || cfg.Video == nil || cfg.Screen == nil || cfg.Handler == nil:
		return nil, errors.New("webrtc: logger, video, screen and handler are required")
	case cfg.MaxViewers < 0:
		return nil, fmt.Errorf("webrtc: at most %d viewers", cfg.MaxViewers)
	}
	if cfg.MaxViewers == 0 {
		cfg.MaxViewers = DefaultMaxViewers
	}
	for _, a := range cfg.PublicAddresses {
		if net.ParseIP(a) == nil {
			return nil, fmt.Errorf("webrtc: public address %q is no IP address", a)
		}
	}
	cfg.Rates = cfg.Rates.withDefaults()
	ip, err := localIP(cfg.Conn.LocalAddr())
	if err != nil {
		return nil, err
	}
	network, err := newFixedNet(ip)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:     cfg,
		log:     cfg.Logger,
		network: network,
		ice:     iceTimes{disconnectedAfter, failedAfter, keepalive},
		offers:  make(chan *viewer),
		done:    make(chan struct{}),
		viewers: make(map[string]*viewer),
		state:   stateReply{T: "state", State: StateActive},
	}
	if s.cursor, err = encodeCursor(cfg.Screen.Cursor()); err != nil {
		s.log.Warn("pointer shape not shown", "error", err)
	}
	return s, nil
}

// Run serves until ctx ends, then lets every viewer go and closes the sockets. It returns nil, or why it could
// not begin. It is called once.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.done)
	e, err := newEngine(&s.cfg, s.network, s.ice)
	if err != nil {
		_ = s.cfg.Conn.Close()
		if s.cfg.TCPListener != nil {
			_ = s.cfg.TCPListener.Close()
		}
		return err
	}
	defer e.close()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errShutdown)

	wg.Go(func() { s.watchCursor(ctx) })
	for {
		select {
		case v := <-s.offers:
			wg.Go(func() { v.run(ctx, e) })
		case <-ctx.Done():
			return nil
		}
	}
}

// Offer answers a WHEP offer. Before Run has begun it waits. It returns an error wrapping ErrOffer,
// ErrTooManyViewers or ErrControlTaken, or ErrClosed.
func (s *Server) Offer(ctx context.Context, o Offer) (Answer, error) {
	if _, err := ParseRole(string(o.Role)); err != nil {
		return Answer{}, err
	}
	if err := checkOffer(o.SDP); err != nil {
		return Answer{}, err
	}
	if o.ViewerID == "" {
		o.ViewerID = rand.Text()
	}
	v := newViewer(s, o)
	select {
	case s.offers <- v:
	case <-s.done:
		return Answer{}, ErrClosed
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	select {
	case r := <-v.answer:
		return Answer{ViewerID: o.ViewerID, SDP: r.sdp}, r.err
	case <-ctx.Done():
		_ = s.CloseViewer(o.ViewerID, "the offer was withdrawn")
		return Answer{}, context.Cause(ctx)
	}
}

// AddCandidates adds the candidates of a trickled SDP fragment. It returns an error wrapping ErrFragment or
// ErrUnknownViewer.
func (s *Server) AddCandidates(viewerID, fragment string) error {
	v, err := s.viewer(viewerID)
	if err != nil {
		return err
	}
	candidates, err := parseFragment(fragment)
	if err != nil {
		return err
	}
	return v.addCandidates(candidates)
}

// CloseViewer ends one viewer, giving the reason to the Handler. It does not wait for the end. It returns an
// error wrapping ErrUnknownViewer.
func (s *Server) CloseViewer(viewerID, reason string) error {
	v, err := s.viewer(viewerID)
	if err != nil {
		return err
	}
	v.end(errors.New(reason))
	return nil
}

// Viewers returns who is connected.
func (s *Server) Viewers() []Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var viewers []Viewer
	for _, v := range s.connected() {
		viewers = append(viewers, v.info())
	}
	return viewers
}

func (s *Server) viewer(id string) (*viewer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.viewers[id]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownViewer, id)
	}
	return v, nil
}

// connected needs mu.
func (s *Server) connected() []*viewer {
	var viewers []*viewer
	for _, v := range s.viewers {
		if v.joined {
			viewers = append(viewers, v)
		}
	}
	return viewers
}
