package tile

import (
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// desktop returns a part of a real desktop's screenshot, testdata/<name>.png.
func desktop(tb testing.TB, name string) pixel.BGRX {
	tb.Helper()
	f, err := os.Open("testdata/" + name + ".png")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	img, err := png.Decode(f)
	if err != nil {
		tb.Fatal(err)
	}
	at := img.Bounds().Min
	return picture(img.Bounds().Dx(), img.Bounds().Dy(), func(x, y int) (uint8, uint8, uint8) {
		r, g, b, _ := img.At(at.X+x, at.Y+y).RGBA()
		return uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)
	})
}

// photo returns soft shapes under a sensor's noise: nothing repeats, and neighbours are alike.
func photo(rng *rand.Rand, w, h int) pixel.BGRX {
	return picture(w, h, func(x, y int) (uint8, uint8, uint8) {
		light := 128 + 60*math.Sin(float64(x)/23)*math.Cos(float64(y)/17) + 3*rng.NormFloat64()
		tint := 20 * math.Sin(float64(x+2*y)/41)
		return uint8(light + tint + rng.NormFloat64()), uint8(light), uint8(light - tint + rng.NormFloat64())
	})
}

// content is what sizes and speed are measured on.
type content struct {
	name string
	part pixel.BGRX
	most int // bytes, about a tenth more than measured
}

func contents(tb testing.TB) []content {
	tb.Helper()
	rng := rand.New(rand.NewPCG(11, 12))
	return []content{
		{"letter", desktop(tb, "letter"), 80},                      // xterm, two colours, 32×16
		{"smooth-letter", desktop(tb, "smooth-letter"), 205},       // xterm, DejaVu Sans Mono, 32×16
		{"coloured-letters", desktop(tb, "coloured-letters"), 575}, // xterm, 5×8, each word of other colours, 32×16
		{"terminal", desktop(tb, "terminal"), 850},                 // xterm, two colours, 256×128
		{"smooth-terminal", desktop(tb, "smooth-terminal"), 5900},  // xterm, coloured DejaVu Sans Mono, 256×128
		{"page", desktop(tb, "page"), 6800},                        // Chromium, DejaVu Sans, 256×128
		{"coloured-words", desktop(tb, "coloured-words"), 15300},   // xterm, 5×8, 256×128
		{"page-gradient", desktop(tb, "page-gradient"), 8450},      // Chromium, linear-gradient of CSS, 256×128
		{"gradient", gradient(256, 128), 500},
		{"photo", photo(rng, 256, 128), 49000},
		{"noise", noise(rng, 256, 128), 3*256*128 + 1},
	}
}

// TestContents holds what the patch lane is for to its size.
func TestContents(t *testing.T) {
	var e Encoder
	var d Decoder
	for _, c := range contents(t) {
		if n := len(requireRoundTrip(t, &e, &d, []pixel.BGRX{c.part})); n > c.most {
			t.Errorf("%s: %d bytes, want at most %d", c.name, n, c.most)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range contents(b) {
		b.Run(c.name, func(b *testing.B) {
			var e Encoder
			var dst []byte
			parts := []pixel.BGRX{c.part}
			b.SetBytes(int64(inPixel * c.part.Width * c.part.Height))
			b.ReportAllocs()
			for b.Loop() {
				dst = e.Append(dst[:0], parts)
			}
			b.ReportMetric(float64(len(dst)), "bytes")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range contents(b) {
		b.Run(c.name, func(b *testing.B) {
			var e Encoder
			var d Decoder
			parts := []pixel.BGRX{c.part}
			coded := e.Append(nil, parts)
			out := []pixel.BGRX{pixel.NewBGRX(c.part.Width, c.part.Height)}
			b.SetBytes(int64(inPixel * c.part.Width * c.part.Height))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(coded, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
