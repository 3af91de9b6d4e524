package rdpclient

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"net"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/kerberos"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// Security says which security protocols are good. Standard RDP security never is.
type Security int

// The choices.
const (
	// SecurityAny takes network level authentication where the target offers it, else TLS.
	SecurityAny Security = iota
	// SecurityNLA takes network level authentication only.
	SecurityNLA
	// SecurityTLS takes TLS only: the target asks for the credentials on its own screen, or takes those sent.
	SecurityTLS
)

// protocols returns what is asked for.
func (s Security) protocols() rdp.Protocol {
	switch s {
	case SecurityNLA:
		return rdp.ProtocolHybrid | rdp.ProtocolHybridEx
	case SecurityTLS:
		return rdp.ProtocolTLS
	}
	return rdp.ProtocolTLS | rdp.ProtocolHybrid | rdp.ProtocolHybridEx
}

// Graphics is a set of ways in which the target may send its picture, beyond bitmap updates and uncompressed surface
// commands, which always work.
type Graphics int

// The ways.
const (
	// GraphicsPipeline is the graphics pipeline of MS-RDPEGFX.
	GraphicsPipeline Graphics = 1 << iota
	// GraphicsRemoteFX and GraphicsNSCodec are codecs of surface commands. They lose detail, and servers that know them use
	// nothing else then.
	GraphicsRemoteFX
	GraphicsNSCodec
	// GraphicsBitmaps takes bitmap updates alone.
	GraphicsBitmaps

	// DefaultGraphics is the pipeline, in which the target chooses codecs by content, and otherwise exact pixels: the
	// gateway stands near its targets, and what one codec lost no other brings back.
	DefaultGraphics = GraphicsPipeline
)

// Config says how to speak to one target.
type Config struct {
	Domain, Username string
	Password         desktop.Secret
	// TLS says which certificates of the target are good.
	TLS trust.Policy
	// Security says which security protocols are good.
	Security Security
	// RestrictedAdmin signs in without giving the target the password, which only some Windows servers take.
	RestrictedAdmin bool
	// Kerberos, if set, is what signs in instead of NTLM.
	Kerberos *kerberos.Ticket
	// LoadBalanceInfo is for a load balancer in front of the target, sent in clear as its routing token.
	LoadBalanceInfo []byte
	// ClientName is what the target calls this client, at most 15 characters; empty is "vitrine".
	ClientName string

	// Size is the desktop wished for, in pixels; zero is 1280×800. It is brought within what the protocol knows.
	Size image.Point
	// ColorDepth is the depth asked for: 15, 16, 24 or 32 bits a pixel; zero is 32.
	ColorDepth int
	// Graphics are the ways in which the picture may come; zero is DefaultGraphics.
	Graphics Graphics
	// Performance are TS_EXTENDED_INFO_PACKET's performanceFlags: what the target shall leave out. Zero leaves nothing out
	// and smooths fonts.
	Performance uint32

	// KeyboardLayout is the target's, as Windows numbers them (0x0409 is US English); zero is the target's own.
	KeyboardLayout uint32
	// UnicodeKeys sends keys that type a character as that character, whatever the target's layout, where the target
	// takes that. Otherwise keys travel by their place, and the target's layout says what they mean.
	UnicodeKeys bool
	// Clipboard says which way clipboard text may go.
	Clipboard struct{ ToTarget, FromTarget bool }

	// Redial gives a new connection to the target after one broke; nil or an error mean that there is none. address, if
	// not empty, is host:port of another machine the target sends the gateway to.
	Redial func(ctx context.Context, address string) (net.Conn, error)
	// ReconnectFor is how long a broken connection is tried again; zero is one minute, negative never.
	ReconnectFor time.Duration

	// HandshakeTimeout bounds everything up to the desktop's size; zero is 20 seconds.
	HandshakeTimeout time.Duration
	// Observer hears what the target says besides pixels; nil is nobody.
	Observer desktop.Observer
	// Logger gets the milestones; nil discards them.
	Logger *slog.Logger
}

// withDefaults checks the configuration and fills what is left open.
func (c Config) withDefaults() (Config, error) {
	if c.ColorDepth == 0 {
		c.ColorDepth = 32
	}
	switch c.ColorDepth {
	case 15, 16, 24, 32:
	default:
		return c, fmt.Errorf("rdpclient: colour depth %d is not 15, 16, 24 or 32", c.ColorDepth)
	}
	if c.Graphics == 0 {
		c.Graphics = DefaultGraphics
	}
	if c.Performance == 0 {
		c.Performance = rdp.PerfEnableFontSmoothing | rdp.PerfEnableDesktopComposition
	}
	if c.ClientName == "" {
		c.ClientName = "vitrine"
	}
	if c.Size == (image.Point{}) {
		c.Size = image.Pt(1280, 800)
	}
	c.Size = wishedSize(c.Size)
	policy, err := c.TLS.WithSystemRoots()
	if err != nil {
		return c, fmt.Errorf("rdpclient: %w", err)
	}
	c.TLS = policy
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = defaultHandshake
	}
	if c.ReconnectFor == 0 {
		c.ReconnectFor = defaultReconnect
	}
	if c.Observer == nil {
		c.Observer = desktop.Nobody{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Sides of a desktop in pixels that a client may ask for ([MS-RDPBCGR] 2.2.1.3.2, [MS-RDPEDISP] 2.2.2.2.1).
const (
	minSide = 200
	maxSide = 8192
)

// wishedSize brings a size within what the protocol knows: servers want an even width, and some a multiple of four.
func wishedSize(size image.Point) image.Point {
	w := min(max(size.X, minSide), maxSide) &^ 3
	h := min(max(size.Y, minSide), maxSide)
	return image.Pt(w, h)
}
