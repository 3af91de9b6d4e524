package rdpserver

import (
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

const (
	// Bitmaps of 64×64 pixels are what servers have always sent; the longest, which nothing compresses, fits into an update.
	bitmapBlocks = 4
	// updateBytes bounds a bitmap update: clients without fragmentation take no more than 16 KB.
	updateBytes = 16000
	// bitmapAlign is what the width of a bitmap is a multiple of.
	bitmapAlign = 4
	// Planar bitmaps of the graphics pipeline are rather wide: each has a header, and rows compress by those above them.
	planarCols, planarRows = 16, 8
)

// send sends the blocks marked, as they are in the shadow below the overlays. It needs drawing.
func (p *painter) send(m mode, d *desktop.Damage, overlays []overlay) error {
	if m != modeBitmap {
		return p.sendPlanar(d, overlays)
	}
	var batch []rdp.Bitmap
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		p.frame = rdp.AppendBitmaps(p.frame[:0], batch)
		err := p.c.out.Push(p.c.appendBitmapUpdate(p.frame))
		batch, size = batch[:0], 0
		return err
	}
	rows := bitmapBlocks
	if p.c.link.hello.Depth == 32 && !p.c.capabilities().skipAlpha {
		rows-- // four planes
	}
	err := p.tiles(d, bitmapBlocks, rows, func(r image.Rectangle) error {
		m, err := p.bitmap(r, p.pixels(r, overlays, bitmapAlign))
		if err != nil {
			return err
		}
		const header = 18
		if size+len(m.Data)+header > updateBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, m), size+len(m.Data)+header
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// bitmap codes a rectangle as the client takes it.
func (p *painter) bitmap(r image.Rectangle, pixels pixel.BGRX) (rdp.Bitmap, error) {
	m := rdp.Bitmap{Dest: r, Width: pixels.Width, Height: pixels.Height, BitsPerPixel: p.c.link.hello.Depth, Compressed: true}
	var err error
	switch {
	case m.BitsPerPixel != 32:
		m.Data, err = p.encode.Interleaved(nil, pixels, m.BitsPerPixel)
		most := pixels.Width * pixels.Height * ((m.BitsPerPixel + 7) / 8)
		if len(m.Data) > most && m.BitsPerPixel == 24 {
			m.Data, m.Compressed = raw(pixels), false
		}
	case p.c.capabilities().skipAlpha:
		m.Data, err = p.encode.Planar(nil, pixels, true)
	default:
		m.Data, err = p.encode.PlanarOpaque(nil, pixels, true)
	}
	return m, err
}

// raw returns the pixels as they are, of 24 bits, bottom row first.
func raw(pixels pixel.BGRX) []byte {
	const bytes = 3
	b := make([]byte, 0, pixels.Width*pixels.Height*bytes)
	for y := pixels.Height - 1; y >= 0; y-- {
		for row := pixels.Row(y); len(row) >= desktop.BytesPerPixel; row = row[desktop.BytesPerPixel:] {
			b = append(b, row[:bytes]...)
		}
	}
	return b
}

// appendBitmapUpdate returns what appends a bitmap update, on the path the client takes.
func (c *Conn) appendBitmapUpdate(data []byte) func(b []byte) []byte {
	return func(b []byte) []byte {
		if c.capabilities().fastPath {
			return rdp.AppendUpdate(b, rdp.Update{Code: rdp.UpdateBitmap, Data: data})
		}
		return c.link.appendData(b, rdp.DataUpdate, func(b []byte) []byte { return append(b, data...) })
	}
}

// sendPlanar sends the blocks marked as one frame of the graphics pipeline.
func (p *painter) sendPlanar(d *desktop.Damage, overlays []overlay) error {
	if d.Empty() {
		return nil
	}
	return p.pushFrame(func(b []byte) ([]byte, error) {
		err := p.tiles(d, planarCols, planarRows, func(r image.Rectangle) error {
			data, err := p.encode.Planar(nil, p.pixels(r, overlays, 1), false)
			if err != nil {
				return err
			}
			m := egfx.WireToSurface1{
				SurfaceID: surfaceID, Codec: egfx.CodecPlanar, PixelFormat: egfx.FormatXRGB, DestRect: rect16(r), Data: data,
			}
			b = m.Append(b)
			return nil
		})
		return b, err
	})
}

func rect16(r image.Rectangle) egfx.Rect16 {
	return egfx.Rect16{Left: uint16(r.Min.X), Top: uint16(r.Min.Y), Right: uint16(r.Max.X), Bottom: uint16(r.Max.Y)}
}
