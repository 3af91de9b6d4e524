package tile

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// picture returns a part whose pixels fn chooses, their fourth byte garbage.
func picture(w, h int, fn func(x, y int) (r, g, b uint8)) pixel.BGRX {
	p := pixel.NewBGRX(w, h)
	for y := range h {
		row := p.Row(y)
		for x := range w {
			r, g, b := fn(x, y)
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = b, g, r, uint8(x*y)
		}
	}
	return p
}

// colours returns a picture of n colours at random places.
func colours(rng *rand.Rand, w, h, n int) pixel.BGRX {
	set := make([][3]uint8, n)
	for i := range set {
		set[i] = [3]uint8{uint8(i), uint8(rng.Uint32()), uint8(rng.Uint32())}
	}
	return picture(w, h, func(x, y int) (uint8, uint8, uint8) {
		c := set[(x+y*w)%n]
		if x+y*w >= n {
			c = set[rng.IntN(n)]
		}
		return c[0], c[1], c[2]
	})
}

func gradient(w, h int) pixel.BGRX {
	return picture(w, h, func(x, y int) (uint8, uint8, uint8) { return uint8(x), uint8(y), uint8((x + y) / 2) })
}

func noise(rng *rand.Rand, w, h int) pixel.BGRX {
	return picture(w, h, func(int, int) (uint8, uint8, uint8) {
		v := rng.Uint32()
		return uint8(v), uint8(v >> 8), uint8(v >> 16)
	})
}

// requireRoundTrip codes and decodes parts, into memory full of something else.
func requireRoundTrip(t *testing.T, e *Encoder, d *Decoder, parts []pixel.BGRX) []byte {
	t.Helper()
	coded := e.Append([]byte("before"), parts)
	if !bytes.HasPrefix(coded, []byte("before")) {
		t.Fatal("what was there is gone")
	}
	coded = coded[len("before"):]
	raw := 0
	got := make([]pixel.BGRX, len(parts))
	for i, p := range parts {
		got[i] = picture(p.Width, p.Height, func(int, int) (uint8, uint8, uint8) { return 1, 2, 3 })
		raw += 3 * p.Width * p.Height
	}
	if len(coded) > raw+1 && raw > 0 {
		t.Errorf("%d bytes for %d of pixels", len(coded), raw)
	}
	if err := d.Decode(coded, got); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		for y := range p.Height {
			want, have := p.Row(y), got[i].Row(y)
			for x := 0; x < len(want); x += 4 {
				if !bytes.Equal(want[x:x+3], have[x:x+3]) || have[x+3] != 255 {
					t.Fatalf("part %d of %d×%d, pixel %d,%d: %v, want %v", i, p.Width, p.Height, x/4, y, have[x:x+4], want[x:x+4])
				}
			}
		}
	}
	return coded
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var e Encoder
	var d Decoder
	sizes := [][2]int{{1, 1}, {16, 16}, {32, 16}, {256, 128}, {7, 5}, {1, 33}, {17, 1}, {1365, 3}}
	for _, n := range []int{1, 2, 3, 4, 5, 16, 17, 200, 256, 257} {
		for _, s := range sizes {
			requireRoundTrip(t, &e, &d, []pixel.BGRX{colours(rng, s[0], s[1], n)})
		}
	}
	for _, s := range sizes {
		requireRoundTrip(t, &e, &d, []pixel.BGRX{gradient(s[0], s[1])})
		requireRoundTrip(t, &e, &d, []pixel.BGRX{noise(rng, s[0], s[1])})
	}
	requireRoundTrip(t, &e, &d, nil)
	for range 50 {
		var parts []pixel.BGRX
		whole := noise(rng, 100, 80)
		if rng.IntN(2) == 0 {
			whole = colours(rng, 100, 80, 1+rng.IntN(20))
		}
		for range 1 + rng.IntN(20) {
			x, y := rng.IntN(99), rng.IntN(79)
			parts = append(parts, whole.Sub(x, y, 1+rng.IntN(100-x), 1+rng.IntN(80-y)))
		}
		requireRoundTrip(t, &e, &d, parts)
	}
}

// TestSizes holds flat parts to their size.
func TestSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var e Encoder
	var d Decoder
	for _, c := range []struct {
		name string
		part pixel.BGRX
		most int
	}{
		{"one colour", colours(rng, 256, 128, 1), 5},
		{"two blocks of two colours at random", colours(rng, 32, 16, 2), 8 + 64},
	} {
		if n := len(requireRoundTrip(t, &e, &d, []pixel.BGRX{c.part})); n > c.most {
			t.Errorf("%s: %d bytes, want at most %d", c.name, n, c.most)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var e Encoder
	stripes := colours(rng, 5, 1, 5)
	text := e.Append(nil, []pixel.BGRX{picture(256, 16, func(x, _ int) (uint8, uint8, uint8) {
		px := stripes.Pix[x/16%5*4:]
		return px[2], px[1], px[0]
	})})
	if text[0] != modePalette|compressed {
		t.Fatalf("mode %#x", text[0])
	}
	part := func(w, h int) []pixel.BGRX { return []pixel.BGRX{pixel.NewBGRX(w, h)} }
	for _, c := range []struct {
		name  string
		data  []byte
		parts []pixel.BGRX
		want  error
	}{
		{"empty", nil, part(1, 1), ErrShort},
		{"unknown mode", []byte{3, 0, 0, 0}, part(1, 1), ErrMode},
		{"unknown flag", []byte{0x20, 0, 0, 0}, part(1, 1), ErrMode},
		{"stored, too short", []byte{0, 1, 2}, part(1, 1), ErrShort},
		{"stored, too long", []byte{0, 1, 2, 3, 4}, part(1, 1), ErrTrailer},
		{"no palette", []byte{1}, part(1, 1), ErrShort},
		{"half a palette", []byte{1, 1, 0, 0, 0}, part(1, 1), ErrShort},
		{"no indices", []byte{1, 1, 0, 0, 0, 1, 1, 1}, part(1, 1), ErrShort},
		{"index beyond the palette", []byte{1, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0xc0}, part(1, 1), ErrIndex},
		{"planes, too short", []byte{2, 1, 2}, part(1, 1), ErrShort},
		{"torn stream", text[:len(text)-3], part(256, 16), ErrDeflate},
		{"stream with a tail", append(bytes.Clone(text), 0), part(256, 16), ErrTrailer},
		{"stream of a larger picture", text, part(8, 8), ErrTrailer},
		{"stream of a smaller picture", text, part(256, 17), ErrShort},
		{"junk for a stream", []byte{modePalette | compressed, 0xff, 0xff, 0xff}, part(1, 1), ErrDeflate},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			if err := d.Decode(c.data, c.parts); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestNoAllocation: nothing is allocated once buffers have grown.
func TestNoAllocation(t *testing.T) {
	var e Encoder
	var dst []byte
	for _, c := range contents(t) {
		parts := []pixel.BGRX{c.part}
		dst = e.Append(dst[:0], parts)
		if n := testing.AllocsPerRun(10, func() { dst = e.Append(dst[:0], parts) }); n > 0 {
			t.Errorf("%s: %v allocations a message", c.name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 10))
	var e Encoder
	for _, p := range []pixel.BGRX{colours(rng, 20, 9, 2), colours(rng, 20, 9, 30), gradient(20, 9), noise(rng, 20, 9)} {
		f.Add(e.Append(nil, []pixel.BGRX{p}), uint8(20), uint8(9))
	}
	f.Fuzz(func(_ *testing.T, data []byte, w, h uint8) {
		var d Decoder
		_ = d.Decode(data, []pixel.BGRX{pixel.NewBGRX(int(w), int(h)), pixel.NewBGRX(1, 1)})
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("some pixels of some colours, more or less"), uint8(3))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4}, 400), uint8(16))
	f.Fuzz(func(t *testing.T, pix []byte, w uint8) {
		if w == 0 {
			return
		}
		h := len(pix) / 4 / int(w)
		p := pixel.BGRX{Pix: pix, Stride: int(w) * 4, Width: int(w), Height: h}
		var e Encoder
		var d Decoder
		requireRoundTrip(t, &e, &d, []pixel.BGRX{p})
	})
}
