package clearcodec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// The samples of [MS-RDPEGFX] 4.1.1.
const (
	sampleGlyph = "\x03\xc3\x11\x00" // 8×9
	sampleRLEX  = "\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x82\x00\x00\x00\x00\x00" +
		"\x00\x00\x4e\x00\x11\x00\x75\x00\x00\x00\x02\x0e\xff\xff\xff\x00" +
		"\x00\x00\xdb\xff\xff\x00\x3a\x90\xff\xb6\x66\x66\xb6\xff\xb6\x66" +
		"\x00\x90\xdb\xff\x00\x00\x3a\xdb\x90\x3a\x3a\x90\xdb\x66\x00\x00" +
		"\xff\xff\xb6\x64\x64\x64\x11\x04\x11\x4c\x11\x4c\x11\x4c\x11\x4c" +
		"\x11\x4c\x00\x47\x13\x00\x01\x01\x04\x00\x01\x00\x00\x47\x16\x00" +
		"\x11\x02\x00\x47\x29\x00\x11\x01\x00\x49\x0a\x00\x01\x00\x04\x00" +
		"\x01\x00\x00\x4a\x0a\x00\x09\x00\x01\x00\x00\x47\x05\x00\x01\x01" +
		"\x1c\x00\x01\x00\x11\x4c\x11\x4c\x11\x4c\x00\x47\x0d\x4d\x00\x4d" // 78×17
	sampleBand = "\x00\xdf\x0e\x00\x00\x00\x8b\x00\x00\x00\x00\x00\x00\x00\xfe\xfe" +
		"\xfe\xff\x80\x05\xff\xff\xff\x40\xfe\xfe\xfe\x40\x00\x00\x3f\x00" +
		"\x03\x00\x0b\x00\xfe\xfe\xfe\xc5\xd0\xc6\xd0\xc7\xd0\x68\xd4\x69" +
		"\xd4\x6a\xd4\x6b\xd4\x6c\xd4\x6d\xd4\x1a\xd4\x1a\xd4\xa6\xd0\x6e" +
		"\xd4\x6f\xd4\x70\xd4\x71\xd4\x72\xd4\x73\xd4\x74\xd4\x21\xd4\x22" +
		"\xd4\x23\xd4\x24\xd4\x25\xd4\xd9\xd0\xda\xd0\xdb\xd0\xc5\xd0\xc5" +
		"\xd0\xdc\xd0\xc2\xd0\x21\xd4\x22\xd4\x23\xd4\x24\xd4\x25\xd4\xc9" +
		"\xd0\xca\xd0\x5a\xd4\x2b\xd1\x28\xd1\x2c\xd1\x75\xd4\x27\xd4\x28" +
		"\xd4\x29\xd4\x2a\xd4\x1a\xd4\x1a\xd4\x1a\xd4\xb7\xd0\xb8\xd0\xb9" +
		"\xd0\xba\xd0\xbb\xd0\xbc\xd0\xbd\xd0\xbe\xd0\xbf\xd0\xc0\xd0\xc1" +
		"\xd0\xc2\xd0\xc3\xd0\xc4\xd0" // 64×24
	sampleGlyphBand = "\x01\x0b\x78\x00\x00\x00\x00\x00\x46\x00\x00\x00\x00\x00\x00\x00" +
		"\x00\x00\x06\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x0f\xff\xff\xff" +
		"\xff\xff\xff\xff\xff\xff\xb6\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
		"\xb6\x66\xff\xff\xff\xff\xff\xff\xff\xb6\x66\xdb\x90\x3a\xff\xff" +
		"\xb6\xff\xff\xff\xff\xff\xff\xff\xff\xff\x46\x91\x47\x91\x48\x91" +
		"\x49\x91\x4a\x91\x1b\x91" // 7×15, a glyph of one band
)

func TestSpecificationSamples(t *testing.T) {
	for _, c := range []struct {
		name, data    string
		width, height int
		pixels        map[[2]int][3]byte
	}{
		{"RLEX", sampleRLEX, 78, 17, map[[2]int][3]byte{{0, 0}: {0xff, 0xff, 0xff}, {77, 16}: {0xff, 0xff, 0xff}, {4, 1}: {0xff, 0xff, 0xff}}},
		{"band", sampleBand, 64, 24, map[[2]int][3]byte{{0, 0}: {0xfe, 0xfe, 0xfe}, {0, 23}: {0xfe, 0xfe, 0xfe}, {10, 22}: {0xff, 0xff, 0xff}}},
		{"glyph", sampleGlyphBand, 7, 15, map[[2]int][3]byte{{0, 0}: {0xff, 0xff, 0xff}}},
	} {
		var d Decoder
		p := pixel.NewBGRX(c.width, c.height)
		if err := d.Decode(p, []byte(c.data)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for at, want := range c.pixels {
			if got := bgrAt(p, at[0], at[1]); got != want {
				t.Errorf("%s: pixel %v is %x, want %x", c.name, at, got, want)
			}
		}
	}
}

// mustEqual compares the colours of two pictures.
func mustEqual(t *testing.T, name string, got, want pixel.BGRX) {
	t.Helper()
	for y := range want.Height {
		for x := range want.Width {
			if bgrAt(got, x, y) != bgrAt(want, x, y) {
				t.Fatalf("%s: pixel %d,%d is %x, want %x", name, x, y, bgrAt(got, x, y), bgrAt(want, x, y))
			}
		}
	}
}

// bitmaps are the ways of coding a picture whole.
func bitmaps(e *encoder, p pixel.BGRX) map[string]func() []byte {
	m := map[string]func() []byte{
		"residual":  func() []byte { return e.message(0, composite(residual(p), nil, nil)) },
		"bands":     func() []byte { return e.message(0, composite(nil, e.bandLayer(p, maxVBarPixels), nil)) },
		"low bands": func() []byte { return e.message(0, composite(nil, e.bandLayer(p, 7), nil)) },
		"bands, reset": func() []byte {
			e.bars.cursor, e.short.cursor = 0, 0
			return e.message(flagCacheReset, composite(nil, e.bandLayer(p, 16), nil))
		},
		"raw": func() []byte {
			return e.message(0, composite(nil, nil, region(0, 0, p.Width, p.Height, subcodecRaw, rawPixels(p))))
		},
	}
	if mid := p.Height / 2; mid > 0 {
		m["all"] = func() []byte {
			upper := region(0, 0, p.Width, mid, subcodecRaw, rawPixels(p.Sub(0, 0, p.Width, mid)))
			lower := e.band(p, 0, p.Width-1, mid, min(mid+maxVBarPixels, p.Height)-1, [3]byte{1, 2, 3})
			return e.message(0, composite(residual(p), lower, upper))
		}
	}
	if data := rlex(p); data != nil {
		m["rlex"] = func() []byte {
			return e.message(0, composite(nil, nil, region(0, 0, p.Width, p.Height, subcodecRLEX, data)))
		}
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	e := newEncoder()
	var d Decoder
	for _, size := range [][2]int{{1, 1}, {1, 60}, {300, 1}, {300, 2}, {7, 15}, {64, 64}, {333, 77}, {700, 400}} {
		for range 3 {
			p := textPicture(rng, size[0], size[1])
			for name, message := range bitmaps(e, p) {
				surface := pixel.NewBGRX(size[0]+9, size[1]+5)
				if err := d.Decode(surface.Sub(4, 3, size[0], size[1]), message()); err != nil {
					t.Fatalf("%s of %v: %v", name, size, err)
				}
				mustEqual(t, fmt.Sprintf("%s of %v", name, size), surface.Sub(4, 3, size[0], size[1]), p)
				// Nothing beside it was touched.
				for y := range surface.Height {
					for x := range surface.Width {
						if inside := x >= 4 && x < 4+size[0] && y >= 3 && y < 3+size[1]; !inside && bgrAt(surface, x, y) != [3]byte{} {
							t.Fatalf("%s of %v wrote at %d,%d", name, size, x, y)
						}
					}
				}
			}
		}
	}
}

// TestRingsWrap stores more columns than the rings hold.
func TestRingsWrap(t *testing.T) {
	e := newEncoder()
	var d Decoder
	p := pixel.NewBGRX(1000, 3)
	got := pixel.NewBGRX(p.Width, p.Height)
	for n := 0; n < vBarEntries+3000; n += p.Width {
		for x := range p.Width {
			v := n + x
			copy(p.Row(1)[4*x:], []byte{byte(v), byte(v >> 8), 1, 0xff})
			copy(p.Row(2)[4*x:], []byte{byte(v % 7), 0, 0, 0xff})
		}
		if err := d.Decode(got, e.message(0, composite(nil, e.bandLayer(p, 3), nil))); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, fmt.Sprintf("after %d columns", n), got, p)
	}
	if d.bars.cursor != e.bars.cursor || d.bars.cursor >= vBarEntries-1000 {
		t.Fatalf("cursor at %d, the encoder's at %d", d.bars.cursor, e.bars.cursor)
	}
}

func TestGlyphs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	e := newEncoder()
	var d Decoder
	glyphBody := func(index int, body []byte) []byte { return append([]byte{byte(index), byte(index >> 8)}, body...) }
	pictures := map[int]pixel.BGRX{}
	for _, index := range []int{0, 17, glyphEntries - 1, 17} {
		p := textPicture(rng, 1+rng.IntN(32), 1+rng.IntN(32))
		pictures[index] = p
		got := pixel.NewBGRX(p.Width, p.Height)
		if err := d.Decode(got, e.message(flagGlyphIndex, glyphBody(index, composite(residual(p), nil, nil)))); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "stored", got, p)
	}
	for index, p := range pictures {
		got := pixel.NewBGRX(p.Width, p.Height)
		if err := d.Decode(got, e.message(flagGlyphIndex|flagGlyphHit, glyphBody(index, nil))); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "hit", got, p)
	}
	if err := d.Decode(pixel.NewBGRX(1, 2), e.message(flagGlyphIndex|flagGlyphHit, glyphBody(0, nil))); !errors.Is(err, ErrData) {
		t.Errorf("a glyph of another size was drawn: %v", err)
	}
}

// TestStaleColumns names columns that were never stored, or were lower: drawn with black, not refused.
func TestStaleColumns(t *testing.T) {
	var d Decoder
	p := pixel.NewBGRX(3, 2)
	band := "\x00\x00\x02\x00\x00\x00\x01\x00\x09\x09\x09"
	layer := band + "\x05\x80" + "\x07\x40\x01" + "\x00\x01abc"
	if err := d.Decode(p, append([]byte{0, 0}, composite(nil, []byte(layer), nil)...)); err != nil {
		t.Fatal(err)
	}
	bg, black := [3]byte{9, 9, 9}, [3]byte{}
	for at, want := range map[[2]int][3]byte{{0, 0}: black, {0, 1}: black, {1, 0}: bg, {1, 1}: bg, {2, 0}: {'a', 'b', 'c'}, {2, 1}: bg} {
		if got := bgrAt(p, at[0], at[1]); got != want {
			t.Errorf("pixel %v is %v, want %v", at, got, want)
		}
	}
	tall := "\x00\x00\x00\x00\x00\x00\x03\x00\x09\x09\x09\x01\x80" // column 1 is two pixels high
	p = pixel.NewBGRX(1, 4)
	if err := d.Decode(p, append([]byte{0, 1}, composite(nil, []byte(tall), nil)...)); err != nil {
		t.Fatal(err)
	}
	if bgrAt(p, 0, 1) != bg || bgrAt(p, 0, 2) != black {
		t.Errorf("%v", p.Pix)
	}
}

func TestSequence(t *testing.T) {
	p := pixel.NewBGRX(2, 2)
	body := composite(flatResidual(p, [3]byte{1, 2, 3}), nil, nil)
	var d Decoder
	for i := range 300 {
		if err := d.Decode(p, append([]byte{0, byte(i + 200)}, body...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Decode(p, append([]byte{0, 0}, body...)); !errors.Is(err, ErrData) {
		t.Errorf("a gap was taken: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	const width, height = 10, 60
	white := "\xff\xff\xff"
	sub := func(s string) string { return string(composite(nil, nil, []byte(s))) }
	bands := func(s string) string { return string(composite(nil, []byte(s), nil)) }
	res := func(s string) string { return string(composite([]byte(s), nil, nil)) }
	rle := func(w, h int, s string) string { return sub(string(region(0, 0, w, h, subcodecRLEX, []byte(s)))) }
	band := func(x0, x1, y0, y1 byte) string { return string([]byte{x0, 0, x1, 0, y0, 0, y1, 0}) + white }
	for _, c := range []struct {
		name  string
		flags byte
		body  string
		want  string
	}{
		{"no payload", 0, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "no composite payload"},
		{"layers longer than the bitmap", 0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "4294967295 bytes in 0"},
		{"layers that wrap in 32 bits", 0, "\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00", "layers of 1, 4294967295"},
		{"hit without index", flagGlyphHit, "", "without glyphIndex"},
		{"index cut off", flagGlyphIndex, "\x01", "no glyphIndex"},
		{"index", flagGlyphIndex, "\xa0\x0f", "glyphIndex 4000"},
		{"glyph never stored", flagGlyphIndex | flagGlyphHit, "\x05\x00", "never stored"},
		{"glyph with payload", flagGlyphIndex | flagGlyphHit, "\x05\x00" + res(white), "after glyphIndex"},
		{"residual cut in a colour", 0, res("\xff\xff"), "within a run"},
		{"residual cut in a length", 0, res(white + "\xff\xff\xff\x01"), "within a run"},
		{"residual too long", 0, res(white + "\xff\x59\x02"), "601 pixels"},
		{"residual of 4294967295", 0, res(white + "\xff\xff\xff\xff\xff\xff\xff"), "4294967295 pixels"},
		// CVE-2024-32460: 32-bit sums of run lengths wrapped.
		{"residual that wraps in 32 bits", 0, res(white + "\x10" + white + "\xff\xff\xff\xf0\xff\xff\xff"), "4294967280 pixels"},
		{"residual too short", 0, res(white + "\xff\x57\x02"), "lacks 1"},
		{"band header", 0, bands(band(0, 1, 0, 1)[:10]), "without its header"},
		{"band backwards", 0, bands(band(2, 1, 0, 1) + "\x00\x80"), "band 2 to 1"},
		{"band upside down", 0, bands(band(0, 1, 2, 1) + "\x00\x80"), "2 to 1"},
		{"band beyond the right edge", 0, bands(band(0, width, 0, 1)), "band 0 to 10"},
		{"band below the bottom", 0, bands(band(0, 0, 50, height)), "50 to 60"},
		{"band too high", 0, bands(band(0, 0, 0, 52)), "band of 53"},
		{"no columns", 0, bands(band(0, 0, 0, 1)), "before its last column"},
		{"fewer columns", 0, bands(band(0, 1, 0, 1) + "\x00\x80"), "before its last column"},
		{"hit cut off", 0, bands(band(0, 0, 0, 1) + "\x80"), "before its last column"},
		{"short hit cut off", 0, bands(band(0, 0, 0, 1) + "\x00\x40"), "without shortVBarYOn"},
		{"short column backwards", 0, bands(band(0, 0, 0, 1) + "\x02\x01"), "short column 2 to 1"},
		{"short column too long", 0, bands(band(0, 0, 0, 51) + "\x00\x35" + strings.Repeat(white, 53)), "short column 0 to 53"},
		{"short column cut off", 0, bands(band(0, 0, 0, 1) + "\x00\x02" + white), "cut off"},
		{"region header", 0, sub(string(region(0, 0, 1, 1, subcodecRaw, nil))[:12]), "without its header"},
		{"region of nothing", 0, sub(string(region(0, 0, 0, 1, subcodecRaw, nil))), "region 0×1"},
		{"region to the right", 0, sub(string(region(width, 0, 1, 1, subcodecRaw, []byte(white)))), "region 1×1 at 10,0"},
		{"region below", 0, sub(string(region(0, 0xffff, 1, 1, subcodecRaw, []byte(white)))), "at 0,65535"},
		{"region longer than its layer", 0, sub(string(region(0, 0, 1, 1, subcodecRaw, []byte(white))[:14])), "region of 3 bytes"},
		{"subCodecId", 0, sub(string(region(0, 0, 1, 1, 3, []byte(white)))), "subCodecId 3"},
		{"raw too short", 0, sub(string(region(0, 0, 2, 1, subcodecRaw, []byte(white)))), "want 6"},
		{"raw too long", 0, sub(string(region(0, 0, 1, 1, subcodecRaw, []byte(white+white)))), "want 3"},
		{"NSCodec", 0, sub(string(region(0, 0, 1, 1, subcodecNSCodec, []byte(white)))), "nscodec"},
		{"RLEX of nothing", 0, rle(1, 1, ""), "paletteCount 0"},
		{"RLEX of 128 colours", 0, rle(1, 1, "\x80"), "paletteCount 128"},
		// CVE-2024-32459: the palette was read past the end.
		{"RLEX palette cut off", 0, rle(1, 1, "\x7f"+white), "palette of 127"},
		{"RLEX segment cut off", 0, rle(2, 1, "\x01"+white+"\x00"), "within a segment"},
		{"RLEX stopIndex", 0, rle(1, 1, "\x03"+white+white+white+"\x03\x00"), "suite from 3 to 3"},
		{"RLEX startIndex", 0, rle(1, 1, "\x03"+white+white+white+"\x09\x00"), "suite from -1 to 1"},
		{"RLEX too long", 0, rle(2, 1, "\x01"+white+"\x00\x02"), "segment of 3 pixels, 2 left"},
		{"RLEX suite too long", 0, rle(1, 1, "\x02"+white+white+"\x03\x00"), "segment of 2 pixels, 1 left"},
		{"RLEX of 4294967295", 0, rle(1, 1, "\x01"+white+"\x00\xff\xff\xff\xff\xff\xff\xff"), "4294967296 pixels"},
		{"RLEX too short", 0, rle(3, 1, "\x01"+white+"\x00\x01"), "lacks 1"},
		{"drawn over too often", 0, sub(strings.Repeat(string(region(0, 0, width, height, subcodecRLEX, []byte("\x01"+white+"\x00\xff\x57\x02"))), maxOverdraw+1)), "exceed 4 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			p := pixel.NewBGRX(width, height)
			err := d.Decode(p, append([]byte{c.flags, 0}, c.body...))
			if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
		})
	}
	var d Decoder
	if err := d.Decode(pixel.NewBGRX(1, 1), []byte{0}); !errors.Is(err, ErrData) {
		t.Errorf("a byte: %v", err)
	}
	if err := d.Decode(pixel.NewBGRX(33, 32), append([]byte{flagGlyphIndex, 0, 0, 0}, composite(nil, nil, nil)...)); !errors.Is(err, ErrData) {
		t.Errorf("a glyph of 1056 pixels: %v", err)
	}
	if err := d.Decode(pixel.BGRX{Pix: make([]byte, 10), Stride: 8, Width: 2, Height: 2}, nil); err == nil {
		t.Error("a destination that is too short was taken")
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []struct {
		data string
		w, h byte
	}{{sampleGlyph, 8, 9}, {sampleRLEX, 78, 17}, {sampleBand, 64, 24}, {sampleGlyphBand, 7, 15}} {
		f.Add([]byte(s.data), []byte(sampleGlyphBand), s.w, s.h)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 3 {
		e := newEncoder()
		p := textPicture(rng, 20, 30)
		ms := bitmaps(e, p)
		for _, pair := range [][2]string{{"bands", "low bands"}, {"all", "rlex"}, {"residual", "bands, reset"}} {
			f.Add(ms[pair[0]](), ms[pair[1]](), byte(20), byte(30))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, w, h byte) {
		var d Decoder
		surface := pixel.NewBGRX(int(w)+2, int(h)+2)
		part := surface.Sub(1, 1, int(w), int(h))
		for _, data := range [][]byte{a, b} {
			if err := d.Decode(part, data); err != nil {
				if !errors.Is(err, ErrData) {
					t.Fatal(err)
				}
				break
			}
		}
		for y := range surface.Height { // the frame around the bitmap is untouched
			row := surface.Row(y)
			if edge := y == 0 || y == surface.Height-1; edge && !bytes.Equal(row, make([]byte, len(row))) ||
				bgrAt(surface, 0, y) != [3]byte{} || bgrAt(surface, surface.Width-1, y) != [3]byte{} {
				t.Fatalf("row %d: the bitmap left its place", y)
			}
		}
		if area := int(w) * int(h); area == 0 || area > 2000 {
			return // large ones take the fuzzer's time and show nothing new
		}
		// What was drawn, encoded and decoded, is the same.
		e := newEncoder()
		var fresh Decoder
		for name, message := range bitmaps(e, part) {
			again := pixel.NewBGRX(part.Width, part.Height)
			if err := fresh.Decode(again, message()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			mustEqual(t, name, again, part)
		}
	})
}
