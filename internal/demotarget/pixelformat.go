package demotarget

import (
	"encoding/binary"
	"image/color"
)

// pixelFormat is PIXEL_FORMAT (RFC 6143 7.4) as far as we serve it: true colour, 32 bits a pixel, 8 bits a
// colour, in any order.
type pixelFormat struct {
	depth            uint8
	bigEndian        bool
	red, green, blue uint8 // shifts
}

// nativeFormat is what ServerInit announces: blue, green, red and an unused byte.
var nativeFormat = pixelFormat{depth: 24, red: 16, green: 8, blue: 0}

// parsePixelFormat reads the 16 bytes of a PIXEL_FORMAT.
func parsePixelFormat(b []byte) (pixelFormat, error) {
	bits, depth, trueColour := b[0], b[1], b[3] != 0
	f := pixelFormat{depth: depth, bigEndian: b[2] != 0, red: b[10], green: b[11], blue: b[12]}
	maxima := [3]uint16{binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[8:])}
	if bits != 32 || !trueColour || maxima != [3]uint16{255, 255, 255} || max(f.red, f.green, f.blue) > 24 {
		return f, protocolError("pixel format of %d bits, maxima %d, shifts %d %d %d: want 32 bits of true colour",
			bits, maxima, f.red, f.green, f.blue)
	}
	return f, nil
}

// append appends the PIXEL_FORMAT.
func (f pixelFormat) append(b []byte) []byte {
	var bigEndian byte
	if f.bigEndian {
		bigEndian = 1
	}
	return append(b, 32, f.depth, bigEndian, 1, 0, 255, 0, 255, 0, 255, f.red, f.green, f.blue, 0, 0, 0)
}

// pixel returns the four bytes of a colour.
func (f pixelFormat) pixel(c color.RGBA) (p [4]byte) {
	v := uint32(c.R)<<f.red | uint32(c.G)<<f.green | uint32(c.B)<<f.blue
	if f.bigEndian {
		binary.BigEndian.PutUint32(p[:], v)
	} else {
		binary.LittleEndian.PutUint32(p[:], v)
	}
	return p
}

// cpixel returns which bytes of a pixel a CPIXEL of ZRLE has (RFC 6143 7.7.5): three of them when the colours
// lie in the lower or the upper three bytes and the depth is at most 24, else all.
func (f pixelFormat) cpixel() (from, to int) {
	low := max(f.red, f.green, f.blue) <= 16
	high := min(f.red, f.green, f.blue) >= 8
	switch {
	case f.depth > 24 || !low && !high:
		return 0, 4
	case low != f.bigEndian: // little-endian low bytes and big-endian high bytes come first
		return 0, 3
	default:
		return 1, 4
	}
}
