package rdpserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Security is what a listener asks of clients.
type Security string

// The kinds of security. Standard RDP security is none.
const (
	SecurityTLS Security = "tls"
	SecurityNLA Security = "nla" // network level authentication within TLS
)

// AcceptConfig is what a listener needs.
type AcceptConfig struct {
	// Certificate is shown in the TLS handshake. Its key is RSA's: rdesktop and old clients take no other.
	Certificate tls.Certificate
	Security    Security // empty: TLS
	// Lookup returns the hash of the one-time password of a user name, with SecurityNLA. The names are not proved. It is called
	// at most once for each client.
	Lookup func(domain, username string) (ntlm.Hash, bool)
	// Computer is the name told with network level authentication; empty: VITRINE.
	Computer string
	// Timeout bounds it all; zero: one minute.
	Timeout time.Duration
	Logger  *slog.Logger // nil: none
}

// Client is a client that has said who it is and waits to be let in.
type Client struct {
	Hello Hello
	link  *link
}

// Accept speaks with a client that has just connected until it has said who it is. Whatever it returns, it gave nothing away
// but what RDP says of security protocols. On an error conn is closed; else the Client owns it. The error is one of this
// package, wraps wire.ErrMalformed for a client that does not keep to the protocol, or is conn's.
func Accept(ctx context.Context, conn net.Conn, cfg AcceptConfig) (*Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(cfg.Timeout, defaultAcceptTimeout), ErrTimeout)
	defer cancel()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := acceptance{cfg: cfg, link: &link{conn: conn, log: cfg.Logger, shareID: firstShare}}
	if err := a.during(ctx, func() error { return a.run(ctx) }); err != nil {
		_ = a.conn.Close()
		return nil, err
	}
	return &Client{Hello: a.hello, link: a.link}, nil
}

// acceptance is an Accept under way.
type acceptance struct {
	*link
	cfg      AcceptConfig
	settings rdp.ClientSettings
}

func (a *acceptance) run(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"negotiation", a.negotiate},
		{"tls", a.secure},
		{"authentication", a.authenticate},
		{"settings", a.connect},
		{"channels", a.join},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("rdpserver: %s: %w", step.name, err)
		}
	}
	return nil
}

// negotiate reads what may come in clear and agrees on a security protocol ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2). It reads not a byte
// more: what follows is TLS, and whatever somebody put before that must not pass for what came inside it.
func (a *acceptance) negotiate(context.Context) error {
	request, err := a.readRequest()
	if err != nil {
		return err
	}
	a.hello.Cookie, a.hello.RoutingToken = request.Cookie, string(request.RoutingToken)
	a.hello.Requested = request.Protocols
	confirm := rdp.ConnectionConfirm{Negotiated: true, Flags: rdp.ExtendedClientDataSupported | rdp.GFXSupported}
	confirm.Protocol, confirm.Failure = choose(a.cfg.Security, request)
	if err := a.write(func(b []byte) []byte { return rdp.AppendTPKT(b, confirm.Append) }); err != nil {
		return err
	}
	if confirm.Failure != 0 {
		return fmt.Errorf("%w: the client offers %#x", ErrNegotiation, uint32(request.Protocols))
	}
	a.hello.Selected = confirm.Protocol
	return nil
}

// choose selects a protocol of those a client offers, or says why there is none.
func choose(s Security, request rdp.ConnectionRequest) (rdp.Protocol, rdp.NegotiationFailure) {
	offered := request.Protocols
	if !request.Negotiable {
		offered = rdp.ProtocolRDP
	}
	switch {
	case s != SecurityNLA && offered&rdp.ProtocolTLS != 0:
		return rdp.ProtocolTLS, 0
	case s != SecurityNLA:
		return 0, rdp.FailureTLSRequired
	case offered&rdp.ProtocolHybridEx != 0:
		return rdp.ProtocolHybridEx, 0
	case offered&rdp.ProtocolHybrid != 0:
		return rdp.ProtocolHybrid, 0
	}
	return 0, rdp.FailureHybridRequired
}

// readRequest reads the X.224 request, and the preconnection PDU that may come before it.
func (a *acceptance) readRequest() (rdp.ConnectionRequest, error) {
	var request rdp.ConnectionRequest
	var first [4]byte
	if _, err := io.ReadFull(a.conn, first[:]); err != nil {
		return request, err
	}
	n, err := rdp.PreconnectionBytes(first)
	if err != nil {
		return request, err
	}
	if n > 0 {
		var p rdp.Preconnection
		b := append(make([]byte, 0, n), first[:]...)
		if _, err := io.ReadFull(a.conn, b[4:n]); err != nil {
			return request, err
		}
		if err := p.Decode(b[:n]); err != nil {
			return request, err
		}
		a.hello.PreconnectionID, a.hello.PreconnectionBlob = p.ID, p.Blob
		if _, err := io.ReadFull(a.conn, first[:]); err != nil {
			return request, err
		}
	}
	if first[0] != 3 {
		return request, wire.Errorf("first byte %#x is no TPKT's", first[0])
	}
	total := int(binary.BigEndian.Uint16(first[2:]))
	if total <= len(first) || total > maxRequestBytes {
		return request, wire.Errorf("TPKT of %d bytes, want at most %d", total, maxRequestBytes)
	}
	b := make([]byte, total-len(first))
	if _, err := io.ReadFull(a.conn, b); err != nil {
		return request, err
	}
	return request, request.Decode(b)
}

func (a *acceptance) secure(ctx context.Context) error {
	secured := tls.Server(a.conn, &tls.Config{
		Certificates: []tls.Certificate{a.cfg.Certificate}, MinVersion: tls.VersionTLS12,
		// A ticket would be a write that nobody waits for; native clients use none.
		SessionTicketsDisabled: true,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	a.conn = secured
	return nil
}

// authenticate runs CredSSP where it was selected ([MS-RDPBCGR] 5.4.5.2).
func (a *acceptance) authenticate(context.Context) error {
	defer func() { a.frames = rdp.NewFrameReader(a.conn) }()
	if a.hello.Selected == rdp.ProtocolTLS {
		return nil
	}
	leaf := a.cfg.Certificate.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(a.cfg.Certificate.Certificate[0]); err != nil {
			return err
		}
	}
	lookup := a.cfg.Lookup
	if lookup == nil {
		lookup = func(string, string) (ntlm.Hash, bool) { return ntlm.Hash{}, false }
	}
	server := credssp.NewServer(credssp.ServerConfig{Certificate: leaf, Computer: cmp.Or(a.cfg.Computer, "VITRINE"), Lookup: lookup})
	if err := server.Authenticate(a.conn); err != nil {
		return fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	if a.hello.Selected == rdp.ProtocolHybridEx {
		if err := a.write(credssp.AuthzSuccess.Append); err != nil {
			return err
		}
	}
	id := server.Identity()
	a.hello.Proved = &Identity{Domain: id.Domain, Username: id.Username, Delegated: server.Credentials().Password}
	return nil
}

// connect exchanges the settings ([MS-RDPBCGR] 2.2.1.3, 2.2.1.4).
func (a *acceptance) connect(context.Context) error {
	payload, err := a.payload()
	if err != nil {
		return err
	}
	blocks, err := rdp.DecodeConnectInitial(payload)
	if err == nil {
		err = a.settings.Decode(blocks)
	}
	if err != nil {
		return err
	}
	core := &a.settings.Core
	if core.SelectedProtocol != a.hello.Selected {
		// Somebody between us changed the negotiation, which was in clear.
		return wire.Errorf("serverSelectedProtocol %d, but %d was selected", core.SelectedProtocol, a.hello.Selected)
	}
	a.hello.ClientName, a.hello.ClientBuild, a.hello.KeyboardLayout = core.ClientName, core.ClientBuild, core.KeyboardLayout
	a.hello.Size, a.hello.Scale = image.Pt(int(core.Width), int(core.Height)), core.DesktopScaleFactor
	a.hello.EarlyCapabilities, a.hello.Depth = core.EarlyCapabilities, depth(core)

	response := rdp.ServerSettings{
		Version: rdp.Version107, HasRequested: true, RequestedProtocols: a.hello.Requested, IOChannel: ioChannel,
	}
	next := uint16(firstStatic)
	for _, def := range a.settings.Channels {
		a.channels = append(a.channels, channel{def.Name, next, def.Options})
		a.hello.Channels = append(a.hello.Channels, def.Name)
		response.Channels = append(response.Channels, next)
		next++
	}
	if a.settings.MessageChannel {
		a.message, response.MessageChannel = next, next
		next++
	}
	a.user = next
	return a.write(func(b []byte) []byte {
		return rdp.AppendX224Data(b, func(b []byte) []byte { return rdp.AppendConnectResponse(b, response.Append) })
	})
}

// depth is the best colour depth a client takes, in bits a pixel.
func depth(core *rdp.ClientCoreData) int {
	switch {
	case core.EarlyCapabilities&rdp.Want32BPPSession != 0 && core.SupportedDepths&rdp.Depth32 != 0:
		return 32
	case core.HighColorDepth >= 24 && core.SupportedDepths&rdp.Depth24 != 0:
		return 24
	case core.HighColorDepth == 15:
		return 15
	}
	return 16
}

// join lets the client join the domain and its channels, until it sends its info.
func (a *acceptance) join(context.Context) error {
	for _, want := range []rdp.MCS{rdp.MCSErectDomainRequest, rdp.MCSAttachUserRequest} {
		if p, err := a.domain(); err != nil {
			return err
		} else if p.Kind != want {
			return wire.Errorf("domain PDU of kind %d, want %d", p.Kind, want)
		}
	}
	if err := a.writeDomain(&rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: a.user}); err != nil {
		return err
	}
	for range maxJoins {
		p, err := a.domain()
		switch {
		case err != nil:
			return err
		case p.Kind == rdp.MCSSendDataRequest:
			return a.info(p)
		case p.Kind != rdp.MCSChannelJoinRequest || p.User != a.user:
			return wire.Errorf("domain PDU of kind %d of user %d, want a join of user %d", p.Kind, p.User, a.user)
		}
		if _, ok := a.channelName(p.Channel); !ok && p.Channel != a.user && p.Channel != ioChannel && (a.message == 0 || p.Channel != a.message) {
			return wire.Errorf("a join of channel %d, which there is not", p.Channel)
		}
		confirm := rdp.DomainPDU{Kind: rdp.MCSChannelJoinConfirm, User: a.user, Channel: p.Channel}
		if err := a.writeDomain(&confirm); err != nil {
			return err
		}
	}
	return wire.Errorf("more than %d joins", maxJoins)
}

// info takes the Client Info PDU ([MS-RDPBCGR] 2.2.1.11).
func (a *acceptance) info(p rdp.DomainPDU) error {
	flags, body, err := rdp.DecodeSecurityHeader(p.Data)
	if err != nil {
		return err
	}
	if p.Channel != ioChannel || flags&rdp.SecInfoPacket == 0 {
		return wire.Errorf("data on channel %d with flags %#x, want the client's info", p.Channel, flags)
	}
	var info rdp.ClientInfo
	if err := info.Decode(body); err != nil {
		return err
	}
	h := &a.hello
	h.Domain, h.Username, h.Password = info.Domain, info.Username, desktop.Secret(info.Password)
	h.AlternateShell, h.WorkingDir = desktop.Secret(info.AlternateShell), info.WorkingDir
	h.ClientAddress, h.InfoFlags, h.PerformanceFlags = info.ClientAddress, info.Flags, info.PerformanceFlags
	h.Reconnect = info.Reconnect
	return nil
}

// Close ends the connection without a word.
func (c *Client) Close() error {
	if c.link == nil {
		return net.ErrClosed
	}
	return c.link.conn.Close()
}

// taken gives the link up; a second call returns ErrPhase.
func (c *Client) taken() (*link, error) {
	l := c.link
	if c.link = nil; l == nil {
		return nil, ErrPhase
	}
	return l, nil
}

// SetReconnect gives the client, once it is active, a cookie by which it may ask for its session again when its connection
// broke ([MS-RDPBCGR] 5.5): Hello.Reconnect of the new connection is then cookie.Verifier().
func (c *Client) SetReconnect(cookie rdp.ReconnectCookie) {
	if c.link != nil {
		c.link.cookie = &cookie
	}
}

// IsProtocol tells whether an error of Accept or Serve is the client's fault: something RDP forbids.
func IsProtocol(err error) bool { return errors.Is(err, wire.ErrMalformed) }
