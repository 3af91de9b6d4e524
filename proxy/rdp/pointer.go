package rdp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Slow-path pointer messages ([MS-RDPBCGR] 2.2.9.1.1.4).
const (
	pointerSystem   = 1
	pointerPosition = 3
	pointerColor    = 6
	pointerCached   = 7
	pointerNew      = 8
	pointerLarge    = 9

	systemPointerNull = 0
)

// DecodePointer reads a slow-path pointer update as the fast-path update it means.
func DecodePointer(b []byte) (Update, error) {
	r := wire.NewReader("TS_POINTER_PDU", b)
	kind := r.Uint16()
	r.Skip(2)
	u := Update{Data: r.Rest()}
	switch kind {
	case pointerSystem:
		u.Code = UpdatePointerDefault
		s := wire.NewReader("TS_SYSTEMPOINTERATTRIBUTE", u.Data)
		if s.Uint32() == systemPointerNull {
			u.Code = UpdatePointerHidden
		}
		if s.Err() != nil {
			return u, s.Err()
		}
	case pointerPosition:
		u.Code = UpdatePointerPosition
	case pointerColor:
		u.Code = UpdatePointerColor
	case pointerCached:
		u.Code = UpdatePointerCached
	case pointerNew:
		u.Code = UpdatePointerNew
	case pointerLarge:
		u.Code = UpdatePointerLarge
	default:
		if r.Err() == nil {
			return u, r.Refuse("message type %d is not known", kind)
		}
	}
	return u, r.Err()
}

// DecodePointerPosition returns where the server puts the pointer ([MS-RDPBCGR] 2.2.9.1.1.4.2).
func DecodePointerPosition(b []byte) (image.Point, error) {
	r := wire.NewReader("TS_POINTERPOSATTRIBUTE", b)
	p := image.Pt(int(r.Uint16()), int(r.Uint16()))
	return p, r.Err()
}

// DecodePointerCached returns the cache entry to show ([MS-RDPBCGR] 2.2.9.1.1.4.6).
func DecodePointerCached(b []byte) (int, error) {
	r := wire.NewReader("TS_CACHEDPOINTERATTRIBUTE", b)
	i := int(r.Uint16())
	return i, r.Err()
}

// PointerShape is a pointer as the server sends it: a colour, new or large pointer ([MS-RDPBCGR] 2.2.9.1.1.4.4,
// 2.2.9.1.1.4.5, 2.2.9.1.2.1.11).
type PointerShape struct {
	CacheIndex    int
	Hotspot       image.Point
	Width, Height int // pixels, at most MaxPointerSide
	BitsPerPixel  int // of XOR: 1, 4, 8, 16, 24 or 32
	XOR, AND      []byte
}

// Decode reads a pointer update of the given code: UpdatePointerColor, UpdatePointerNew or UpdatePointerLarge.
func (p *PointerShape) Decode(code UpdateCode, b []byte) error {
	r := wire.NewReader("TS_COLORPOINTERATTRIBUTE", b)
	out := PointerShape{BitsPerPixel: 24}
	if code != UpdatePointerColor {
		out.BitsPerPixel = int(r.Uint16())
	}
	out.CacheIndex = int(r.Uint16())
	out.Hotspot = image.Pt(int(r.Uint16()), int(r.Uint16()))
	out.Width, out.Height = int(r.Uint16()), int(r.Uint16())
	var and, xor int
	if code == UpdatePointerLarge {
		// 384 × 384 pixels of 32 bits are far below what an int holds anywhere.
		a, x := r.Uint32(), r.Uint32()
		and, xor = int(min(a, MaxUpdate)), int(min(x, MaxUpdate))
	} else {
		and, xor = int(r.Uint16()), int(r.Uint16())
	}
	if r.Err() == nil && (out.Width > MaxPointerSide || out.Height > MaxPointerSide) {
		return r.Refuse("pointer of %d×%d pixels exceeds %d a side", out.Width, out.Height, MaxPointerSide)
	}
	out.XOR, out.AND = r.Bytes(xor), r.Bytes(and)
	if r.Err() != nil {
		return r.Err()
	}
	switch out.BitsPerPixel {
	case 1, 4, 8, 16, 24, 32:
	default:
		return r.Refuse("pointer of %d bits a pixel", out.BitsPerPixel)
	}
	if need := out.Height * maskStride(out.Width, out.BitsPerPixel); len(out.XOR) < need {
		return r.Refuse("XOR mask of %d bytes, need %d", len(out.XOR), need)
	}
	if need := out.Height * maskStride(out.Width, 1); len(out.AND) > 0 && len(out.AND) < need {
		return r.Refuse("AND mask of %d bytes, need %d", len(out.AND), need)
	}
	*p = out
	return nil
}

// maskStride returns the bytes of a mask's row: padded to two.
func maskStride(width, bits int) int { return (width*bits + 15) / 16 * 2 }

// Append appends a pointer update of the given code.
func (p *PointerShape) Append(code UpdateCode, b []byte) []byte {
	le := binary.LittleEndian
	if code != UpdatePointerColor {
		b = le.AppendUint16(b, uint16(p.BitsPerPixel))
	}
	for _, v := range []int{p.CacheIndex, p.Hotspot.X, p.Hotspot.Y, p.Width, p.Height} {
		b = le.AppendUint16(b, uint16(v))
	}
	if code == UpdatePointerLarge {
		b = le.AppendUint32(le.AppendUint32(b, uint32(len(p.AND))), uint32(len(p.XOR)))
	} else {
		b = le.AppendUint16(le.AppendUint16(b, uint16(len(p.AND))), uint16(len(p.XOR)))
	}
	return append(append(b, p.XOR...), p.AND...)
}

// Image returns the pointer with alpha. Pixels that invert the screen become black with a white rim where it is missing:
// a shape on its own cannot invert. palette is for 8 bits a pixel and may be nil.
func (p *PointerShape) Image(palette *Palette) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	stride, andStride := maskStride(p.Width, p.BitsPerPixel), maskStride(p.Width, 1)
	opaque := p.BitsPerPixel != 32 || p.alphaless() // where the AND mask does not say otherwise
	inverts := false
	inverted := make([]bool, p.Width*p.Height)
	for y := range p.Height {
		row := p.XOR[(p.Height-1-y)*stride:][:stride]
		var and []byte
		if len(p.AND) > 0 {
			and = p.AND[(p.Height-1-y)*andStride:][:andStride]
		}
		if p.BitsPerPixel == 1 { // monochrome pointers come top row first
			row = p.XOR[y*stride:][:stride]
			if and != nil {
				and = p.AND[y*andStride:][:andStride]
			}
		}
		for x := range p.Width {
			red, green, blue, alpha := pointerPixel(row, x, p.BitsPerPixel, palette)
			if and != nil && and[x/8]>>(7-x%8)&1 != 0 {
				switch {
				case p.BitsPerPixel == 32 && alpha != 0: // the alpha counts
				case red|green|blue == 0:
					alpha = 0
				default:
					inverts, inverted[y*p.Width+x] = true, true
					red, green, blue, alpha = 0, 0, 0, 0xff
				}
			} else if opaque {
				alpha = 0xff
			}
			o := img.PixOffset(x, y)
			img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = red, green, blue, alpha
		}
	}
	if inverts {
		rim(img, inverted)
	}
	return img
}

// alphaless tells whether p is a 32-bit pointer whose alpha is zero everywhere: the AND mask alone says what shows.
func (p *PointerShape) alphaless() bool {
	if p.BitsPerPixel != 32 || len(p.AND) == 0 {
		return false
	}
	for i := 3; i < 4*p.Width*p.Height; i += 4 { // rows of 32 bits have no padding
		if p.XOR[i] != 0 {
			return false
		}
	}
	return true
}

// rim draws white around inverting pixels, so that they show on dark and light.
func rim(img *image.NRGBA, inverted []bool) {
	size := img.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			if !inverted[y*size.X+x] {
				continue
			}
			for _, d := range []image.Point{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				n := image.Pt(x, y).Add(d)
				if !n.In(img.Bounds()) {
					continue
				}
				if o := img.PixOffset(n.X, n.Y); img.Pix[o+3] == 0 {
					img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = 0xff, 0xff, 0xff, 0xff
				}
			}
		}
	}
}

// pointerPixel returns a pixel of an XOR mask's row.
func pointerPixel(row []byte, x, bits int, palette *Palette) (red, green, blue, alpha uint8) {
	switch bits {
	case 32:
		p := row[4*x:]
		return p[2], p[1], p[0], p[3]
	case 24:
		p := row[3*x:]
		return p[2], p[1], p[0], 0
	case 16:
		v := uint32(binary.LittleEndian.Uint16(row[2*x:]))
		return five(v >> 10), five(v >> 5), five(v), 0
	case 8, 4:
		i := row[x*bits/8]
		if bits == 4 {
			i = i >> (4 - x%2*4) & 15
		}
		if palette == nil {
			if i != 0 {
				return 0xff, 0xff, 0xff, 0
			}
			return 0, 0, 0, 0
		}
		return palette[i][2], palette[i][1], palette[i][0], 0
	}
	if row[x/8]>>(7-x%8)&1 != 0 {
		return 0xff, 0xff, 0xff, 0
	}
	return 0, 0, 0, 0
}

// five widens the five lowest bits to eight.
func five(v uint32) uint8 {
	v &= 31
	return uint8(v<<3 | v>>2)
}
