package demotarget

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
)

// zrle encodes rectangles as ZRLE (RFC 6143 7.7.6). All of a connection share one zlib stream.
type zrle struct {
	packed bytes.Buffer
	stream *zlib.Writer
	plain  []byte
	tile   []color.RGBA // of the tile at hand, row by row
}

const (
	zrleTile       = 64
	zrleMaxPalette = 16 // of packed palettes
	zrlePlainRLE   = 128
)

// append appends the pixels of r, which lies in img.
func (z *zrle) append(b []byte, img *image.RGBA, r image.Rectangle, f pixelFormat) ([]byte, error) {
	if z.stream == nil {
		stream, err := zlib.NewWriterLevel(&z.packed, zlib.BestSpeed)
		if err != nil {
			return b, err
		}
		z.stream = stream
	}
	z.packed.Reset()
	z.plain = z.plain[:0]
	for y := r.Min.Y; y < r.Max.Y; y += zrleTile {
		for x := r.Min.X; x < r.Max.X; x += zrleTile {
			z.appendTile(img, image.Rect(x, y, min(x+zrleTile, r.Max.X), min(y+zrleTile, r.Max.Y)), f)
		}
	}
	if _, err := z.stream.Write(z.plain); err != nil {
		return b, err
	}
	if err := z.stream.Flush(); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint32(b, uint32(z.packed.Len()))
	return append(b, z.packed.Bytes()...), nil
}

// appendTile appends one tile to plain, in the smallest of the forms we know: one colour, a packed palette,
// runs, or raw.
func (z *zrle) appendTile(img *image.RGBA, r image.Rectangle, f pixelFormat) {
	z.tile = z.tile[:0]
	var palette [zrleMaxPalette]color.RGBA
	colours, runs := 0, 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):][:4*r.Dx()]
		for i := 0; i < len(row); i += 4 {
			c := color.RGBA{row[i], row[i+1], row[i+2], 0xff}
			if n := len(z.tile); n == 0 || z.tile[n-1] != c {
				runs++
				if colours <= zrleMaxPalette && index(palette[:min(colours, zrleMaxPalette)], c) < 0 {
					if colours < zrleMaxPalette {
						palette[colours] = c
					}
					colours++
				}
			}
			z.tile = append(z.tile, c)
		}
	}
	from, to := f.cpixel()
	add := func(c color.RGBA) {
		p := f.pixel(c)
		z.plain = append(z.plain, p[from:to]...)
	}
	switch {
	case colours == 1:
		z.plain = append(z.plain, 1)
		add(palette[0])
	case colours <= zrleMaxPalette:
		z.plain = append(z.plain, byte(colours))
		for _, c := range palette[:colours] {
			add(c)
		}
		z.packIndices(r.Dx(), palette[:colours])
	case runs*4 < len(z.tile):
		z.plain = append(z.plain, zrlePlainRLE)
		for i := 0; i < len(z.tile); {
			c, n := z.tile[i], 1
			for i+n < len(z.tile) && z.tile[i+n] == c {
				n++
			}
			add(c)
			i += n
			for n--; n >= 255; n -= 255 {
				z.plain = append(z.plain, 255)
			}
			z.plain = append(z.plain, byte(n))
		}
	default:
		z.plain = append(z.plain, 0)
		for _, c := range z.tile {
			add(c)
		}
	}
}

// packIndices appends the tile as indices of 1, 2 or 4 bits, each row padded to a byte.
func (z *zrle) packIndices(width int, palette []color.RGBA) {
	bits := 4
	switch {
	case len(palette) == 2:
		bits = 1
	case len(palette) <= 4:
		bits = 2
	}
	for row := 0; row < len(z.tile); row += width {
		acc, have := 0, 0
		for _, c := range z.tile[row : row+width] {
			acc, have = acc<<bits|index(palette, c), have+bits
			if have == 8 {
				z.plain = append(z.plain, byte(acc))
				acc, have = 0, 0
			}
		}
		if have > 0 {
			z.plain = append(z.plain, byte(acc<<(8-have)))
		}
	}
}

// index is slices.Index, which the compiler does not make as quick for so few.
func index(palette []color.RGBA, c color.RGBA) int {
	for i, p := range palette {
		if p == c {
			return i
		}
	}
	return -1
}
