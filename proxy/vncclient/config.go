package vncclient

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// Config says how to speak to one target.
type Config struct {
	// Username is for VeNCrypt X509Plain only.
	Username string
	// Password is for VncAuth, of which the protocol uses the first eight bytes, and X509Plain.
	Password desktop.Secret

	// TLS says which certificates of the target are good. New reads the authorities of the system if it needs them, so
	// that Run needs no files.
	TLS trust.Policy
	// AllowPlaintext permits security types without TLS: None and VncAuth. Whoever sits on the network then
	// sees and alters the session, and can make a target that offers TLS look as if it did not.
	AllowPlaintext bool

	// Encodings are those the target may send, the preferred one first; nil is DefaultEncodings. Raw is always
	// allowed.
	Encodings []EncodingType
	// JPEGQuality allows Tight to send JPEG, from 1 (worst) to 9 (best). Zero is lossless.
	JPEGQuality int
	// Scancodes makes keys travel as scancodes where the target takes them (QEMU extended key events), for
	// virtual machine consoles whose guest has a layout of its own. Otherwise keysyms say what a key means.
	Scancodes bool

	// HandshakeTimeout bounds everything up to the first picture's size; zero is ten seconds.
	HandshakeTimeout time.Duration
	// Observer hears what the target says besides pixels; nil is nobody.
	Observer desktop.Observer
	// Logger gets the milestones; nil discards them.
	Logger *slog.Logger
}

// EncodingType is the number of a pixel encoding.
type EncodingType int32

// The pixel encodings supported.
const (
	EncodingRaw      EncodingType = 0
	EncodingCopyRect EncodingType = 1
	EncodingHextile  EncodingType = 5
	EncodingTight    EncodingType = 7
	EncodingZRLE     EncodingType = 16
)

// DefaultEncodings is the preference when a Config has none.
var DefaultEncodings = []EncodingType{EncodingCopyRect, EncodingTight, EncodingZRLE, EncodingHextile, EncodingRaw}

// withDefaults checks the configuration and fills what is left open.
func (c Config) withDefaults() (Config, error) {
	if c.JPEGQuality < 0 || c.JPEGQuality > 9 {
		return c, fmt.Errorf("vncclient: jpeg quality %d is not 0 to 9", c.JPEGQuality)
	}
	if len(c.Encodings) == 0 {
		c.Encodings = DefaultEncodings
	}
	for _, e := range c.Encodings {
		if !slices.Contains(DefaultEncodings, e) {
			return c, fmt.Errorf("vncclient: encoding %d is not supported", e)
		}
	}
	var err error
	if c.TLS, err = c.TLS.WithSystemRoots(); err != nil {
		return c, err
	}
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = defaultHandshake
	}
	if c.Observer == nil {
		c.Observer = desktop.Nobody{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
