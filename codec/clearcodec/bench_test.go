package clearcodec

import (
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// frame is one way of coding a picture of 1920×1080, beginning at sequence number 0.
type frame struct {
	name    string
	message []byte
}

func frames() []frame {
	p := textPicture(rand.New(rand.NewPCG(9, 10)), 1920, 1080)
	rng := rand.New(rand.NewPCG(11, 12))
	noise := pixel.NewBGRX(1920, 1080)
	for i := range noise.Pix {
		noise.Pix[i] = byte(rng.Uint32())
	}
	whole := func(codec int, data []byte) []byte {
		return newEncoder().message(0, composite(nil, nil, region(0, 0, 1920, 1080, codec, data)))
	}
	e := newEncoder()
	fresh := newEncoder()
	return []frame{
		{"residual", e.message(0, composite(residual(p), nil, nil))},
		{"bands", fresh.message(0, composite(nil, fresh.bandLayer(p, maxVBarPixels), nil))},
		{"bands-noise", newEncoder().message(0, composite(nil, newEncoder().bandLayer(noise, maxVBarPixels), nil))},
		{"rlex", whole(subcodecRLEX, rlex(p))},
		{"raw", whole(subcodecRaw, rawPixels(p))},
	}
}

// BenchmarkDecode decodes one full frame of 1920×1080.
func BenchmarkDecode(b *testing.B) {
	for _, f := range frames() {
		b.Run(f.name, func(b *testing.B) {
			var d Decoder
			p := pixel.NewBGRX(1920, 1080)
			if err := d.Decode(p, f.message); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ReportMetric(float64(len(f.message)), "wire-B")
			for b.Loop() {
				f.message[1] = d.seq
				if err := d.Decode(p, f.message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFreeRDP is libfreerdp's time for the same frames.
func BenchmarkFreeRDP(b *testing.B) {
	ref := freerdpref.Start(b)
	for _, f := range frames() {
		b.Run(f.name, func(b *testing.B) {
			if err := ref.Reset(); err != nil {
				b.Fatal(err)
			}
			res, err := ref.Decode(freerdpref.Job{
				Codec: freerdpref.Clear, W: 1920, H: 1080, Repeat: b.N,
				Items: []freerdpref.Item{{W: 1920, H: 1080, Data: f.message}},
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(res.Took.Nanoseconds()), "ns/op")
		})
	}
}
