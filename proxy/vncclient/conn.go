package vncclient

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/codec/rfbenc"
)

// conn is the connection as go-vnc and the security types see it. Only the goroutine that reads uses it, but
// for Close and the transport's writes.
type conn struct {
	net.Conn // of go-vnc: addresses only

	s         *session
	raw       net.Conn // what was dialled
	transport net.Conn // raw, or TLS on it
	in        *rfbenc.Reader

	// The handshake as go-vnc sees it: it reads script before the network, and the first swallow bytes it
	// writes were sent already.
	script  []byte
	swallow int
	ready   bool // the handshake is over: deadlines per read, writes through the outbox

	begun chan struct{} // closed by begin

	inMessage bool // a message has begun, so silence is bounded
	bounded   bool // a read deadline is set

	closeOnce sync.Once
	closed    chan struct{} // closed by Close, which go-vnc calls when its loop returns
}

func newConn(nc net.Conn, s *session) *conn {
	c := &conn{Conn: nc, s: s, raw: nc, transport: nc, begun: make(chan struct{}), closed: make(chan struct{})}
	c.in = rfbenc.NewReader(wire{c})
	return c
}

// wire reads the transport with the deadline that fits.
type wire struct{ c *conn }

func (w wire) Read(p []byte) (int, error) {
	c := w.c
	if c.ready {
		switch {
		case c.inMessage:
			if err := c.transport.SetReadDeadline(time.Now().Add(messageProgress)); err != nil {
				return 0, err
			}
			c.bounded = true
		case c.bounded:
			if err := c.transport.SetReadDeadline(time.Time{}); err != nil {
				return 0, err
			}
			c.bounded = false
		}
	}
	return c.transport.Read(p)
}

// Read gives go-vnc its script and then the network: the type byte of each message.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.script) > 0 {
		n := copy(p, c.script)
		c.script = c.script[n:]
		return n, nil
	}
	if c.ready {
		<-c.begun
	}
	n, err := c.in.Read(p)
	if err != nil && c.ready {
		c.s.fail(streamError("waiting for a message", err))
	}
	return n, err
}

// Write sends p whole: at once in the handshake, later through the outbox.
func (c *conn) Write(p []byte) (int, error) {
	if c.swallow > 0 {
		c.swallow -= len(p)
		return len(p), nil
	}
	if !c.ready {
		return c.transport.Write(p)
	}
	return len(p), c.s.out.Add(func(b []byte) []byte { return append(b, p...) })
}

// Close ends the connection without a TLS farewell, which could block.
func (c *conn) Close() error {
	err := c.raw.Close()
	c.closeOnce.Do(func() { close(c.closed) })
	return err
}

// upgrade continues the connection in TLS. What came in clear text behind the answer that announced TLS was
// not protected and is refused.
func (c *conn) upgrade(cfg *tls.Config) error {
	if n := c.in.Buffered(); n > 0 {
		return protocolError("%d bytes in clear text before TLS", n)
	}
	t := tls.Client(c.raw, cfg)
	if err := t.Handshake(); err != nil {
		return err
	}
	c.transport = t
	return nil
}

// established switches from the handshake to the session.
func (c *conn) established() { c.ready, c.bounded = true, true }

// begin lets go-vnc's loop read: whoever hears of the connection has heard by now.
func (c *conn) begin() { close(c.begun) }

// remoteHost returns the address dialled, without the port.
func (c *conn) remoteHost() string {
	addr := c.raw.RemoteAddr()
	if addr == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	return host
}
