package rfbenc

import (
	"encoding/binary"
	"image"
)

// zrleTile is the side of a tile in pixels.
const zrleTile = 64

// zrlePeek is more than any tile's data takes before its pixels are complete: the type, the largest palette,
// and a run of one for every pixel.
const zrlePeek = 1 + 127*3 + zrleTile*zrleTile*4

// Subencodings of a tile ([RFC 6143] 7.7.6).
const (
	zrleRaw         = 0
	zrleSolid       = 1
	zrleMaxPacked   = 16
	zrlePlainRLE    = 128
	zrleMinPalette  = 130 // palette RLE with the palette's size added to 128
	zrlePaletteBase = 128
)

// ZRLE decodes the ZRLE encoding ([RFC 6143] 7.7.6). The zero value is ready and begins a zlib stream that
// lasts as long as the connection.
type ZRLE struct {
	z    inflater
	data []byte

	tiles   image.Rectangle              // row of tiles being drawn
	err     error                        // of the row
	paint   func(pix []byte, stride int) // d.row, made once
	palette [zrleMaxPalette]uint32       // of the present tile
	pairs   [4]uint64                    // two pixels of a palette of two, by two index bits
}

const zrleMaxPalette = 128

// Decode reads the rectangle's data from src, within a cap that follows from r, and draws it.
func (d *ZRLE) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	n, err := src.Uint32()
	if err != nil {
		return err
	}
	if limit := maxZRLEBytes(r.Dx(), r.Dy()); uint64(n) > uint64(limit) {
		return dataError("zrle: %d bytes for %d×%d pixels exceed %d", n, r.Dx(), r.Dy(), limit)
	}
	d.data = grow(d.data, int(n))
	if err := src.ReadFull(d.data); err != nil {
		return err
	}
	if d.paint == nil {
		d.paint = d.row
	}
	d.z.begin(d.data)
	for y := r.Min.Y; y < r.Max.Y && !r.Empty(); y += zrleTile {
		d.tiles, d.err = image.Rect(r.Min.X, y, r.Max.X, min(y+zrleTile, r.Max.Y)), nil
		if err := dst.Draw(d.tiles, d.paint); err != nil {
			return err
		}
		if d.err != nil {
			return d.err
		}
	}
	return d.z.end()
}

// row decodes one row of tiles into pix.
func (d *ZRLE) row(pix []byte, stride int) {
	h := d.tiles.Dy()
	for x := d.tiles.Min.X; x < d.tiles.Max.X; x += zrleTile {
		w := min(zrleTile, d.tiles.Max.X-x)
		b, err := d.z.peek(zrlePeek)
		if err != nil {
			d.err = err
			return
		}
		rest, err := d.tile(b, pix[d.tiles.Min.Y*stride+x*bytesPerPixel:], stride, w, h)
		if err != nil {
			d.err = err
			return
		}
		d.z.advance(len(b) - len(rest))
	}
}

var errZRLEShort = dataError("zrle: data ends inside a tile")

// cpixel returns the compressed pixel at the head of b: the three bytes that are used.
func cpixel(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// tile decodes one tile of w×h pixels from b into pix and returns what of b is left.
func (d *ZRLE) tile(b, pix []byte, stride, w, h int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errZRLEShort
	}
	sub := int(b[0])
	b = b[1:]
	switch {
	case sub == zrleRaw:
		if len(b) < w*h*3 {
			return nil, errZRLEShort
		}
		for y := range h {
			unpackBGR(pix[y*stride:][:w*bytesPerPixel], b[:w*3])
			b = b[w*3:]
		}
		return b, nil
	case sub == zrleSolid:
		if len(b) < 3 {
			return nil, errZRLEShort
		}
		fillRect(pix, stride, w, h, cpixel(b))
		return b[3:], nil
	case sub <= zrleMaxPacked:
		b, err := d.readPalette(b, sub)
		if err != nil {
			return nil, err
		}
		return d.packed(b, pix, stride, w, h, sub)
	case sub == zrlePlainRLE:
		return d.runs(b, pix, stride, w, h, 0)
	case sub >= zrleMinPalette:
		b, err := d.readPalette(b, sub-zrlePaletteBase)
		if err != nil {
			return nil, err
		}
		return d.runs(b, pix, stride, w, h, sub-zrlePaletteBase)
	}
	return nil, dataError("zrle: tile subencoding %d", sub)
}

func (d *ZRLE) readPalette(b []byte, n int) ([]byte, error) {
	if len(b) < n*3 {
		return nil, errZRLEShort
	}
	for i := range n {
		d.palette[i] = cpixel(b[i*3:])
	}
	return b[n*3:], nil
}

// packed decodes indices of one, two or four bits into a palette of n colours, each row starting at a byte.
func (d *ZRLE) packed(b, pix []byte, stride, w, h, n int) ([]byte, error) {
	if n == 2 {
		return packedPairs(b, pix, stride, w, h, &d.pairs, d.palette[0], d.palette[1])
	}
	width := 4
	if n <= 4 {
		width = 2
	}
	rowBytes := (w*width + 7) / 8
	if len(b) < rowBytes*h {
		return nil, errZRLEShort
	}
	mask := byte(1<<width - 1)
	for y := range h {
		row := pix[y*stride:][:w*bytesPerPixel]
		for _, packed := range b[:rowBytes] {
			for shift := 8 - width; shift >= 0 && len(row) >= 4; shift -= width {
				i := packed >> shift & mask
				if int(i) >= n {
					return nil, dataError("zrle: palette index %d of %d", i, n)
				}
				binary.LittleEndian.PutUint32(row, d.palette[i])
				row = row[4:]
			}
		}
		b = b[rowBytes:]
	}
	return b, nil
}

// packedPairs decodes rows of one bit a pixel, the highest bit first, each row starting at a byte. pairs is
// scratch.
func packedPairs(b, pix []byte, stride, w, h int, pairs *[4]uint64, zero, one uint32) ([]byte, error) {
	rowBytes := (w + 7) / 8
	if len(b) < rowBytes*h {
		return nil, dataError("%d bytes of one-bit pixels, need %d", len(b), rowBytes*h)
	}
	z, o := uint64(zero), uint64(one)
	*pairs = [4]uint64{z | z<<32, z | o<<32, o | z<<32, o | o<<32} // the left pixel lies first in memory
	for y := range h {
		row := pix[y*stride:][:w*bytesPerPixel]
		for _, v := range b[:w/8] {
			out := row[:32]
			binary.LittleEndian.PutUint64(out[0:], pairs[v>>6])
			binary.LittleEndian.PutUint64(out[8:], pairs[v>>4&3])
			binary.LittleEndian.PutUint64(out[16:], pairs[v>>2&3])
			binary.LittleEndian.PutUint64(out[24:], pairs[v&3])
			row = row[32:]
		}
		for i := range w % 8 {
			px := zero
			if b[w/8]<<i&0x80 != 0 {
				px = one
			}
			binary.LittleEndian.PutUint32(row[i*4:], px)
		}
		b = b[rowBytes:]
	}
	return b, nil
}

// runs decodes runs that go through the tile row by row: of pixels when n is zero, and otherwise of indices
// into the palette of n colours, where only an index with the high bit set has a length.
func (d *ZRLE) runs(b, pix []byte, stride, w, h, n int) ([]byte, error) {
	rowLen := w * bytesPerPixel
	row := pix[:rowLen]
	rest := row // what of the row is still to write
	for y := 0; y < h; {
		var px uint32
		long := true
		if n == 0 {
			if len(b) < 3 {
				return nil, errZRLEShort
			}
			px, b = cpixel(b), b[3:]
		} else {
			if len(b) < 1 {
				return nil, errZRLEShort
			}
			i := int(b[0] & 0x7f)
			if i >= n {
				return nil, dataError("zrle: palette index %d of %d", i, n)
			}
			px, long, b = d.palette[i], b[0]&0x80 != 0, b[1:]
		}
		run := 1
		if long {
			for {
				if len(b) == 0 {
					return nil, errZRLEShort
				}
				v := int(b[0])
				b = b[1:]
				run += v
				if v != 255 {
					break
				}
				if run > w*h {
					return nil, errZRLERun
				}
			}
		}
		for run*bytesPerPixel >= len(rest) {
			fillRow(rest, px)
			run -= len(rest) / bytesPerPixel
			if y++; y == h {
				if run > 0 {
					return nil, errZRLERun
				}
				return b, nil
			}
			rest = pix[y*stride:][:rowLen]
		}
		fillRow(rest[:run*bytesPerPixel], px)
		rest = rest[run*bytesPerPixel:]
	}
	return b, nil
}

var errZRLERun = dataError("zrle: run longer than what is left of the tile")
