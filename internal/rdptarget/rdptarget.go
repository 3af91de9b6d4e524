// Package rdptarget is the server's side of an RDP connection, played by hand: it takes a client through the handshake
// ([MS-RDPBCGR] 1.3.1.1) as far as one likes, sends what one likes, well formed or not, and tells what the client sent.
// It is the target of tests that need exact pixels, a log of the input that arrived, or a server that misbehaves.
//
//	c := rdptarget.New(conn, rdptarget.Options{Certificate: cert, Size: image.Pt(640, 480)})
//	if err := c.Handshake(); err != nil { … }
//	c.Update(rdp.Update{Code: rdp.UpdateBitmap, Data: rdp.AppendBitmaps(nil, bitmaps)})
//	event, err := c.Next()
//
// Files: rdptarget.go is a connection and what is sent on it, handshake.go its beginning, event.go what the client sends,
// dynamic.go the dynamic channels.
//
// It is no server for anybody's real desktop: whoever connects by TLS is let in.
package rdptarget

import (
	"crypto/tls"
	"fmt"
	"image"
	"io"
	"net"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
)

// Options say what kind of server to be. The zero value, with a Certificate, speaks TLS and shows a desktop of the size
// the client wishes for, of 32 bits a pixel.
type Options struct {
	Certificate tls.Certificate
	// Protocol is the security protocol to select; zero is TLS. With network level authentication Users are the passwords
	// by name, of any domain.
	Protocol rdp.Protocol
	Users    map[string]desktop.Secret
	// Denied refuses who has signed in by rdp.ProtocolHybridEx.
	Denied bool
	// Size is the desktop's, in pixels; zero is what the client wishes for. Depth is in bits a pixel; zero is 32.
	Size  image.Point
	Depth int
	// Confirm, Settings and Capabilities, if set, change what is about to be sent.
	Confirm      func(c *rdp.ConnectionConfirm)
	Settings     func(s *rdp.ServerSettings)
	Capabilities func(sets []rdp.Capability) []rdp.Capability
	// Tap, if set, gets a copy of all that is sent within TLS.
	Tap io.Writer
}

// Conn is one connection of a client. Its methods that send may be called while Next reads.
type Conn struct {
	Options

	// What the client said, set by the handshake.
	Request   rdp.ConnectionRequest
	Asked     rdp.ClientSettings
	Joined    []uint16 // channels, in the order of joining
	Info      rdp.ClientInfo
	Confirmed rdp.ConfirmActive // with each activation

	// Numbers this side gave.
	User, IO, MessageChannel uint16
	ShareID                  uint32

	raw     net.Conn
	frames  *rdp.FrameReader
	pending *rdp.DomainPDU // read and not taken
	queue   []Event        // of a PDU with several
	reading map[uint16]*svc.Assembler
	dynamic dynamic

	mu  sync.Mutex // of writes
	out net.Conn   // raw, then TLS on it
}

const (
	serverUser  = 1002 // the source of a server's PDUs
	ioChannel   = 1003
	firstStatic = 1004
	firstShare  = 0x103ea
)

// New returns a connection before its handshake.
func New(conn net.Conn, o Options) *Conn {
	if o.Protocol == 0 {
		o.Protocol = rdp.ProtocolTLS
	}
	if o.Depth == 0 {
		o.Depth = 32
	}
	return &Conn{
		Options: o, raw: conn, out: conn, frames: rdp.NewFrameReader(conn), IO: ioChannel, ShareID: firstShare,
		reading: make(map[uint16]*svc.Assembler), dynamic: newDynamic(),
	}
}

// Close ends the connection without a word.
func (c *Conn) Close() error { return c.raw.Close() }

// Write sends bytes as they are, within TLS once there is TLS.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Tap != nil && c.out != c.raw {
		if n, err := c.Tap.Write(b); err != nil {
			return n, err
		}
	}
	return c.out.Write(b)
}

// Read reads what the client sends as it is, within TLS once there is TLS: for who speaks to it by other means than Next.
func (c *Conn) Read(b []byte) (int, error) { return c.out.Read(b) }

// Drain reads and forgets what the client sends until it hangs up.
func (c *Conn) Drain() { _, _ = io.Copy(io.Discard, c.out) }

func (c *Conn) write(b []byte) error {
	_, err := c.Write(b)
	return err
}

// Channel returns the number of a static channel the client asked for by name.
func (c *Conn) Channel(name string) (uint16, bool) {
	for i, def := range c.Asked.Channels {
		if def.Name == name {
			return uint16(firstStatic + i), true
		}
	}
	return 0, false
}

func (c *Conn) channelName(id uint16) (string, bool) {
	if i := int(id) - firstStatic; i >= 0 && i < len(c.Asked.Channels) {
		return c.Asked.Channels[i].Name, true
	}
	return "", false
}

// SendOn sends data on an MCS channel.
func (c *Conn) SendOn(channel uint16, data []byte) error {
	return c.write(rdp.AppendChannelData(nil, rdp.MCSSendDataIndication, serverUser, channel, func(b []byte) []byte {
		return append(b, data...)
	}))
}

// SendShare sends a share control PDU.
func (c *Conn) SendShare(kind rdp.ShareKind, body []byte) error {
	return c.SendOn(c.IO, rdp.AppendShareControl(nil, kind, serverUser, func(b []byte) []byte { return append(b, body...) }))
}

// ShareData returns a share data PDU.
func (c *Conn) ShareData(kind rdp.DataKind, body []byte) []byte {
	return rdp.AppendShareData(nil, kind, serverUser, c.ShareID, func(b []byte) []byte { return append(b, body...) })
}

// SendData sends a share data PDU.
func (c *Conn) SendData(kind rdp.DataKind, body []byte) error {
	return c.SendOn(c.IO, c.ShareData(kind, body))
}

// Update sends an update on the fast path.
func (c *Conn) Update(u rdp.Update) error { return c.write(rdp.AppendUpdate(nil, u)) }

// SendStatic sends a message on a static channel, in chunks.
func (c *Conn) SendStatic(name string, message []byte) error {
	id, ok := c.Channel(name)
	if !ok {
		return fmt.Errorf("rdptarget: the client has no channel %q", name)
	}
	for header, part := range svc.Chunks(message, svc.DefaultChunkBytes, 0) {
		if err := c.SendOn(id, append(header.Append(nil), part...)); err != nil {
			return err
		}
	}
	return nil
}

// Disconnect tells the client that it is over, for a reason unless it is rdp.ErrorInfoNone. The client hangs up.
func (c *Conn) Disconnect(reason rdp.ErrorInfo) error {
	if reason != rdp.ErrorInfoNone {
		if err := c.SendData(rdp.DataSetErrorInfo, reason.Append(nil)); err != nil {
			return err
		}
	}
	ultimatum := rdp.DomainPDU{Kind: rdp.MCSDisconnectProviderUltimatum, Reason: rdp.ReasonProviderInitiated}
	return c.write(rdp.AppendX224Data(nil, ultimatum.Append))
}
