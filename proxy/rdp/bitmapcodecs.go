package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// GUID names a bitmap codec, in the byte order of the wire.
type GUID [16]byte

// The codecs spoken ([MS-RDPBCGR] 2.2.7.2.10.1.1).
var (
	GUIDNSCodec  = GUID{0xb9, 0x1b, 0x8d, 0xca, 0x0f, 0x00, 0x4f, 0x15, 0x58, 0x9f, 0xae, 0x2d, 0x1a, 0x87, 0xe2, 0xd6}
	GUIDRemoteFX = GUID{0x12, 0x2f, 0x77, 0x76, 0x72, 0xbd, 0x63, 0x44, 0xaf, 0xb3, 0xb7, 0x3c, 0x9c, 0x6f, 0x78, 0x86}
)

// BitmapCodec is TS_BITMAPCODEC ([MS-RDPBCGR] 2.2.7.2.10.1.1).
type BitmapCodec struct {
	GUID       GUID
	ID         uint8 // names the codec in surface commands
	Properties []byte
}

// BitmapCodecsCapability is TS_BITMAPCODECS_CAPABILITYSET ([MS-RDPBCGR] 2.2.7.2.10).
type BitmapCodecsCapability struct{ Codecs []BitmapCodec }

// Type implements Capability.
func (c *BitmapCodecsCapability) Type() CapabilityType { return CapBitmapCodecs }

func (c *BitmapCodecsCapability) append(b []byte) []byte {
	b = append(b, byte(len(c.Codecs)))
	for _, codec := range c.Codecs {
		b = append(append(b, codec.GUID[:]...), codec.ID)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(codec.Properties)))
		b = append(b, codec.Properties...)
	}
	return b
}

func (c *BitmapCodecsCapability) decode(r *wire.Reader) {
	n := int(r.Uint8())
	if n > maxCodecs {
		_ = r.Refuse("%d bitmap codecs exceed %d", n, maxCodecs)
		return
	}
	for range n {
		var codec BitmapCodec
		copy(codec.GUID[:], r.Bytes(len(codec.GUID)))
		codec.ID = r.Uint8()
		codec.Properties = r.Bytes(int(r.Uint16()))
		if r.Err() != nil {
			return
		}
		c.Codecs = append(c.Codecs, codec)
	}
}

// Find returns the codec of a GUID.
func (c *BitmapCodecsCapability) Find(g GUID) (BitmapCodec, bool) {
	for _, codec := range c.Codecs {
		if codec.GUID == g {
			return codec, true
		}
	}
	return BitmapCodec{}, false
}

// NSCodecProperties are what an endpoint takes of NSCodec ([MS-RDPNSC] 2.2.1).
type NSCodecProperties struct {
	DynamicFidelity, Subsampling bool
	ColorLossLevel               uint8 // 1 (none) to 7
}

// Append appends the codec's properties.
func (p NSCodecProperties) Append(b []byte) []byte {
	return append(b, oneIf(p.DynamicFidelity), oneIf(p.Subsampling), p.ColorLossLevel)
}

// AppendRemoteFXClient appends the properties by which a client announces RemoteFX: tiles of 64×64, both entropy coders,
// image mode, in which every frame stands alone ([MS-RDPRFX] 2.2.1.1).
func AppendRemoteFXClient(b []byte) []byte {
	const (
		blockCaps, blockCapset    = 0xcbc0, 0xcbc1
		capsetType                = 0xcfc0
		version, tile             = 0x0100, 0x0040
		imageMode, colour, wavlet = 2, 1, 1
		rlgr1, rlgr3              = 1, 4
		icapBytes                 = 8
		capsBytes                 = 8
		capsetBytes               = 13 + 2*icapBytes
	)
	le := binary.LittleEndian
	b = le.AppendUint32(b, 12+capsBytes+capsetBytes)
	b = le.AppendUint32(b, 0) // capture flags
	b = le.AppendUint32(b, capsBytes+capsetBytes)
	b = le.AppendUint32(le.AppendUint16(b, blockCaps), capsBytes)
	b = le.AppendUint16(b, 1) // one capset
	b = le.AppendUint32(le.AppendUint16(b, blockCapset), capsetBytes)
	b = le.AppendUint16(append(b, 1), capsetType)
	b = le.AppendUint16(le.AppendUint16(b, 2), icapBytes)
	for _, entropy := range []byte{rlgr1, rlgr3} {
		b = le.AppendUint16(le.AppendUint16(b, version), tile)
		b = append(b, imageMode, colour, wavlet, entropy)
	}
	return b
}
