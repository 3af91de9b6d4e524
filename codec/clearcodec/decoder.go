package clearcodec

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
)

// The flags of CLEARCODEC_BITMAP_STREAM ([MS-RDPEGFX] 2.2.4.1).
const (
	flagGlyphIndex = 0x01 // glyphIndex is present
	flagGlyphHit   = 0x02 // and names what to draw
	flagCacheReset = 0x04 // both rings begin anew
)

// Decoder decodes the bitmaps of one graphics channel in their order. The zero value is ready. It is not safe for
// concurrent use, keeps at most what limits.go adds up, and must not be used again after an error: its caches may differ
// from the server's then.
type Decoder struct {
	begun bool
	seq   uint8 // expected next

	bars      ring // V-bar storage
	shortBars ring // short V-bar storage
	glyphs    []glyph
	padded    [slotBytes]byte // a column lower than its band

	nsc rdpbitmap.Decoder
}

// glyph is an entry of the glyph storage; Pix is nil where nothing was stored.
type glyph = pixel.BGRX

// Decode draws the bitmap in src, whose size is that of dst. Neither is kept. What src leaves out stays as it was in dst.
func (d *Decoder) Decode(dst pixel.BGRX, src []byte) error {
	if err := dst.Check(); err != nil {
		return err
	}
	r := &reader{b: src}
	flags, seq := r.uint8(), uint8(r.uint8())
	if r.short {
		return dataError("bitmap of %d bytes", len(src))
	}
	// The first bitmap says where the count begins; the channel loses nothing, so a gap is a mistake of one side.
	if d.begun && seq != d.seq {
		return dataError("seqNumber %d, expected %d", seq, d.seq)
	}
	d.begun, d.seq = true, seq+1
	if flags&flagCacheReset != 0 {
		d.bars.reset()
		d.shortBars.reset()
	}
	if flags&flagGlyphIndex == 0 {
		if flags&flagGlyphHit != 0 {
			return dataError("flags %#x: a glyph without glyphIndex", flags)
		}
		return d.composite(dst, r)
	}
	index := r.uint16()
	if r.short {
		return dataError("no glyphIndex")
	}
	if index >= glyphEntries {
		return dataError("glyphIndex %d of %d", index, glyphEntries)
	}
	if dst.Width*dst.Height > maxGlyphPixels || dst.Width == 0 || dst.Height == 0 {
		return dataError("glyph of %d×%d pixels", dst.Width, dst.Height)
	}
	if flags&flagGlyphHit != 0 {
		if len(r.b) > 0 {
			return dataError("%d bytes after glyphIndex", len(r.b))
		}
		return d.drawGlyph(dst, index)
	}
	if err := d.composite(dst, r); err != nil {
		return err
	}
	d.storeGlyph(index, dst)
	return nil
}

// composite draws CLEARCODEC_COMPOSITE_PAYLOAD ([MS-RDPEGFX] 2.2.4.1.1).
func (d *Decoder) composite(dst pixel.BGRX, r *reader) error {
	residual, bands, subcodecs := r.uint32(), r.uint32(), r.uint32()
	if r.short {
		return dataError("no composite payload")
	}
	// Bytes after the last layer are passed over, as others do.
	if residual+bands+subcodecs > len(r.b) {
		return dataError("layers of %d, %d and %d bytes in %d", residual, bands, subcodecs, len(r.b))
	}
	if residual > 0 {
		if err := drawResidual(dst, &reader{b: r.bytes(residual)}); err != nil {
			return err
		}
	}
	for layer := (&reader{b: r.bytes(bands)}); len(layer.b) > 0; {
		if err := d.drawBand(dst, layer); err != nil {
			return err
		}
	}
	room := maxOverdraw * dst.Width * dst.Height
	for layer := (&reader{b: r.bytes(subcodecs)}); len(layer.b) > 0; {
		area, err := d.drawRegion(dst, layer, room)
		if err != nil {
			return err
		}
		room -= area
	}
	return nil
}

// drawResidual draws CLEARCODEC_RESIDUAL_DATA ([MS-RDPEGFX] 2.2.4.1.1.1), which covers the whole bitmap.
func drawResidual(dst pixel.BGRX, r *reader) error {
	p := newPen(dst)
	for len(r.b) > 0 {
		// Nearly all runs are short and end within their row: drawn here, the rest below.
		if len(r.b) >= 4 && r.b[3] < shortRun {
			if n := int(r.b[3]); n*bytesPerPixel <= len(p.row) {
				p.left -= n
				row, colour := p.row, bgr(r.b)
				for range n {
					binary.LittleEndian.PutUint32(row, colour)
					row = row[bytesPerPixel:]
				}
				p.row, r.b = row, r.b[4:]
				continue
			}
		}
		colour, n := r.colour(), r.runLength()
		if r.short {
			return dataError("residual ends within a run")
		}
		if n > p.left {
			return dataError("residual run of %d pixels, %d left", n, p.left)
		}
		p.run(colour, n)
	}
	if p.left > 0 {
		return dataError("residual lacks %d pixels", p.left)
	}
	return nil
}

// drawGlyph draws what storeGlyph kept.
func (d *Decoder) drawGlyph(dst pixel.BGRX, index int) error {
	if len(d.glyphs) == 0 || d.glyphs[index].Pix == nil {
		return dataError("glyph %d was never stored", index)
	}
	g := d.glyphs[index]
	if g.Width != dst.Width || g.Height != dst.Height {
		return dataError("glyph %d of %d×%d pixels drawn as %d×%d", index, g.Width, g.Height, dst.Width, dst.Height)
	}
	copyPixels(dst, g)
	return nil
}

// storeGlyph keeps a bitmap of at most maxGlyphPixels.
func (d *Decoder) storeGlyph(index int, src pixel.BGRX) {
	if d.glyphs == nil {
		d.glyphs = make([]glyph, glyphEntries)
	}
	g := &d.glyphs[index]
	n := src.Width * src.Height * bytesPerPixel
	if cap(g.Pix) < n {
		g.Pix = make([]byte, n)
	}
	*g = pixel.BGRX{Pix: g.Pix[:n], Stride: src.Width * bytesPerPixel, Width: src.Width, Height: src.Height}
	copyPixels(*g, src)
}

// copyPixels copies a picture of the same size.
func copyPixels(dst, src pixel.BGRX) {
	for y := range src.Height {
		copy(dst.Row(y), src.Row(y))
	}
}
