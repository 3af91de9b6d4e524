package rdpclient

import (
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// codec ids of surface commands, as this client numbers them.
const (
	codecNone     = 0
	codecNSCodec  = 1
	codecRemoteFX = 3
)

// activate answers a Demand Active: the target's capabilities, the desktop's size, and the finalization, which needs no
// answers in between ([MS-RDPBCGR] 1.3.1.1, 3.2.5.3.13).
func (s *session) activate(body []byte) error {
	var demand rdp.DemandActive
	if err := demand.Decode(body); err != nil {
		return err
	}
	size := s.fb.Size()
	depth := s.cfg.ColorDepth
	if c, ok := rdp.FindCapability[*rdp.BitmapCapability](demand.Capabilities); ok {
		size = image.Pt(int(c.Width), int(c.Height))
		depth = int(c.BitsPerPixel)
	}
	if err := s.fb.Resize(size); err != nil {
		return fmt.Errorf("rdpclient: desktop of the target: %w: %w", err, desktop.ErrProtocol)
	}
	s.shareID = demand.ShareID
	s.screen.reset(size)
	s.learnInput(demand.Capabilities)
	s.channels.learn(demand.Capabilities)
	if c, ok := rdp.FindCapability[*rdp.GeneralCapability](demand.Capabilities); ok {
		s.refreshes = c.RefreshRect
	}
	confirm := rdp.ConfirmActive{ShareID: demand.ShareID, Capabilities: s.capabilities(size, depth, demand.Capabilities)}
	err := s.sendOn(s.ioChannel, func(b []byte) []byte {
		return rdp.AppendShareControl(b, rdp.ShareConfirmActive, s.user, confirm.Append)
	})
	for _, p := range []struct {
		kind rdp.DataKind
		body func(b []byte) []byte
	}{
		{rdp.DataSynchronize, func(b []byte) []byte { return rdp.AppendSynchronize(b, rdp.OriginatorServer) }},
		{rdp.DataControl, func(b []byte) []byte { return rdp.AppendControl(b, rdp.ControlCooperate, 0, 0) }},
		{rdp.DataControl, func(b []byte) []byte { return rdp.AppendControl(b, rdp.ControlRequest, 0, 0) }},
		{rdp.DataFontList, rdp.AppendFontList},
	} {
		if err == nil {
			err = s.sendData(p.kind, p.body)
		}
	}
	s.active = true
	s.log.Debug("target activates", "width", size.X, "height", size.Y, "bits_per_pixel", depth)
	return err
}

// deactivate ends the share; the target demands a new one, as it does to change the desktop's size ([MS-RDPBCGR] 1.3.1.3).
func (s *session) deactivate() {
	s.active = false
	s.fragments = rdp.Fragments{}
}

// finalized is called with the Font Map that ends an activation.
func (s *session) finalized() {
	s.syncLocks()
	if s.onActive == nil {
		return // a reactivation
	}
	s.onActive()
	s.onActive = nil
	if s.refreshes {
		s.nudges = maxNudges
	}
	size := s.fb.Size()
	security := "tls"
	if s.protocol != rdp.ProtocolTLS {
		security = "nla"
	}
	s.log.Info("target connected", "width", size.X, "height", size.Y, "security", security)
	if !s.kept.connected {
		s.kept.connected = true
		s.cfg.Observer.Connected("")
	} else if o, ok := s.cfg.Observer.(desktop.LinkObserver); ok && s.kept.lost {
		s.kept.lost = false
		o.LinkRestored()
	}
}

// capabilities are what a Confirm Active says of this client. Drawing orders, bitmap caches, glyphs and sound are not
// supported, and said so: the picture then comes as pixels.
func (s *session) capabilities(size image.Point, depth int, target []rdp.Capability) []rdp.Capability {
	raw := func(kind rdp.CapabilityType, body ...byte) rdp.Capability {
		return &rdp.RawCapability{Kind: kind, Body: body}
	}
	sets := []rdp.Capability{
		&rdp.GeneralCapability{
			OSMajor: 1, OSMinor: 3, RefreshRect: true, SuppressOutputPDU: true,
			ExtraFlags: rdp.FastPathOutput | rdp.LongCredentials | rdp.AutoReconnect | rdp.NoBitmapCompressionHdr,
		},
		&rdp.BitmapCapability{
			BitsPerPixel: uint16(depth), Width: uint16(size.X), Height: uint16(size.Y), Resize: true,
			DrawingFlags: rdp.DrawAllowSkipAlpha,
		},
		raw(rdp.CapOrder, noOrders()...),
		raw(rdp.CapBitmapCacheRev2, make([]byte, 36)...),
		&rdp.PointerCapability{ColorCacheSize: pointerCache, CacheSize: pointerCache},
		&rdp.InputCapability{
			Flags: rdp.InputScancodes | rdp.InputMouseX | rdp.InputFastPath | rdp.InputUnicode | rdp.InputFastPath2 |
				rdp.InputMouseHorizWheel,
			KeyboardLayout: s.cfg.KeyboardLayout,
		},
		raw(rdp.CapBrush, 0, 0, 0, 0),
		raw(rdp.CapGlyphCache, make([]byte, 48)...),
		raw(rdp.CapOffscreenCache, make([]byte, 8)...),
		&rdp.VirtualChannelCapability{},
		raw(rdp.CapSound, 0, 0, 0, 0),
		raw(rdp.CapShare, 0, 0, 0, 0),
		raw(rdp.CapFont, 1, 0, 0, 0),
		raw(rdp.CapControl, 0, 0, 0, 0, 2, 0, 2, 0),
		raw(rdp.CapColorCache, 6, 0, 0, 0),
		raw(rdp.CapActivation, make([]byte, 8)...),
		&rdp.MultifragmentUpdateCapability{MaxRequestSize: rdp.MaxUpdate},
		&rdp.LargePointerCapability{Flags: rdp.LargePointer96 | rdp.LargePointer384},
	}
	if s.cfg.Graphics&GraphicsBitmaps != 0 {
		return sets
	}
	sets = append(sets, &rdp.SurfaceCommandsCapability{Flags: rdp.SurfaceSetBits | rdp.SurfaceStreamBits | rdp.SurfaceFrameMarker},
		s.codecs(target))
	if _, ok := rdp.FindCapability[*rdp.FrameAcknowledgeCapability](target); ok {
		sets = append(sets, &rdp.FrameAcknowledgeCapability{MaxUnacknowledged: maxUnacknowledged})
	}
	return sets
}

// codecs are those of surface commands.
func (s *session) codecs(target []rdp.Capability) *rdp.BitmapCodecsCapability {
	offered, _ := rdp.FindCapability[*rdp.BitmapCodecsCapability](target)
	c := &rdp.BitmapCodecsCapability{}
	add := func(id uint8, guid rdp.GUID, want Graphics, properties []byte) {
		if s.cfg.Graphics&want == 0 || offered == nil {
			return
		}
		if _, ok := offered.Find(guid); ok {
			c.Codecs = append(c.Codecs, rdp.BitmapCodec{GUID: guid, ID: id, Properties: properties})
		}
	}
	add(codecRemoteFX, rdp.GUIDRemoteFX, GraphicsRemoteFX, rdp.AppendRemoteFXClient(nil))
	add(codecNSCodec, rdp.GUIDNSCodec, GraphicsNSCodec, rdp.NSCodecProperties{ColorLossLevel: 1}.Append(nil))
	return c
}

// noOrders is the body of an order capability set without a single order ([MS-RDPBCGR] 2.2.7.1.3).
func noOrders() []byte {
	b := make([]byte, 84)
	b[20] = 1    // desktopSaveXGranularity
	b[22] = 20   // desktopSaveYGranularity
	b[26] = 1    // maximumOrderLevel
	b[30] = 0x0a // orderFlags: NEGOTIATEORDERSUPPORT and ZEROBOUNDSDELTASSUPPORT, which must be set
	return b
}
