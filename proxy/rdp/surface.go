package rdp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Surface commands ([MS-RDPBCGR] 2.2.9.2).
const (
	cmdSetSurfaceBits    = 0x0001
	cmdFrameMarker       = 0x0004
	cmdStreamSurfaceBits = 0x0006

	exCompressedHeaderPresent = 1
	exCompressedHeaderBytes   = 24
)

// SurfaceBits is a Set or Stream Surface Bits command: a picture for a rectangle of the desktop ([MS-RDPBCGR] 2.2.9.2.1,
// 2.2.9.2.2).
type SurfaceBits struct {
	Dest          image.Rectangle
	Width, Height int // of the picture, pixels
	BitsPerPixel  int
	CodecID       uint8 // zero: not compressed; rows come bottom to top, also from NSCodec
	Data          []byte
}

// FrameMarker is a Frame Marker command ([MS-RDPBCGR] 2.2.9.2.3). A frame that ended is acknowledged.
type FrameMarker struct {
	End   bool
	Frame uint32
}

// SurfaceHandler takes the commands of an update.
type SurfaceHandler interface {
	SurfaceBits(c SurfaceBits) error
	FrameMarker(c FrameMarker) error
}

// DecodeSurfaceCommands hands on every command of a surface commands update.
func DecodeSurfaceCommands(b []byte, h SurfaceHandler) error {
	r := wire.NewReader("TS_SURFCMD", b)
	for r.Len() > 0 {
		var err error
		switch cmd := r.Uint16(); cmd {
		case cmdSetSurfaceBits, cmdStreamSurfaceBits:
			var bits SurfaceBits
			if bits.decode(r); r.Err() == nil {
				err = h.SurfaceBits(bits)
			}
		case cmdFrameMarker:
			action, frame := r.Uint16(), uint32(0)
			if r.Len() > 0 { // optional since [MS-RDPBCGR] says so of old servers
				frame = r.Uint32()
			}
			if r.Err() == nil && action > 1 {
				return r.Refuse("frame action %d", action)
			}
			if r.Err() == nil {
				err = h.FrameMarker(FrameMarker{End: action == 1, Frame: frame})
			}
		default:
			if r.Err() == nil {
				return r.Refuse("command %d is not known", cmd)
			}
		}
		if err != nil {
			return err
		}
	}
	return r.Err()
}

func (c *SurfaceBits) decode(r *wire.Reader) {
	left, top, right, bottom := int(r.Uint16()), int(r.Uint16()), int(r.Uint16()), int(r.Uint16())
	c.BitsPerPixel = int(r.Uint8())
	flags := r.Uint8()
	r.Skip(1)
	c.CodecID = r.Uint8()
	c.Width, c.Height = int(r.Uint16()), int(r.Uint16())
	n := r.Uint32()
	if flags&exCompressedHeaderPresent != 0 {
		r.Skip(exCompressedHeaderBytes)
	}
	if r.Err() == nil && int64(n) > int64(r.Len()) {
		_ = r.Refuse("picture of %d bytes, %d left", n, r.Len())
		return
	}
	c.Data = r.Bytes(int(n))
	c.Dest = image.Rectangle{Min: image.Pt(left, top), Max: image.Pt(right, bottom)}
	if r.Err() == nil && (right <= left || bottom <= top) {
		_ = r.Refuse("rectangle from %d,%d to %d,%d", left, top, right, bottom)
	}
}

// Append appends the command as a Set Surface Bits.
func (c *SurfaceBits) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, cmdSetSurfaceBits)
	for _, v := range []int{c.Dest.Min.X, c.Dest.Min.Y, c.Dest.Max.X, c.Dest.Max.Y} {
		b = le.AppendUint16(b, uint16(v))
	}
	b = append(b, byte(c.BitsPerPixel), 0, 0, c.CodecID)
	b = le.AppendUint16(le.AppendUint16(b, uint16(c.Width)), uint16(c.Height))
	return append(le.AppendUint32(b, uint32(len(c.Data))), c.Data...)
}

// Append appends the command.
func (c FrameMarker) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, cmdFrameMarker)
	b = binary.LittleEndian.AppendUint16(b, uint16(oneIf(c.End)))
	return binary.LittleEndian.AppendUint32(b, c.Frame)
}
