package rdpbitmap

import (
	"errors"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// fuzzSides bounds bitmaps, so that a fuzzer finds cases and not the cost of large ones.
const fuzzSides = 80

// fuzz decodes twice, whole and cut, and wants no panic, nothing drawn beside the destination, the same
// picture from both, and an error of the right kind.
func fuzz(t *testing.T, decode func(*Decoder, pixel.BGRX, Bitmap) error, b Bitmap) (pixel.BGRX, bool) {
	var d Decoder
	whole := pixel.NewBGRX(b.Width, b.Height)
	err := decode(&d, whole, b)
	if err != nil && !errors.Is(err, ErrData) {
		t.Fatalf("error %v", err)
	}
	if b.Width == 0 || b.Height == 0 {
		return whole, false
	}
	field := dirty(b.Width+1, b.Height+1)
	cut := field.Sub(1, 1, b.Width-1, b.Height-1)
	cutErr := decode(&d, cut, b)
	for x := range field.Width {
		if at(field, x, 0) != 0xA5A5A5 || x == 0 && at(field, x, field.Height-1) != 0xA5A5A5 {
			t.Fatalf("drew beside the destination, at %d", x)
		}
	}
	if cut.Width == 0 || cut.Height == 0 {
		return whole, err == nil
	}
	if (cutErr == nil) != (err == nil) {
		t.Fatalf("whole: %v; cut: %v", err, cutErr)
	}
	if err == nil {
		same(t, cut, whole.Sub(0, 0, cut.Width, cut.Height))
	}
	if n := cap(d.spare[0]) + cap(d.spare[1]) + cap(d.planes[0]) + cap(d.planes[1]) + cap(d.planes[2]); n > 40*(b.Width+8)*(b.Height+2) {
		t.Fatalf("%d bytes of buffers for %d×%d pixels", n, b.Width, b.Height)
	}
	return whole, err == nil
}

func FuzzInterleaved(f *testing.F) {
	for _, c := range orderCases {
		f.Add(c.width, c.height, 24, true, unhex(f, c.data))
	}
	for _, c := range interleavedMalformed {
		f.Add(8, 2, c.bits, false, unhex(f, c.data))
	}
	palette := testPalette()
	f.Fuzz(func(t *testing.T, w, h, bits int, up bool, data []byte) {
		if w < 0 || h < 0 || w > fuzzSides || h > fuzzSides {
			return
		}
		p, ok := fuzz(t, (*Decoder).Interleaved, Bitmap{Width: w, Height: h, BitsPerPixel: bits, BottomUp: up, Palette: palette, Data: data})
		if !ok || bits == 8 {
			return
		}
		var e Encoder
		code, err := e.Interleaved(nil, p, bits)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		again := dirty(w, h)
		if err := d.Interleaved(again, Bitmap{Width: w, Height: h, BitsPerPixel: bits, BottomUp: true, Data: code}); err != nil {
			t.Fatal(err)
		}
		same(t, again, p)
	})
}

func FuzzPlanar(f *testing.F) {
	for _, c := range pictures {
		var e Encoder
		code, err := e.Planar(nil, c.make(20, 9), false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(20, 9, true, code)
		code[0] |= 3 // chroma
		f.Add(20, 9, false, code)
	}
	f.Add(3, 3, false, append([]byte{0x29}, make([]byte, 17)...))
	f.Fuzz(func(t *testing.T, w, h int, up bool, data []byte) {
		if w < 0 || h < 0 || w > fuzzSides || h > fuzzSides {
			return
		}
		p, ok := fuzz(t, (*Decoder).Planar, Bitmap{Width: w, Height: h, BottomUp: up, Data: data})
		if !ok {
			return
		}
		var e Encoder
		code, err := e.Planar(nil, p, up)
		if err != nil {
			t.Fatal(err)
		}
		if len(code) > 3*w*h+2 {
			t.Fatalf("%d bytes for %d×%d pixels", len(code), w, h)
		}
		var d Decoder
		again := dirty(w, h)
		if err := d.Planar(again, Bitmap{Width: w, Height: h, BottomUp: up, Data: code}); err != nil {
			t.Fatal(err)
		}
		same(t, again, p)
	})
}

func FuzzNSCodec(f *testing.F) {
	f.Add(15, 10, true, nscExample)
	f.Add(4, 4, false, nscBitmap(1, 0, make([]byte, 16), make([]byte, 16), []byte{1, 1, 10, 1, 1, 1, 1}, nil))
	f.Add(4, 4, false, nscBitmap(7, 1, make([]byte, 32), nil, nil, nil))
	f.Fuzz(func(t *testing.T, w, h int, up bool, data []byte) {
		if w < 0 || h < 0 || w > fuzzSides || h > fuzzSides {
			return
		}
		fuzz(t, (*Decoder).NSCodec, Bitmap{Width: w, Height: h, BottomUp: up, Data: data})
	})
}

func FuzzRaw(f *testing.F) {
	for _, bits := range []int{8, 15, 16, 24, 32, 4} {
		f.Add(3, 2, bits, true, make([]byte, 24))
		f.Add(3, 2, bits, false, make([]byte, 6*bits/8))
	}
	palette := testPalette()
	f.Fuzz(func(t *testing.T, w, h, bits int, up bool, data []byte) {
		if w < 0 || h < 0 || w > fuzzSides || h > fuzzSides {
			return
		}
		fuzz(t, (*Decoder).Raw, Bitmap{Width: w, Height: h, BitsPerPixel: bits, BottomUp: up, Palette: palette, Data: data})
	})
}
