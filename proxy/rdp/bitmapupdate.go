package rdp

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Kinds of slow-path updates, which bitmap and palette updates repeat on the fast path ([MS-RDPBCGR] 2.2.9.1.1.3).
const (
	GraphicsOrders      = 0
	GraphicsBitmap      = 1
	GraphicsPalette     = 2
	GraphicsSynchronize = 3
)

// DecodeGraphics returns the kind of a slow-path graphics update and its data, which begins with the kind again for
// Bitmaps and Palette to read.
func DecodeGraphics(b []byte) (kind uint16, err error) {
	r := wire.NewReader("TS_GRAPHICS_UPDATE", b)
	kind = r.Uint16()
	return kind, r.Err()
}

// Flags of a bitmap ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.2).
const (
	bitmapCompression         = 0x0001
	bitmapNoCompressionHeader = 0x0400
	bitmapCompressionHeader   = 8
	bitmapHeader              = 18
)

// Bitmap is TS_BITMAP_DATA ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.2): a rectangle of the desktop.
type Bitmap struct {
	Dest          image.Rectangle
	Width, Height int // of the picture in Data, pixels: at least those of Dest
	BitsPerPixel  int
	Compressed    bool   // interleaved RLE, or planar at 32 bits a pixel
	Data          []byte // rows bottom to top; without a compression header
}

// DecodeBitmaps calls fn for every rectangle of a bitmap update ([MS-RDPBCGR] 2.2.9.1.1.3.1.2), slow-path or fast-path.
func DecodeBitmaps(b []byte, fn func(m Bitmap) error) error {
	r := wire.NewReader("TS_UPDATE_BITMAP_DATA", b)
	if kind := r.Uint16(); r.Err() == nil && kind != GraphicsBitmap {
		return r.Refuse("update type %d, want %d", kind, GraphicsBitmap)
	}
	n := int(r.Uint16())
	if n > maxBitmapRects {
		return r.Refuse("%d rectangles exceed %d", n, maxBitmapRects)
	}
	for range n {
		var m Bitmap
		if m.decode(r); r.Err() != nil {
			return r.Err()
		}
		if err := fn(m); err != nil {
			return err
		}
	}
	return r.Err()
}

func (m *Bitmap) decode(r *wire.Reader) {
	left, top, right, bottom := int(r.Uint16()), int(r.Uint16()), int(r.Uint16()), int(r.Uint16())
	m.Width, m.Height = int(r.Uint16()), int(r.Uint16())
	m.BitsPerPixel = int(r.Uint16())
	flags := r.Uint16()
	m.Data = r.Bytes(int(r.Uint16()))
	if r.Err() != nil {
		return
	}
	// Not image.Rect: it would put a rectangle in order that is not.
	m.Dest = image.Rectangle{Min: image.Pt(left, top), Max: image.Pt(right+1, bottom+1)}
	switch {
	case right < left || bottom < top:
		_ = r.Refuse("rectangle from %d,%d to %d,%d", left, top, right, bottom)
	case m.Dest.Dx() > m.Width || m.Dest.Dy() > m.Height:
		_ = r.Refuse("rectangle of %d×%d, picture of %d×%d", m.Dest.Dx(), m.Dest.Dy(), m.Width, m.Height)
	}
	m.Compressed = flags&bitmapCompression != 0
	if m.Compressed && flags&bitmapNoCompressionHeader == 0 {
		if len(m.Data) < bitmapCompressionHeader {
			_ = r.Refuse("compressed picture of %d bytes has no header of %d", len(m.Data), bitmapCompressionHeader)
			return
		}
		m.Data = m.Data[bitmapCompressionHeader:]
	}
}

// AppendBitmaps appends a bitmap update.
func AppendBitmaps(b []byte, bitmaps []Bitmap) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, GraphicsBitmap)
	b = le.AppendUint16(b, uint16(len(bitmaps)))
	for i := range bitmaps {
		m := &bitmaps[i]
		b = appendInclusive(b, m.Dest)
		b = le.AppendUint16(le.AppendUint16(b, uint16(m.Width)), uint16(m.Height))
		b = le.AppendUint16(b, uint16(m.BitsPerPixel))
		flags := uint16(0)
		if m.Compressed {
			flags = bitmapCompression | bitmapNoCompressionHeader
		}
		b = le.AppendUint16(le.AppendUint16(b, flags), uint16(len(m.Data)))
		b = append(b, m.Data...)
	}
	return b
}

const paletteColours = 256

// Palette is TS_UPDATE_PALETTE_DATA ([MS-RDPBCGR] 2.2.9.1.1.3.1.1.1): blue, green, red and a byte without meaning, as in
// BGRX.
type Palette [paletteColours][4]byte

// Decode reads a palette update, slow-path or fast-path.
func (p *Palette) Decode(b []byte) error {
	r := wire.NewReader("TS_UPDATE_PALETTE_DATA", b)
	kind := r.Uint16()
	r.Skip(2)
	n := r.Uint32()
	if r.Err() == nil && (kind != GraphicsPalette || n != paletteColours) {
		return r.Refuse("update type %d with %d colours, want %d with %d", kind, n, GraphicsPalette, paletteColours)
	}
	rgb := r.Bytes(3 * paletteColours)
	if r.Err() != nil {
		return r.Err()
	}
	for i := range p {
		p[i] = [4]byte{rgb[3*i+2], rgb[3*i+1], rgb[3*i], 0}
	}
	return nil
}

// Append appends a palette update.
func (p *Palette) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, GraphicsPalette)
	b = binary.LittleEndian.AppendUint32(b, paletteColours)
	for _, c := range p {
		b = append(b, c[2], c[1], c[0])
	}
	return b
}
