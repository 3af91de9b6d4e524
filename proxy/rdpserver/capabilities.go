package rdpserver

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/svc"
)

// maxRequest is what the server puts together of a client's fragments, in bytes. Clients send none; mstsc wants to be told.
const maxRequest = 1 << 16

// capabilities are the server's ([MS-RDPBCGR] 2.2.1.13.1). There are no drawing orders and no caches but the pointer's.
func capabilities(size image.Point, depth int) []rdp.Capability {
	return []rdp.Capability{
		&rdp.RawCapability{Kind: rdp.CapShare, Body: binary.LittleEndian.AppendUint32(nil, serverUser)},
		&rdp.GeneralCapability{
			OSMajor: 1, OSMinor: 3, RefreshRect: true, SuppressOutputPDU: true,
			ExtraFlags: rdp.FastPathOutput | rdp.LongCredentials | rdp.AutoReconnect | rdp.NoBitmapCompressionHdr,
		},
		&rdp.VirtualChannelCapability{ChunkSize: svc.DefaultChunkBytes}, // 0 would be taken at its word
		&rdp.BitmapCapability{
			BitsPerPixel: uint16(depth), Width: uint16(size.X), Height: uint16(size.Y), Resize: true, DrawingFlags: rdp.DrawAllowSkipAlpha,
		},
		&rdp.RawCapability{Kind: rdp.CapFont, Body: []byte{1, 0, 0, 0}},
		&rdp.RawCapability{Kind: rdp.CapOrder, Body: noOrders()},
		&rdp.PointerCapability{ColorCacheSize: pointerCache, CacheSize: pointerCache},
		&rdp.InputCapability{
			Flags: rdp.InputScancodes | rdp.InputMouseX | rdp.InputFastPath | rdp.InputFastPath2 | rdp.InputUnicode | rdp.InputMouseHorizWheel,
		},
		&rdp.LargePointerCapability{Flags: rdp.LargePointer96 | rdp.LargePointer384},
		&rdp.MultifragmentUpdateCapability{MaxRequestSize: maxRequest},
	}
}

// noOrders is the body of a TS_ORDER_CAPABILITYSET by which no drawing order may be sent ([MS-RDPBCGR] 2.2.7.1.3).
func noOrders() []byte {
	const (
		size               = 84
		granularityX       = 20 // offset; of desktop saving, which is not used
		granularityY       = 22
		maximumOrderLevel  = 26
		orderFlags         = 30
		negotiateOrders    = 0x0002
		zeroBoundsDeltas   = 0x0008
		desktopSaveGranule = 20
	)
	b := make([]byte, size)
	le := binary.LittleEndian
	le.PutUint16(b[granularityX:], 1)
	le.PutUint16(b[granularityY:], desktopSaveGranule)
	le.PutUint16(b[maximumOrderLevel:], 1)
	le.PutUint16(b[orderFlags:], negotiateOrders|zeroBoundsDeltas)
	return b
}

// clientCaps is what matters of a client's capabilities.
type clientCaps struct {
	fastPath     bool // it takes updates on the fast path
	skipAlpha    bool // it takes planar bitmaps without alpha
	pointers     int  // entries of its pointer cache
	largePointer bool // pointers of more than 32 pixels a side, up to 96
	hugePointer  bool // up to 384
	resize       bool // the desktop may change its size
}

func readCapabilities(sets []rdp.Capability) clientCaps {
	var c clientCaps
	if s, ok := rdp.FindCapability[*rdp.GeneralCapability](sets); ok {
		c.fastPath = s.ExtraFlags&rdp.FastPathOutput != 0
	}
	if s, ok := rdp.FindCapability[*rdp.BitmapCapability](sets); ok {
		c.skipAlpha, c.resize = s.DrawingFlags&rdp.DrawAllowSkipAlpha != 0, s.Resize
	}
	if s, ok := rdp.FindCapability[*rdp.PointerCapability](sets); ok {
		c.pointers = min(int(s.CacheSize), pointerCache)
	}
	if s, ok := rdp.FindCapability[*rdp.LargePointerCapability](sets); ok {
		c.largePointer, c.hugePointer = s.Flags&rdp.LargePointer96 != 0, s.Flags&rdp.LargePointer384 != 0
	}
	return c
}
