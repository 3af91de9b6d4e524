package rfbenc

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"
)

// picture is a Canvas and, for the encoders below, a source of pixels.
type picture struct {
	pix  []byte
	size image.Point
}

func newPicture(w, h int) *picture {
	return &picture{pix: make([]byte, w*h*bytesPerPixel), size: image.Pt(w, h)}
}

func (p *picture) bounds() image.Rectangle { return image.Rectangle{Max: p.size} }

func (p *picture) Draw(r image.Rectangle, fn func(pix []byte, stride int)) error {
	if !r.In(p.bounds()) {
		panic("drawn outside the picture")
	}
	if !r.Empty() {
		fn(p.pix, p.size.X*bytesPerPixel)
	}
	return nil
}

func (p *picture) at(x, y int) uint32 {
	return binary.LittleEndian.Uint32(p.pix[(y*p.size.X+x)*bytesPerPixel:]) & 0xffffff
}

func (p *picture) set(x, y int, px uint32) {
	binary.LittleEndian.PutUint32(p.pix[(y*p.size.X+x)*bytesPerPixel:], px)
}

// desktopPicture resembles a desktop: a flat background, windows of text in few colours, a photograph.
func desktopPicture(w, h int) *picture {
	p := newPicture(w, h)
	rnd := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			p.set(x, y, 0x204060)
		}
	}
	text := func(r image.Rectangle, inks ...uint32) {
		r = r.Intersect(p.bounds())
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				p.set(x, y, 0xf8f8f8)
			}
		}
		var glyphs [40][16]uint8
		for i := range glyphs {
			for j := 3; j < 13; j++ {
				glyphs[i][j] = uint8(rnd.Uint32() & rnd.Uint32() & 0x7e)
			}
		}
		for y := r.Min.Y; y+16 <= r.Max.Y; y += 16 {
			ink := inks[rnd.IntN(len(inks))]
			for x, end := r.Min.X, r.Min.X+rnd.IntN(r.Dx()+1); x+8 <= end; x += 8 {
				g := &glyphs[rnd.IntN(len(glyphs))]
				for j, line := range g {
					for i := range 8 {
						if line<<i&0x80 != 0 {
							p.set(x+i, y+j, ink)
						}
					}
				}
			}
		}
	}
	text(image.Rect(w/16, h/16, w/2, h*7/8), 0)
	text(image.Rect(w/2+w/32, h/16, w-w/16, h/2), 0, 0xc00000, 0x0000c0, 0x008000, 0x777777)
	photo := image.Rect(w/2+w/32, h/2+h/16, w-w/16, h*7/8)
	for y := photo.Min.Y; y < photo.Max.Y; y++ {
		for x := photo.Min.X; x < photo.Max.X; x++ {
			n := rnd.Uint32() & 0x030303
			p.set(x, y, (uint32(x*255/w)<<16|uint32(y*255/h)<<8|uint32((x+y)&0xff))&0xfcfcfc|n)
		}
	}
	return p
}

// equal reports the first pixel of r in which two pictures differ.
func (p *picture) equal(t testing.TB, want *picture, r image.Rectangle) {
	t.Helper()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if got, want := p.at(x, y), want.at(x, y); got != want {
				t.Fatalf("pixel %d,%d is %06x, want %06x", x, y, got, want)
			}
		}
	}
}

func encodeRaw(p *picture, r image.Rectangle) []byte {
	var out []byte
	for y := r.Min.Y; y < r.Max.Y; y++ {
		out = append(out, p.pix[(y*p.size.X+r.Min.X)*4:(y*p.size.X+r.Max.X)*4]...)
	}
	return out
}

// tiles calls fn for each tile of r.
func tiles(r image.Rectangle, side int, fn func(t image.Rectangle)) {
	for y := r.Min.Y; y < r.Max.Y; y += side {
		for x := r.Min.X; x < r.Max.X; x += side {
			fn(image.Rect(x, y, x+side, y+side).Intersect(r))
		}
	}
}

// colours returns the colours of a tile, the most frequent first.
func (p *picture) colours(r image.Rectangle) []uint32 {
	count := map[uint32]int{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[p.at(x, y)]++
		}
	}
	var all []uint32
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b uint32) int {
		if d := count[b] - count[a]; d != 0 {
			return d
		}
		return int(a) - int(b)
	})
	return all
}

func encodeHextile(p *picture, r image.Rectangle) []byte {
	var out []byte
	var bg, fg uint32
	first := true
	le := binary.LittleEndian.AppendUint32
	tiles(r, hextileSide, func(t image.Rectangle) {
		cols := p.colours(t)
		type sub struct {
			px   uint32
			x, w int
			y    int
		}
		var subs []sub
		for y := t.Min.Y; y < t.Max.Y; y++ {
			for x := t.Min.X; x < t.Max.X; {
				px, x0 := p.at(x, y), x
				for x < t.Max.X && p.at(x, y) == px {
					x++
				}
				if px != cols[0] {
					subs = append(subs, sub{px, x0 - t.Min.X, x - x0, y - t.Min.Y})
				}
			}
		}
		if len(subs) > 255 || len(subs)*6 > t.Dx()*t.Dy()*4 {
			out = append(out, hextileRaw)
			out = append(out, encodeRaw(p, t)...)
			first = true
			return
		}
		at := len(out)
		out = append(out, 0)
		if first || bg != cols[0] {
			bg = cols[0]
			out[at] |= hextileBackground
			out = le(out, bg)
		}
		if len(cols) == 2 && (first || fg != cols[1]) {
			fg = cols[1]
			out[at] |= hextileForeground
			out = le(out, fg)
		}
		first = false
		if len(subs) == 0 {
			return
		}
		out[at] |= hextileAnySubrects
		if len(cols) > 2 {
			out[at] |= hextileColoured
		}
		out = append(out, byte(len(subs)))
		for _, s := range subs {
			if len(cols) > 2 {
				out = le(out, s.px)
			}
			out = append(out, byte(s.x<<4|s.y), byte((s.w-1)<<4))
		}
	})
	return out
}

// zstream is the server's end of a zlib stream.
type zstream struct {
	buf bytes.Buffer
	w   *zlib.Writer
}

func newZstream(level int) *zstream {
	z := &zstream{}
	z.w, _ = zlib.NewWriterLevel(&z.buf, level)
	return z
}

// flush compresses data and returns what the client needs to see all of it.
func (z *zstream) flush(data []byte) []byte {
	z.buf.Reset()
	z.w.Write(data)
	z.w.Flush()
	return bytes.Clone(z.buf.Bytes())
}

func bgr(out []byte, px uint32) []byte { return append(out, byte(px), byte(px>>8), byte(px>>16)) }
func rgb(out []byte, px uint32) []byte { return append(out, byte(px>>16), byte(px>>8), byte(px)) }

// packBits appends one row of indices of width bits.
func packBits(out []byte, idx []int, width int) []byte {
	var acc, n int
	for _, i := range idx {
		acc, n = acc<<width|i, n+width
		if n == 8 {
			out, acc, n = append(out, byte(acc)), 0, 0
		}
	}
	if n > 0 {
		out = append(out, byte(acc<<(8-n)))
	}
	return out
}

// zrleKind forces the kind of every tile where it can hold the tile; auto chooses a fitting one.
type zrleKind int

const (
	zrleAuto zrleKind = iota
	zrleKindRaw
	zrleKindPlain
	zrleKindPaletteRLE
)

func zrleTiles(p *picture, r image.Rectangle, kind zrleKind) []byte {
	var out []byte
	tiles(r, zrleTile, func(t image.Rectangle) {
		cols := p.colours(t)
		index := map[uint32]int{}
		for i, c := range cols {
			index[c] = i
		}
		var seq []uint32
		for y := t.Min.Y; y < t.Max.Y; y++ {
			for x := t.Min.X; x < t.Max.X; x++ {
				seq = append(seq, p.at(x, y))
			}
		}
		runs := func(palette bool) {
			for i := 0; i < len(seq); {
				j := i
				for j < len(seq) && seq[j] == seq[i] {
					j++
				}
				n := j - i
				if palette {
					if n == 1 {
						out = append(out, byte(index[seq[i]]))
						i = j
						continue
					}
					out = append(out, byte(index[seq[i]])|0x80)
				} else {
					out = bgr(out, seq[i])
				}
				for n--; n >= 255; n -= 255 {
					out = append(out, 255)
				}
				out = append(out, byte(n))
				i = j
			}
		}
		palette := func() {
			for _, c := range cols {
				out = bgr(out, c)
			}
		}
		switch {
		case kind == zrleKindPlain:
			out = append(out, zrlePlainRLE)
			runs(false)
		case len(cols) == 1 && kind == zrleAuto:
			out = bgr(append(out, zrleSolid), cols[0])
		case len(cols) <= 16 && kind == zrleAuto:
			out = append(out, byte(len(cols)))
			palette()
			width := 4
			if len(cols) <= 2 {
				width = 1
			} else if len(cols) <= 4 {
				width = 2
			}
			for i := 0; i < len(seq); i += t.Dx() {
				var idx []int
				for _, px := range seq[i : i+t.Dx()] {
					idx = append(idx, index[px])
				}
				out = packBits(out, idx, width)
			}
		case len(cols) >= 2 && len(cols) <= 127 && kind != zrleKindRaw:
			out = append(out, byte(zrlePaletteBase+len(cols)))
			palette()
			runs(true)
		default:
			out = append(out, zrleRaw)
			for _, px := range seq {
				out = bgr(out, px)
			}
		}
	})
	return out
}

func encodeZRLE(z *zstream, p *picture, r image.Rectangle, kind zrleKind) []byte {
	data := z.flush(zrleTiles(p, r, kind))
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

func appendCompact(out []byte, n int) []byte {
	switch {
	case n < 1<<7:
		return append(out, byte(n))
	case n < 1<<14:
		return append(out, byte(n)|0x80, byte(n>>7))
	}
	return append(out, byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14))
}

// tightData appends filtered data the way a server does: tiny data plain, the rest through the stream.
func tightData(out []byte, z *zstream, data []byte) []byte {
	if len(data) < tightMinZlib {
		return append(out, data...)
	}
	packed := z.flush(data)
	return append(appendCompact(out, len(packed)), packed...)
}

// encodeTight encodes r as one rectangle with the given filter; tightCopy takes stream 0, tightPalette 1 or 2,
// tightGradient 3, without resets.
func encodeTight(zs []*zstream, p *picture, r image.Rectangle, filter int) []byte {
	var data []byte
	switch filter {
	case tightPalette:
		cols := p.colours(r)
		stream := 2
		if len(cols) == 2 {
			stream = 1
		}
		out := []byte{byte(stream|tightFilterFlag) << 4, tightPalette, byte(len(cols) - 1)}
		for _, c := range cols {
			out = rgb(out, c)
		}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			var idx []int
			for x := r.Min.X; x < r.Max.X; x++ {
				idx = append(idx, slices.Index(cols, p.at(x, y)))
			}
			if len(cols) == 2 {
				data = packBits(data, idx, 1)
			} else {
				data = packBits(data, idx, 8)
			}
		}
		return tightData(out, zs[stream], data)
	case tightGradient:
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				for shift := 16; shift >= 0; shift -= 8 {
					get := func(dx, dy int) int {
						if x+dx < r.Min.X || y+dy < r.Min.Y {
							return 0
						}
						return int(p.at(x+dx, y+dy) >> shift & 255)
					}
					guess := min(max(get(-1, 0)+get(0, -1)-get(-1, -1), 0), 255)
					data = append(data, byte(get(0, 0)-guess))
				}
			}
		}
		return tightData([]byte{(3 | tightFilterFlag) << 4, tightGradient}, zs[3], data)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			data = rgb(data, p.at(x, y))
		}
	}
	return tightData([]byte{0}, zs[0], data)
}

func encodeTightJPEG(img image.Image, quality int) []byte {
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: quality}); err != nil {
		panic(err)
	}
	return append(appendCompact([]byte{tightJPEG << 4}, buf.Len()), buf.Bytes()...)
}

// image returns r as an image.
func (p *picture) image(r image.Rectangle) image.Image {
	img := image.NewNRGBA(image.Rectangle{Max: r.Size()})
	for y := range r.Dy() {
		for x := range r.Dx() {
			px := p.at(r.Min.X+x, r.Min.Y+y)
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(px >> 16), G: uint8(px >> 8), B: uint8(px), A: 255})
		}
	}
	return img
}
