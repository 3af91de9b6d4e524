// Package vncclient is a desktop.Source for targets that speak RFB, better known as VNC ([RFC 6143] and the
// extensions collected in rfbproto).
//
// It stands on github.com/mitchellh/go-vnc, which keeps the connection object and dispatches messages, and
// extends it only from outside, through the seams it has:
//
//   - conn is the net.Conn it reads: buffered, upgradeable to TLS, with deadlines, and with a handshake script.
//     INVARIANT: go-vnc parses nothing from the network but the type byte of a message. What it reads in the
//     handshake has been read and checked here before (handshake.go), which also lets servers of RFB 3.3 and
//     3.7 in;
//   - message replaces every server message, also those the library knows, because its own are slow or wrong;
//   - encoding feeds the decoders of codec/rfbenc;
//   - the security types are ClientAuths, among them VeNCrypt with X.509 certificates.
//
// Goroutines of a session: the caller's in Run, go-vnc's loop, which reads, decodes and draws, and a writer
// that empties the outbox. Nothing the reading goroutine does waits for the target to read, so the two
// directions cannot block each other.
package vncclient

import (
	"context"
	"errors"
	"image"
	"net"
	"sync"
	"sync/atomic"
	"time"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

var (
	_ desktop.Source  = (*Client)(nil)
	_ desktop.Resizer = (*Client)(nil)
)

// Client is one target. It serves one session: Run is called once.
type Client struct {
	cfg     Config
	started atomic.Bool
	live    atomic.Pointer[session] // set while input is accepted
}

// New returns a Client, or an error about the configuration. It starts nothing.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg}, nil
}

// Run implements desktop.Source. RFB has no farewell: a session ends with an error, or with the cause of ctx.
func (c *Client) Run(ctx context.Context, nc net.Conn, fb *desktop.Framebuffer) error {
	defer nc.Close()
	if c.started.Swap(true) {
		return errors.New("vncclient: Run was called before")
	}
	s := newSession(c.cfg, nc, fb)
	vc, err := s.connect(ctx)
	if err != nil {
		return err
	}

	var writer sync.WaitGroup
	writer.Go(s.write)
	s.start(vc)
	c.live.Store(s)
	s.log.Info("target connected", "width", s.size.X, "height", s.size.Y, "rfb_minor", s.minor)
	s.cfg.Observer.Connected(s.name)
	s.conn.begin()
	select {
	case <-s.conn.closed:
	case <-ctx.Done():
		s.blame(context.Cause(ctx))
		c.live.Store(nil)
		s.releaseHeld()
		s.out.Flush(releaseTimeout)
	}
	c.live.Store(nil)
	_ = nc.Close()
	s.out.Close()
	writer.Wait()
	<-s.conn.closed // go-vnc's loop closes the connection when it returns
	return s.cause()
}

// connect performs the handshake. When it succeeds, go-vnc's loop runs and waits for conn.begin.
func (s *session) connect(ctx context.Context) (*vnc.ClientConn, error) {
	if err := s.conn.raw.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout)); err != nil {
		return nil, streamError("setting the deadline of the handshake", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	vc, err := s.handshake()
	if !stop() {
		// The deadline may have been moved since: only closing ends go-vnc's loop for certain.
		if _ = s.conn.raw.Close(); err == nil {
			s.conn.begin()
			<-s.conn.closed
		}
		return nil, context.Cause(ctx)
	}
	return vc, err
}

// Send implements desktop.Source.
func (c *Client) Send(in desktop.Input) error {
	s := c.live.Load()
	if s == nil {
		return desktop.ErrNotConnected
	}
	return s.send(in)
}

// Resize implements desktop.Resizer. A target that refuses says so later, which is logged.
func (c *Client) Resize(size image.Point) error {
	s := c.live.Load()
	if s == nil {
		return desktop.ErrNotConnected
	}
	return s.resize(size)
}
