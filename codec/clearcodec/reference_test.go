package clearcodec

import (
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// TestAgainstFreeRDP draws the same bitmaps with libfreerdp, NSCodec's among them.
func TestAgainstFreeRDP(t *testing.T) {
	ref := freerdpref.Start(t)
	rng := rand.New(rand.NewPCG(7, 8))
	const width, height = 400, 300
	surface := pixel.NewBGRX(width, height)
	e := newEncoder()
	var d Decoder
	check := func(name string, x, y, w, h int, message []byte) {
		t.Helper()
		if err := d.Decode(surface.Sub(x, y, w, h), message); err != nil {
			t.Fatalf("%s: ours: %v", name, err)
		}
		res, err := ref.Decode(freerdpref.Job{
			Codec: freerdpref.Clear, W: width, H: height,
			Items: []freerdpref.Item{{X: x, Y: y, W: w, H: h, Data: message}},
		})
		if err != nil {
			t.Fatalf("%s: theirs: %v", name, err)
		}
		mustEqual(t, name, surface, res.Picture)
	}
	var order []string
	for range 12 {
		w, h := 2+rng.IntN(150), 2+rng.IntN(120)
		p := textPicture(rng, w, h)
		ms := bitmaps(e, p)
		if order == nil {
			for name := range ms {
				order = append(order, name)
			}
		}
		for _, name := range order {
			check(name, rng.IntN(width-w), rng.IntN(height-h), w, h, ms[name]())
		}
	}
	for index := range 5 {
		p := textPicture(rng, 16, 1+rng.IntN(64))
		glyph := []byte{byte(index), 0}
		check("glyph", 3, 5, p.Width, p.Height, e.message(flagGlyphIndex, append(glyph, composite(residual(p), nil, nil)...)))
		check("glyph hit", 40, 50, p.Width, p.Height, e.message(flagGlyphIndex|flagGlyphHit, glyph))
	}
	for range 5 {
		p := textPicture(rng, 8*(1+rng.IntN(8)), 8*(1+rng.IntN(8)))
		data, err := ref.Encode(freerdpref.NSC, p, 1, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		message := e.message(0, composite(nil, nil, region(1, 2, p.Width, p.Height, subcodecNSCodec, data)))
		check("NSCodec", 7, 9, p.Width+1, p.Height+2, message)
	}
}

// TestSamplesAgainstFreeRDP compares every pixel of the specification's samples.
func TestSamplesAgainstFreeRDP(t *testing.T) {
	ref := freerdpref.Start(t)
	for _, c := range []struct {
		data string
		w, h int
	}{{sampleRLEX, 78, 17}, {sampleBand, 64, 24}, {sampleGlyphBand, 7, 15}} {
		if err := ref.Reset(); err != nil {
			t.Fatal(err)
		}
		res, err := ref.Decode(freerdpref.Job{
			Codec: freerdpref.Clear, W: c.w, H: c.h,
			Items: []freerdpref.Item{{W: c.w, H: c.h, Data: []byte(c.data)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		p := pixel.NewBGRX(c.w, c.h)
		if err := d.Decode(p, []byte(c.data)); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "sample", p, res.Picture)
	}
}
