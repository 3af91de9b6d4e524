// Package rdpclient is a desktop.Source for targets that speak RDP ([MS-RDPBCGR] and the protocols around it).
//
// # Layers
//
//	client.go      the life of a target: connecting, reconnecting, redirection
//	connect.go     one connection's handshake: security, settings, channels, licensing
//	activate.go    the share: capabilities, finalization, size
//	session.go     one connection once it is up: reading, dispatching, the end
//	graphics.go    bitmap updates and surface commands into the framebuffer
//	pointer.go     pointer shapes and their cache
//	channels.go    static channels: clipboard, and the dynamic ones: graphics pipeline (package gfx), display control
//	input.go       keys, text, pointer and wheel
//
// Goroutines of a connection: the caller's in Run, which reads, decodes and draws, and a writer that empties the outbox.
// Nothing the reading goroutine does waits for the target to read, so the two directions cannot block each other.
//
// # What is never opened
//
// Drives, printers, devices, sound, and files on the clipboard. Updates are never suppressed: a recording always needs
// the picture.
package rdpclient

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"sync/atomic"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/trust"
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
	size    atomic.Pointer[image.Point]
}

// New returns a Client, or an error about the configuration. It starts nothing.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg}
	c.size.Store(&cfg.Size)
	return c, nil
}

// carried is what one connection leaves to the next.
type carried struct {
	policy    trust.Policy
	cookie    *rdp.ReconnectCookie
	redirect  *rdp.Redirection
	address   string            // to dial again; empty is the configured one
	locks     *desktop.LockKeys // what the person has locked; nil: not told yet
	connected bool              // the Observer has heard of it
	lost      bool              // it has heard that the link is lost, and not that it is restored
	redirects int               // in a row
	until     time.Time         // when a broken connection is given up; zero: it is not broken
	pause     time.Duration
}

// Run implements desktop.Source. A connection that breaks is tried again for Config.ReconnectFor, with the cookie that
// gives the session back; a redirection is followed.
func (c *Client) Run(ctx context.Context, conn net.Conn, fb *desktop.Framebuffer) error {
	if c.started.Swap(true) {
		conn.Close()
		return errors.New("rdpclient: Run was called before")
	}
	kept := &carried{policy: c.cfg.TLS}
	for {
		err := c.connection(ctx, conn, fb, kept)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		elsewhere, redirected := errors.AsType[*redirectError](err)
		switch {
		case redirected:
			conn, err = c.follow(ctx, &elsewhere.to, kept)
		case broken(err) && kept.connected:
			conn, err = c.reconnect(ctx, err, kept)
		default:
			return err
		}
		if ctx.Err() != nil {
			if conn != nil {
				conn.Close()
			}
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// connection is one connection's whole life.
func (c *Client) connection(ctx context.Context, conn net.Conn, fb *desktop.Framebuffer, kept *carried) error {
	defer conn.Close()
	s := newSession(&c.cfg, conn, fb, kept)
	s.wished, s.input.locks = *c.size.Load(), kept.locks
	if err := s.connect(ctx); err != nil {
		return err
	}
	begun := time.Now()
	defer c.live.Store(nil)
	err := s.run(ctx, func() { c.live.Store(s) })
	kept.locks = s.locked()
	if time.Since(begun) >= steadyAfter {
		kept.until, kept.redirects = time.Time{}, 0
	}
	return err
}

// follow connects to where the target sends the gateway ([MS-RDPBCGR] 1.3.8).
func (c *Client) follow(ctx context.Context, to *rdp.Redirection, kept *carried) (net.Conn, error) {
	if kept.redirects++; kept.redirects > maxRedirects {
		return nil, protocolError("the target redirected the connection %d times in a row", kept.redirects)
	}
	if to.Flags&rdp.RedirectPasswordEncrypted != 0 {
		return nil, securityError("the target redirects with an encrypted password (RDSTLS), which is not supported")
	}
	host := to.TargetFQDN
	if host == "" {
		host = to.TargetNetAddress
	}
	address := ""
	if to.TargetNetAddress != "" && len(to.LoadBalanceInfo) == 0 {
		address = net.JoinHostPort(to.TargetNetAddress, "3389")
	}
	if c.cfg.Redial == nil {
		return nil, fmt.Errorf("rdpclient: the target redirects the connection, which is not allowed: %w", desktop.ErrSecurity)
	}
	conn, err := c.cfg.Redial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("rdpclient: the target redirects the connection: %w: %w", desktop.ErrTargetGone, err)
	}
	if host != "" && kept.policy.Fingerprint == (trust.Fingerprint{}) {
		kept.policy.ServerName = host
	}
	kept.redirect, kept.cookie, kept.address = to, nil, address
	if kept.connected {
		c.lose(kept)
	}
	c.cfg.Logger.Info("target redirected", "address", address, "server_name", host)
	return conn, nil
}

// lose tells an observer that minds that the desktop is not there for a while.
func (c *Client) lose(kept *carried) {
	if kept.lost {
		return
	}
	kept.lost = true
	if o, ok := c.cfg.Observer.(desktop.LinkObserver); ok {
		o.LinkLost()
	}
}

// reconnect gives a new connection for one that broke with err, or err when there is none in time.
func (c *Client) reconnect(ctx context.Context, err error, kept *carried) (net.Conn, error) {
	if c.cfg.Redial == nil || c.cfg.ReconnectFor < 0 {
		return nil, err
	}
	if kept.until.IsZero() {
		kept.until, kept.pause = time.Now().Add(c.cfg.ReconnectFor), firstRetry
		c.cfg.Logger.Warn("connection to the target broke, reconnecting", "error", err)
	}
	c.lose(kept)
	limited, cancel := context.WithDeadline(ctx, kept.until)
	defer cancel()
	for {
		select {
		case <-time.After(kept.pause):
		case <-limited.Done():
			return nil, err
		}
		kept.pause = min(2*kept.pause, lastRetry)
		conn, redialled := c.cfg.Redial(limited, kept.address)
		if redialled == nil {
			return conn, nil
		}
		c.cfg.Logger.Debug("target not reached", "error", redialled)
	}
}

// Send implements desktop.Source.
func (c *Client) Send(in desktop.Input) error {
	s := c.live.Load()
	if s == nil {
		return desktop.ErrNotConnected
	}
	return s.send(in)
}

// Resize implements desktop.Resizer, by the display control channel ([MS-RDPEDISP]).
func (c *Client) Resize(size image.Point) error {
	s := c.live.Load()
	if s == nil {
		return desktop.ErrNotConnected
	}
	size = wishedSize(size)
	if err := s.resize(size); err != nil {
		return err
	}
	c.size.Store(&size) // a reconnection asks for it at once
	return nil
}
