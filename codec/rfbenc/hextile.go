package rfbenc

import (
	"encoding/binary"
	"image"
)

// hextileSide is the side of a tile in pixels.
const hextileSide = 16

// Subencoding mask of a tile ([RFC 6143] 7.7.4).
const (
	hextileRaw = 1 << iota
	hextileBackground
	hextileForeground
	hextileAnySubrects
	hextileColoured
	hextileUnknown // this bit and those above belong to no encoding asked for
)

// Hextile decodes the Hextile encoding ([RFC 6143] 7.7.4). The zero value is ready.
type Hextile struct {
	band   band
	bg, fg uint32 // carried from tile to tile of one rectangle
}

// Decode reads the tiles of r from src and draws them, one row of tiles at a time.
func (d *Hextile) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	if r.Empty() {
		return nil
	}
	d.bg, d.fg = 0, 0
	for y := r.Min.Y; y < r.Max.Y; y += hextileSide {
		d.band.reset(image.Rect(r.Min.X, y, r.Max.X, min(y+hextileSide, r.Max.Y)))
		stride := r.Dx() * bytesPerPixel
		for x := 0; x < r.Dx(); x += hextileSide {
			w, h := min(hextileSide, r.Dx()-x), d.band.rect.Dy()
			if err := d.tile(src, d.band.pix[x*bytesPerPixel:], stride, w, h); err != nil {
				return err
			}
		}
		if err := dst.Draw(d.band.rect, d.band.copy); err != nil {
			return err
		}
	}
	return nil
}

// tile decodes one tile of w×h pixels whose first byte is pix[0].
func (d *Hextile) tile(src *Reader, pix []byte, stride, w, h int) error {
	mask, err := src.Uint8()
	if err != nil {
		return err
	}
	if mask >= hextileUnknown {
		return dataError("hextile: subencoding mask %#x", mask)
	}
	if mask&hextileRaw != 0 {
		row := w * bytesPerPixel
		p, err := src.Next(row * h)
		if err != nil {
			return err
		}
		for y := range h {
			copy(pix[y*stride:][:row], p[y*row:])
		}
		return nil
	}
	// All that stands before the subrectangles in one piece.
	head := 0
	for _, f := range [...]struct{ flag, size int }{
		{hextileBackground, 4}, {hextileForeground, 4}, {hextileAnySubrects, 1},
	} {
		if int(mask)&f.flag != 0 {
			head += f.size
		}
	}
	p, err := src.Next(head)
	if err != nil {
		return err
	}
	if mask&hextileBackground != 0 {
		d.bg = binary.LittleEndian.Uint32(p)
		p = p[4:]
	}
	if mask&hextileForeground != 0 {
		d.fg = binary.LittleEndian.Uint32(p)
		p = p[4:]
	}
	fillRect(pix, stride, w, h, d.bg)
	if mask&hextileAnySubrects == 0 {
		return nil
	}
	return d.subrects(src, int(p[0]), mask&hextileColoured != 0, pix, stride, w, h)
}

func (d *Hextile) subrects(src *Reader, n int, coloured bool, pix []byte, stride, w, h int) error {
	size := 2
	if coloured {
		size = 6
	}
	p, err := src.Next(n * size)
	if err != nil {
		return err
	}
	for ; len(p) >= size; p = p[size:] {
		px, at := d.fg, p
		if coloured {
			px, at = binary.LittleEndian.Uint32(p), p[4:]
		}
		x, y := int(at[0]>>4), int(at[0]&15)
		sw, sh := int(at[1]>>4)+1, int(at[1]&15)+1
		if x+sw > w || y+sh > h {
			return dataError("hextile: subrectangle %d,%d %d×%d outside a tile of %d×%d", x, y, sw, sh, w, h)
		}
		fillRect(pix[y*stride+x*bytesPerPixel:], stride, sw, sh, px)
	}
	return nil
}
