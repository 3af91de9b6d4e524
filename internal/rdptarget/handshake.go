package rdptarget

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
	"github.com/vitrine-psm/vitrine/proxy/rdp/license"
)

// Phase is a step of the handshake: what the client sends and what it is answered. One may receive and then answer
// something else.
type Phase struct {
	Name            string
	Receive, Answer func() error
}

// Phases returns the steps in their order.
func (c *Conn) Phases() []Phase {
	nothing := func() error { return nil }
	return []Phase{
		{"negotiate", c.receiveRequest, c.confirm},
		{"tls", nothing, c.secure},
		{"nla", nothing, c.authenticate},
		{"settings", c.receiveSettings, c.respond},
		{"attach", c.receiveAttach, c.letIn},
		{"join", c.join, nothing},
		{"info", c.receiveInfo, nothing},
		{"license", nothing, c.license},
		{"demand", nothing, func() error { return c.Demand(c.size()) }},
		{"finalize", c.receiveFinalization, c.Finalize},
	}
}

// Until goes through the phases before the one named, and receives what that one is to answer.
func (c *Conn) Until(name string) error {
	for _, p := range c.Phases() {
		if err := p.Receive(); err != nil {
			return fmt.Errorf("rdptarget: %s: %w", p.Name, err)
		}
		if p.Name == name {
			return nil
		}
		if err := p.Answer(); err != nil {
			return fmt.Errorf("rdptarget: %s: %w", p.Name, err)
		}
	}
	return nil
}

// Handshake goes through all of it.
func (c *Conn) Handshake() error { return c.Until("") }

func (c *Conn) receiveRequest() error {
	frame, err := c.frames.Next()
	if err != nil {
		return err
	}
	return c.Request.Decode(frame.Payload)
}

func (c *Conn) confirm() error {
	confirm := rdp.ConnectionConfirm{Negotiated: true, Flags: rdp.ExtendedClientDataSupported, Protocol: c.Protocol}
	if c.Confirm != nil {
		c.Confirm(&confirm)
	}
	return c.write(rdp.AppendTPKT(nil, confirm.Append))
}

func (c *Conn) secure() error {
	// A ticket would be a write that a client without a buffer waits for the server to make room for, and it for the client.
	t := tls.Server(c.raw, &tls.Config{
		Certificates: []tls.Certificate{c.Certificate}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
	})
	if err := t.Handshake(); err != nil {
		return err
	}
	c.out, c.frames = t, rdp.NewFrameReader(t)
	return nil
}

func (c *Conn) authenticate() error {
	if c.Protocol == rdp.ProtocolTLS {
		return nil
	}
	leaf, err := x509.ParseCertificate(c.Certificate.Certificate[0])
	if err != nil {
		return err
	}
	server := credssp.NewServer(credssp.ServerConfig{
		Certificate: leaf, Computer: "RDPTARGET",
		Lookup: func(_, username string) (ntlm.Hash, bool) {
			password, ok := c.Users[username]
			return ntlm.NTHash(password), ok
		},
	})
	if err := server.Authenticate(c.out); err != nil {
		return err
	}
	if c.Protocol != rdp.ProtocolHybridEx {
		return nil
	}
	if c.Denied {
		return errors.Join(c.write(credssp.AuthzAccessDenied.Append(nil)), errors.New("denied"))
	}
	return c.write(credssp.AuthzSuccess.Append(nil))
}

// domain returns the next MCS PDU of the handshake.
func (c *Conn) domain() (rdp.DomainPDU, error) {
	var p rdp.DomainPDU
	if c.pending != nil {
		p, c.pending = *c.pending, nil
		return p, nil
	}
	payload, err := c.payload()
	if err == nil {
		err = p.Decode(payload)
	}
	return p, err
}

func (c *Conn) payload() ([]byte, error) {
	frame, err := c.frames.Next()
	if err != nil {
		return nil, err
	}
	if frame.FastPath {
		return nil, errors.New("fast-path PDU in the handshake")
	}
	return rdp.DecodeX224Data(frame.Payload)
}

func (c *Conn) receiveSettings() error {
	payload, err := c.payload()
	if err != nil {
		return err
	}
	blocks, err := rdp.DecodeConnectInitial(payload)
	if err != nil {
		return err
	}
	return c.Asked.Decode(blocks)
}

func (c *Conn) respond() error {
	next := uint16(firstStatic)
	settings := rdp.ServerSettings{
		Version: rdp.Version107, HasRequested: true, RequestedProtocols: c.Request.Protocols, IOChannel: c.IO,
	}
	for range c.Asked.Channels {
		settings.Channels = append(settings.Channels, next)
		next++
	}
	if c.Asked.MessageChannel {
		settings.MessageChannel = next
		next++
	}
	c.User = next
	if c.Settings != nil {
		c.Settings(&settings)
	}
	c.MessageChannel = settings.MessageChannel
	return c.write(rdp.AppendX224Data(nil, func(b []byte) []byte { return rdp.AppendConnectResponse(b, settings.Append) }))
}

func (c *Conn) receiveAttach() error {
	for _, want := range []rdp.MCS{rdp.MCSErectDomainRequest, rdp.MCSAttachUserRequest} {
		if p, err := c.domain(); err != nil {
			return err
		} else if p.Kind != want {
			return fmt.Errorf("domain PDU of kind %d, want %d", p.Kind, want)
		}
	}
	return nil
}

func (c *Conn) letIn() error {
	confirm := rdp.DomainPDU{Kind: rdp.MCSAttachUserConfirm, User: c.User}
	return c.write(rdp.AppendX224Data(nil, confirm.Append))
}

// join lets the client join what it asks for until it sends something else.
func (c *Conn) join() error {
	for {
		p, err := c.domain()
		if err != nil {
			return err
		}
		if p.Kind != rdp.MCSChannelJoinRequest {
			p.Data = append([]byte(nil), p.Data...)
			c.pending = &p
			return nil
		}
		c.Joined = append(c.Joined, p.Channel)
		p.Kind = rdp.MCSChannelJoinConfirm
		if err := c.write(rdp.AppendX224Data(nil, p.Append)); err != nil {
			return err
		}
	}
}

func (c *Conn) receiveInfo() error {
	p, err := c.domain()
	if err != nil {
		return err
	}
	flags, body, err := rdp.DecodeSecurityHeader(p.Data)
	if err != nil {
		return err
	}
	if p.Kind != rdp.MCSSendDataRequest || p.Channel != c.IO || flags&rdp.SecInfoPacket == 0 {
		return fmt.Errorf("domain PDU of kind %d on channel %d with flags %#x, want the client's info", p.Kind, p.Channel, flags)
	}
	return c.Info.Decode(body)
}

func (c *Conn) license() error {
	return c.SendOn(c.IO, license.AppendValidClient(rdp.AppendSecurityHeader(nil, rdp.SecLicensePacket)))
}

func (c *Conn) size() image.Point {
	if c.Size == (image.Point{}) {
		return image.Pt(int(c.Asked.Core.Width), int(c.Asked.Core.Height))
	}
	return c.Size
}

// Demand sends a Demand Active, which begins an activation with a desktop of a size.
func (c *Conn) Demand(size image.Point) error {
	sets := []rdp.Capability{
		&rdp.GeneralCapability{
			OSMajor: 1, OSMinor: 3, RefreshRect: true, SuppressOutputPDU: true,
			ExtraFlags: rdp.FastPathOutput | rdp.LongCredentials | rdp.AutoReconnect | rdp.NoBitmapCompressionHdr,
		},
		&rdp.BitmapCapability{BitsPerPixel: uint16(c.Depth), Width: uint16(size.X), Height: uint16(size.Y), Resize: true},
		&rdp.PointerCapability{ColorCacheSize: 25, CacheSize: 25},
		&rdp.InputCapability{
			Flags: rdp.InputScancodes | rdp.InputMouseX | rdp.InputFastPath2 | rdp.InputUnicode | rdp.InputMouseHorizWheel,
		},
		&rdp.VirtualChannelCapability{},
		&rdp.LargePointerCapability{Flags: rdp.LargePointer96 | rdp.LargePointer384},
		&rdp.MultifragmentUpdateCapability{MaxRequestSize: rdp.MaxUpdate},
		&rdp.SurfaceCommandsCapability{Flags: rdp.SurfaceSetBits | rdp.SurfaceStreamBits | rdp.SurfaceFrameMarker},
		&rdp.BitmapCodecsCapability{Codecs: []rdp.BitmapCodec{
			{GUID: rdp.GUIDNSCodec, Properties: rdp.NSCodecProperties{ColorLossLevel: 1}.Append(nil)},
			{GUID: rdp.GUIDRemoteFX, Properties: make([]byte, 4)},
		}},
		&rdp.FrameAcknowledgeCapability{MaxUnacknowledged: 2},
	}
	if c.Capabilities != nil {
		sets = c.Capabilities(sets)
	}
	demand := rdp.DemandActive{ShareID: c.ShareID, Capabilities: sets}
	return c.SendShare(rdp.ShareDemandActive, demand.Append(nil))
}

// receiveFinalization reads until the Font List that ends the client's side of it.
func (c *Conn) receiveFinalization() error {
	for {
		e, err := c.Next()
		if err != nil {
			return err
		}
		if e.Kind == Data && e.Data == rdp.DataFontList {
			return nil
		}
	}
}

// Finalize ends an activation ([MS-RDPBCGR] 1.3.1.1, connection finalization).
func (c *Conn) Finalize() error {
	for _, p := range []struct {
		kind rdp.DataKind
		body []byte
	}{
		{rdp.DataSynchronize, rdp.AppendSynchronize(nil, c.User)},
		{rdp.DataControl, rdp.AppendControl(nil, rdp.ControlCooperate, 0, 0)},
		{rdp.DataControl, rdp.AppendControl(nil, rdp.ControlGranted, c.User, serverUser)},
		{rdp.DataFontMap, rdp.AppendFontMap(nil)},
	} {
		if err := c.SendData(p.kind, p.body); err != nil {
			return err
		}
	}
	return nil
}

// Deactivate ends the share; a Demand is to follow ([MS-RDPBCGR] 2.2.3.1). The next share has another number.
func (c *Conn) Deactivate() error {
	defer func() { c.ShareID++ }()
	return c.SendShare(rdp.ShareDeactivateAll, []byte{0, 0, 0, 0, 1, 0, 0})
}
