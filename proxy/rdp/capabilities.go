package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Capability is one capability set ([MS-RDPBCGR] 2.2.7). Sets of a type this package has no use for are RawCapability.
type Capability interface {
	// Type is the capabilitySetType.
	Type() CapabilityType
	// append appends the set without its header.
	append(b []byte) []byte
	// decode reads the set without its header. Servers and clients send shorter sets than today's specification has, so
	// every set says what of it may be missing.
	decode(r *wire.Reader)
}

// CapabilityType is a capabilitySetType ([MS-RDPBCGR] 2.2.1.13.1.1.1).
type CapabilityType uint16

// The types.
const (
	CapGeneral             CapabilityType = 1
	CapBitmap              CapabilityType = 2
	CapOrder               CapabilityType = 3
	CapBitmapCache         CapabilityType = 4
	CapControl             CapabilityType = 5
	CapActivation          CapabilityType = 7
	CapPointer             CapabilityType = 8
	CapShare               CapabilityType = 9
	CapColorCache          CapabilityType = 10
	CapSound               CapabilityType = 12
	CapInput               CapabilityType = 13
	CapFont                CapabilityType = 14
	CapBrush               CapabilityType = 15
	CapGlyphCache          CapabilityType = 16
	CapOffscreenCache      CapabilityType = 17
	CapBitmapCacheRev2     CapabilityType = 19
	CapVirtualChannel      CapabilityType = 20
	CapDesktopComposition  CapabilityType = 25
	CapMultifragmentUpdate CapabilityType = 26
	CapLargePointer        CapabilityType = 27
	CapSurfaceCommands     CapabilityType = 28
	CapBitmapCodecs        CapabilityType = 29
	CapFrameAcknowledge    CapabilityType = 30
)

// newCapability returns an empty set of a type, nil for those kept raw.
func newCapability(t CapabilityType) Capability {
	switch t {
	case CapGeneral:
		return &GeneralCapability{}
	case CapBitmap:
		return &BitmapCapability{}
	case CapPointer:
		return &PointerCapability{}
	case CapInput:
		return &InputCapability{}
	case CapVirtualChannel:
		return &VirtualChannelCapability{}
	case CapMultifragmentUpdate:
		return &MultifragmentUpdateCapability{}
	case CapLargePointer:
		return &LargePointerCapability{}
	case CapSurfaceCommands:
		return &SurfaceCommandsCapability{}
	case CapBitmapCodecs:
		return &BitmapCodecsCapability{}
	case CapFrameAcknowledge:
		return &FrameAcknowledgeCapability{}
	}
	return nil
}

const capabilityHeader = 4

// AppendCapability appends a set with its header.
func AppendCapability(b []byte, c Capability) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Type()))
	b = c.append(append(b, 0, 0))
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// decodeCapabilities reads count sets.
func decodeCapabilities(r *wire.Reader, count int) []Capability {
	if count > maxCapabilitySets {
		_ = r.Refuse("%d capability sets exceed %d", count, maxCapabilitySets)
		return nil
	}
	sets := make([]Capability, 0, count)
	for range count {
		kind, n := CapabilityType(r.Uint16()), int(r.Uint16())
		if r.Err() == nil && n < capabilityHeader {
			_ = r.Refuse("capability set %d of %d bytes is shorter than its header of %d", kind, n, capabilityHeader)
		}
		body := r.Sub("capability set", n-capabilityHeader)
		if r.Err() != nil {
			return nil
		}
		c := newCapability(kind)
		if c == nil {
			c = &RawCapability{Kind: kind}
		}
		if c.decode(body); body.Err() != nil {
			_ = r.Fail(body.Err())
			return nil
		}
		sets = append(sets, c)
	}
	return sets
}

// FindCapability returns the set of type T, or ok unset.
func FindCapability[T Capability](sets []Capability) (c T, ok bool) {
	for _, s := range sets {
		if c, ok := s.(T); ok {
			return c, true
		}
	}
	return c, false
}

// RawCapability is a set kept as it came: of the last version that one is sent, the fixed contents of sets that only say
// that nothing is supported.
type RawCapability struct {
	Kind CapabilityType
	Body []byte
}

// Type implements Capability.
func (c *RawCapability) Type() CapabilityType { return c.Kind }

func (c *RawCapability) append(b []byte) []byte { return append(b, c.Body...) }
func (c *RawCapability) decode(r *wire.Reader)  { c.Body = r.Rest() }

// Extra flags of a general set ([MS-RDPBCGR] 2.2.7.1.1).
const (
	FastPathOutput           = 0x0001
	LongCredentials          = 0x0004
	AutoReconnect            = 0x0008
	NoBitmapCompressionHdr   = 0x0400
	generalProtocolVersion   = 0x0200
	generalOptionalTailBytes = 2
)

// GeneralCapability is TS_GENERAL_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.1.1).
type GeneralCapability struct {
	OSMajor, OSMinor               uint16
	ExtraFlags                     uint16
	RefreshRect, SuppressOutputPDU bool
}

// Type implements Capability.
func (c *GeneralCapability) Type() CapabilityType { return CapGeneral }

func (c *GeneralCapability) append(b []byte) []byte {
	for _, v := range []uint16{c.OSMajor, c.OSMinor, generalProtocolVersion, 0, 0, c.ExtraFlags, 0, 0, 0} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return append(b, oneIf(c.RefreshRect), oneIf(c.SuppressOutputPDU))
}

func (c *GeneralCapability) decode(r *wire.Reader) {
	c.OSMajor, c.OSMinor = r.Uint16(), r.Uint16()
	r.Skip(6)
	c.ExtraFlags = r.Uint16()
	r.Skip(6)
	if r.Len() >= generalOptionalTailBytes {
		c.RefreshRect, c.SuppressOutputPDU = r.Uint8() != 0, r.Uint8() != 0
	}
}

// Drawing flags of a bitmap set ([MS-RDPBCGR] 2.2.7.1.2).
const (
	DrawAllowDynamicColorFidelity = 0x02
	DrawAllowColorSubsampling     = 0x04
	DrawAllowSkipAlpha            = 0x08
)

// BitmapCapability is TS_BITMAP_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.1.2).
type BitmapCapability struct {
	BitsPerPixel  uint16
	Width, Height uint16 // of the desktop, pixels
	Resize        bool   // the desktop may change its size
	DrawingFlags  uint8
}

// Type implements Capability.
func (c *BitmapCapability) Type() CapabilityType { return CapBitmap }

func (c *BitmapCapability) append(b []byte) []byte {
	const compression, multipleRectangles = 1, 1
	for _, v := range []uint16{c.BitsPerPixel, 1, 1, 1, c.Width, c.Height, 0, uint16(oneIf(c.Resize)), compression} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = append(b, 0, c.DrawingFlags)
	return binary.LittleEndian.AppendUint32(b, multipleRectangles)
}

func (c *BitmapCapability) decode(r *wire.Reader) {
	c.BitsPerPixel = r.Uint16()
	r.Skip(6)
	c.Width, c.Height = r.Uint16(), r.Uint16()
	r.Skip(2)
	c.Resize = r.Uint16() != 0
	r.Skip(3)
	c.DrawingFlags = r.Uint8()
}

// PointerCapability is TS_POINTER_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.1.5).
type PointerCapability struct {
	ColorCacheSize, CacheSize uint16 // entries of the caches of colour and new pointers
}

// Type implements Capability.
func (c *PointerCapability) Type() CapabilityType { return CapPointer }

func (c *PointerCapability) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, 1) // colour pointers
	b = binary.LittleEndian.AppendUint16(b, c.ColorCacheSize)
	return binary.LittleEndian.AppendUint16(b, c.CacheSize)
}

func (c *PointerCapability) decode(r *wire.Reader) {
	r.Skip(2)
	if c.ColorCacheSize = r.Uint16(); r.Len() >= 2 {
		c.CacheSize = r.Uint16()
	}
}

// Flags of an input set ([MS-RDPBCGR] 2.2.7.1.6).
const (
	InputScancodes        = 0x0001
	InputMouseX           = 0x0004
	InputFastPath         = 0x0008
	InputUnicode          = 0x0010
	InputFastPath2        = 0x0020
	InputMouseHorizWheel  = 0x0100
	inputCapabilityUnused = 8
)

// InputCapability is TS_INPUT_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.1.6).
type InputCapability struct {
	Flags          uint16
	KeyboardLayout uint32
}

// Type implements Capability.
func (c *InputCapability) Type() CapabilityType { return CapInput }

func (c *InputCapability) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(le.AppendUint16(b, c.Flags), 0)
	b = le.AppendUint32(b, c.KeyboardLayout)
	b = le.AppendUint32(b, enhancedKeyboard)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, functionKeys)
	return append(b, make([]byte, imeFileNameBytes)...)
}

func (c *InputCapability) decode(r *wire.Reader) {
	c.Flags = r.Uint16()
	if r.Len() >= 6 {
		r.Skip(2)
		c.KeyboardLayout = r.Uint32()
	}
}

// VirtualChannelCapability is TS_VIRTUALCHANNEL_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.1.10).
type VirtualChannelCapability struct {
	Flags     uint32 // zero: no compression
	ChunkSize uint32 // bytes; zero when the peer did not say
}

// Type implements Capability.
func (c *VirtualChannelCapability) Type() CapabilityType { return CapVirtualChannel }

func (c *VirtualChannelCapability) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, c.Flags), c.ChunkSize)
}

func (c *VirtualChannelCapability) decode(r *wire.Reader) {
	if c.Flags = r.Uint32(); r.Len() >= 4 {
		c.ChunkSize = r.Uint32()
	}
}

// MultifragmentUpdateCapability is TS_MULTIFRAGMENTUPDATE_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.2.6).
type MultifragmentUpdateCapability struct {
	MaxRequestSize uint32 // bytes of a reassembled update
}

// Type implements Capability.
func (c *MultifragmentUpdateCapability) Type() CapabilityType { return CapMultifragmentUpdate }

func (c *MultifragmentUpdateCapability) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, c.MaxRequestSize)
}

func (c *MultifragmentUpdateCapability) decode(r *wire.Reader) { c.MaxRequestSize = r.Uint32() }

// Flags of a large pointer set ([MS-RDPBCGR] 2.2.7.2.7).
const (
	LargePointer96  = 1
	LargePointer384 = 2
)

// LargePointerCapability is TS_LARGE_POINTER_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.2.7).
type LargePointerCapability struct{ Flags uint16 }

// Type implements Capability.
func (c *LargePointerCapability) Type() CapabilityType { return CapLargePointer }

func (c *LargePointerCapability) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, c.Flags)
}

func (c *LargePointerCapability) decode(r *wire.Reader) { c.Flags = r.Uint16() }

// Flags of a surface commands set ([MS-RDPBCGR] 2.2.7.2.9).
const (
	SurfaceSetBits     = 0x02
	SurfaceFrameMarker = 0x10
	SurfaceStreamBits  = 0x40
)

// SurfaceCommandsCapability is TS_SURFCMDS_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.2.9).
type SurfaceCommandsCapability struct{ Flags uint32 }

// Type implements Capability.
func (c *SurfaceCommandsCapability) Type() CapabilityType { return CapSurfaceCommands }

func (c *SurfaceCommandsCapability) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, c.Flags), 0)
}

func (c *SurfaceCommandsCapability) decode(r *wire.Reader) { c.Flags = r.Uint32() }

// FrameAcknowledgeCapability is TS_FRAME_ACKNOWLEDGE_CAPABILITYSET ([MS-RDPRFX] 2.2.1.3).
type FrameAcknowledgeCapability struct {
	MaxUnacknowledged uint32 // frames under way
}

// Type implements Capability.
func (c *FrameAcknowledgeCapability) Type() CapabilityType { return CapFrameAcknowledge }

func (c *FrameAcknowledgeCapability) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, c.MaxUnacknowledged)
}

func (c *FrameAcknowledgeCapability) decode(r *wire.Reader) { c.MaxUnacknowledged = r.Uint32() }

func oneIf(set bool) byte {
	if set {
		return 1
	}
	return 0
}
