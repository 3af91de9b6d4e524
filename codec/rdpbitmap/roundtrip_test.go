package rdpbitmap

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

type method struct {
	name   string
	bits   int
	encode func(e *Encoder, p pixel.BGRX) ([]byte, error)
	decode func(d *Decoder, dst pixel.BGRX, b Bitmap) error
	up     bool
}

// methods are the codecs that have an encoder here.
var methods = []method{
	{"interleaved15", 15, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.Interleaved(nil, p, 15) }, (*Decoder).Interleaved, true},
	{"interleaved16", 16, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.Interleaved(nil, p, 16) }, (*Decoder).Interleaved, true},
	{"interleaved24", 24, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.Interleaved(nil, p, 24) }, (*Decoder).Interleaved, true},
	{"planar", 0, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.Planar(nil, p, false) }, (*Decoder).Planar, false},
	{"planarOpaque", 0, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.PlanarOpaque(nil, p, true) }, (*Decoder).Planar, true},
	{"planarUp", 0, func(e *Encoder, p pixel.BGRX) ([]byte, error) { return e.Planar(nil, p, true) }, (*Decoder).Planar, true},
}

func TestRoundTrip(t *testing.T) {
	for _, m := range methods {
		for _, c := range pictures {
			for _, s := range sizes {
				t.Run(fmt.Sprintf("%s/%s/%d×%d", m.name, c.name, s[0], s[1]), func(t *testing.T) {
					var e Encoder
					var d Decoder
					want := c.make(s[0], s[1])
					code, err := m.encode(&e, want)
					if err != nil {
						t.Fatal(err)
					}
					got := dirty(s[0], s[1])
					b := Bitmap{Width: s[0], Height: s[1], BitsPerPixel: m.bits, BottomUp: m.up, Data: code}
					if err := m.decode(&d, got, b); err != nil {
						t.Fatal(err)
					}
					same(t, got, lossy(want, m.bits))
				})
			}
		}
	}
}

// TestCut decodes into destinations smaller than the bitmap, and looks beside them.
func TestCut(t *testing.T) {
	const w, h = 33, 20
	want := desktop(w, h)
	for _, m := range methods {
		for _, s := range [][2]int{{w, h}, {w - 1, h}, {w, h - 1}, {30, 7}, {1, 1}, {w, 1}, {0, h}, {w, 0}} {
			var e Encoder
			var d Decoder
			code, err := m.encode(&e, want)
			if err != nil {
				t.Fatal(err)
			}
			whole := dirty(w+4, h+4)
			dst := whole.Sub(2, 2, s[0], s[1])
			b := Bitmap{Width: w, Height: h, BitsPerPixel: m.bits, BottomUp: m.up, Data: code}
			if err := m.decode(&d, dst, b); err != nil {
				t.Fatalf("%s %v: %v", m.name, s, err)
			}
			same(t, dst, lossy(want, m.bits).Sub(0, 0, s[0], s[1]))
			for y := range whole.Height {
				for x := range whole.Width {
					inside := x >= 2 && y >= 2 && x < 2+s[0] && y < 2+s[1]
					if !inside && at(whole, x, y) != 0xA5A5A5 {
						t.Fatalf("%s %v: pixel %d,%d beside the destination changed", m.name, s, x, y)
					}
				}
			}
			for _, s := range [][2]int{{w + 1, h}, {w, h + 1}} {
				if err := m.decode(&d, dirty(s[0], s[1]), b); !errors.Is(err, ErrData) {
					t.Errorf("%s: a bitmap smaller than %v: %v", m.name, s, err)
				}
			}
		}
	}
}

// TestSizes proves that the encoders compress, and never make noise much larger.
func TestSizes(t *testing.T) {
	const w, h = 640, 480
	limits := map[string][2]float64{ // share of the uncompressed size: desktop, noise
		"interleaved15": {0.40, 1.001}, "interleaved16": {0.40, 1.001}, "interleaved24": {0.40, 1.001},
		"planar": {0.40, 1.0001}, "planarOpaque": {0.42, 1.3335}, "planarUp": {0.40, 1.0001},
	}
	for _, m := range methods {
		for i, make := range []func(w, h int) pixel.BGRX{desktop, pictures[len(pictures)-1].make} {
			var e Encoder
			code, err := m.encode(&e, make(w, h))
			if err != nil {
				t.Fatal(err)
			}
			bytes := 3
			if m.bits == 15 || m.bits == 16 {
				bytes = 2
			}
			share := float64(len(code)) / float64(w*h*bytes)
			t.Logf("%s: %d bytes, %.4f", m.name, len(code), share)
			if share > limits[m.name][i] {
				t.Errorf("%s: %.4f of the uncompressed size, want %.4f", m.name, share, limits[m.name][i])
			}
		}
	}
}

func TestEncoderAppends(t *testing.T) {
	p := desktop(20, 20)
	for _, m := range methods {
		var e Encoder
		code, err := m.encode(&e, p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.encode(&e, p)
		if err != nil || !bytes.Equal(code, again) {
			t.Errorf("%s: an encoder must encode alike twice: %v", m.name, err)
		}
	}
	var e Encoder
	if out, err := e.Planar([]byte("x"), p, false); err != nil || out[0] != 'x' {
		t.Error("Planar must append")
	}
	if out, err := e.Interleaved([]byte("x"), p, 24); err != nil || out[0] != 'x' {
		t.Error("Interleaved must append")
	}
	for _, bits := range []int{0, 8, 32} {
		if _, err := e.Interleaved(nil, p, bits); err == nil {
			t.Errorf("encoded %d bits a pixel", bits)
		}
	}
	if _, err := e.Planar(nil, pixel.BGRX{}, false); err == nil {
		t.Error("encoded a picture of nothing")
	}
}

func TestNoAllocations(t *testing.T) {
	const w, h = 128, 64
	want := desktop(w, h)
	dst := pixel.NewBGRX(w, h)
	cut := dst.Sub(0, 0, w-3, h)
	var e Encoder
	var d Decoder
	for _, m := range methods {
		code, err := m.encode(&e, want)
		if err != nil {
			t.Fatal(err)
		}
		b := Bitmap{Width: w, Height: h, BitsPerPixel: m.bits, BottomUp: m.up, Data: code}
		for _, dst := range []pixel.BGRX{dst, cut} {
			if n := testing.AllocsPerRun(10, func() { err = m.decode(&d, dst, b) }); n != 0 || err != nil {
				t.Errorf("%s allocates %v times a call, %v", m.name, n, err)
			}
		}
	}
	raw := Bitmap{Width: w, Height: h, BitsPerPixel: 8, Palette: &Palette{}, Data: make([]byte, w*h)}
	for name, decode := range map[string]func(pixel.BGRX, Bitmap) error{"raw": d.Raw} {
		var err error
		if n := testing.AllocsPerRun(10, func() { err = decode(dst, raw) }); n != 0 || err != nil {
			t.Errorf("%s allocates %v times a call, %v", name, n, err)
		}
	}
	var err error
	nsc := Bitmap{Width: 15, Height: 10, Data: nscExample}
	part := dst.Sub(0, 0, 15, 10)
	if n := testing.AllocsPerRun(10, func() { err = d.NSCodec(part, nsc) }); n != 0 || err != nil {
		t.Errorf("NSCodec allocates %v times a call, %v", n, err)
	}
}
