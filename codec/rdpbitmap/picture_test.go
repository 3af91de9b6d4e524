package rdpbitmap

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// pictures are what the codecs are tried with, from the kindest to the least.
var pictures = []struct {
	name string
	make func(w, h int) pixel.BGRX
}{
	{"black", pixel.NewBGRX},
	{"white", func(w, h int) pixel.BGRX { return paint(w, h, func(_, _ int) uint32 { return 0xFFFFFF }) }},
	{"desktop", desktop},
	{"gradient", func(w, h int) pixel.BGRX {
		return paint(w, h, func(x, y int) uint32 { return uint32(x*255/w)<<16 | uint32(y*255/h)<<8 | uint32((x+y)&0xFF) })
	}},
	{"dither", func(w, h int) pixel.BGRX {
		return paint(w, h, func(x, y int) uint32 { return uint32((x^y)&1) * 0x808040 })
	}},
	{"mask", func(w, h int) pixel.BGRX {
		rnd := rand.New(rand.NewPCG(3, 4))
		return paint(w, h, func(_, _ int) uint32 { return (rnd.Uint32() & 1) * 0xFFFFFF })
	}},
	{"noise", func(w, h int) pixel.BGRX {
		rnd := rand.New(rand.NewPCG(5, 6))
		return paint(w, h, func(_, _ int) uint32 { return rnd.Uint32() & 0xFFFFFF })
	}},
}

func paint(w, h int, at func(x, y int) uint32) pixel.BGRX {
	p := pixel.NewBGRX(w, h)
	for y := range h {
		row := p.Row(y)
		for x := range w {
			binary.LittleEndian.PutUint32(row[4*x:], at(x, y))
		}
	}
	return p
}

// desktop is windows of text, black and coloured, on a plain background, and a noisy photograph.
func desktop(w, h int) pixel.BGRX {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := paint(w, h, func(_, _ int) uint32 { return 0x204060 })
	set := func(x, y int, v uint32) { binary.LittleEndian.PutUint32(p.Row(y)[4*x:], v) }
	text := func(x0, y0, x1, y1 int, inks ...uint32) {
		for y := y0; y < y1; y++ {
			fill(p.Row(y)[4*x0:4*x1], 0xF8F8F8)
		}
		var glyphs [40][16]uint8
		for i := range glyphs {
			for j := 3; j < 13; j++ {
				glyphs[i][j] = uint8(rnd.Uint32() & rnd.Uint32() & 0x7E)
			}
		}
		for y := y0; y+16 <= y1; y += 16 {
			ink := inks[rnd.IntN(len(inks))]
			for x, end := x0, x0+rnd.IntN(x1-x0+1); x+8 <= end; x += 8 {
				for j, line := range glyphs[rnd.IntN(len(glyphs))] {
					for i := range 8 {
						if line<<i&0x80 != 0 {
							set(x+i, y+j, ink)
						}
					}
				}
			}
		}
	}
	text(w/16, h/16, w/2, h*7/8, 0)
	text(w/2+w/32, h/16, w-w/16, h/2, 0, 0xC00000, 0x0000C0, 0x008000, 0x777777)
	for y := h/2 + h/16; y < h*7/8; y++ {
		for x := w/2 + w/32; x < w-w/16; x++ {
			set(x, y, (uint32(x*255/w)<<16|uint32(y*255/h)<<8|uint32((x+y)&0xFF))&0xFCFCFC|rnd.Uint32()&0x030303)
		}
	}
	return p
}

// lossy returns the picture as it is after a way through pixels of so many bits.
func lossy(p pixel.BGRX, bits int) pixel.BGRX {
	return paint(p.Width, p.Height, func(x, y int) uint32 {
		v := at(p, x, y)
		r, g, b := v>>16, v>>8&0xFF, v&0xFF
		five := func(v uint32) uint32 { return v/8*8 | v/8/4 }
		switch bits {
		case 15:
			r, g, b = five(r), five(g), five(b)
		case 16:
			r, g, b = five(r), g/4*4|g/4/16, five(b)
		}
		return r<<16 | g<<8 | b
	})
}

func at(p pixel.BGRX, x, y int) uint32 {
	return binary.LittleEndian.Uint32(p.Row(y)[4*x:]) & 0xFFFFFF
}

// same fails at the first pixel in which two pictures differ in blue, green or red.
func same(t testing.TB, got, want pixel.BGRX) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height {
		t.Fatalf("%d×%d pixels, want %d×%d", got.Width, got.Height, want.Width, want.Height)
	}
	for y := range want.Height {
		for x := range want.Width {
			if g, w := at(got, x, y), at(want, x, y); g != w {
				t.Fatalf("pixel %d,%d is %06x, want %06x", x, y, g, w)
			}
		}
	}
}

// dirty returns a picture full of what no decoder may leave.
func dirty(w, h int) pixel.BGRX {
	return paint(w, h, func(_, _ int) uint32 { return 0xA5A5A5A5 })
}

// sizes are those a round trip is tried with.
var sizes = [][2]int{{1, 1}, {2, 1}, {1, 3}, {4, 4}, {7, 5}, {16, 2}, {17, 33}, {64, 64}, {100, 3}, {333, 41}}
