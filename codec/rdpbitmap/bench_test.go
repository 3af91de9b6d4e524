package rdpbitmap

import (
	"fmt"
	"slices"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

const benchW, benchH = 1920, 1080

// tile is one bitmap of a frame.
type tile struct {
	x, y int
	b    Bitmap
}

// cutUp encodes a picture in bitmaps of at most side×side pixels.
func cutUp(tb testing.TB, p pixel.BGRX, side int, encode func(e *Encoder, p pixel.BGRX) ([]byte, error), b Bitmap) (tiles []tile, size int) {
	tb.Helper()
	var e Encoder
	for y := 0; y < p.Height; y += side {
		for x := 0; x < p.Width; x += side {
			w, h := min(side, p.Width-x), min(side, p.Height-y)
			code, err := encode(&e, p.Sub(x, y, w, h))
			if err != nil {
				tb.Fatal(err)
			}
			b.Width, b.Height, b.Data = w, h, code
			tiles = append(tiles, tile{x, y, b})
			size += len(code)
		}
	}
	return tiles, size
}

// benchMethods are the codecs with an encoder, and raw pixels.
var benchMethods = append(slices.Clone(methods), method{"raw32", 32, encodeRaw, (*Decoder).Raw, true})

// BenchmarkDecode decodes one full frame of 1920×1080: in tiles, as xrdp sends them, and as one bitmap.
func BenchmarkDecode(b *testing.B) {
	for _, picture := range pictures {
		if picture.name != "desktop" && picture.name != "gradient" {
			continue
		}
		frame := picture.make(benchW, benchH)
		for _, m := range benchMethods {
			for _, side := range []int{64, benchW} {
				b.Run(fmt.Sprintf("%s/%s/%d", picture.name, m.name, side), func(b *testing.B) {
					tiles, size := cutUp(b, frame, side, m.encode, Bitmap{BitsPerPixel: m.bits, BottomUp: m.up})
					decodeTiles(b, tiles, m.decode)
					b.ReportMetric(float64(size), "wire-B")
				})
			}
		}
	}
}

func decodeTiles(b *testing.B, tiles []tile, decode func(*Decoder, pixel.BGRX, Bitmap) error) {
	b.Helper()
	dst := pixel.NewBGRX(benchW, benchH)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range tiles {
			if err := decode(&d, dst.Sub(t.x, t.y, t.b.Width, t.b.Height), t.b); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkNSCodec is one bitmap of 1920×1080 from FreeRDP's encoder, and how long FreeRDP takes to decode it.
func BenchmarkNSCodec(b *testing.B) {
	ref := freerdpref.Start(b)
	for half := range 2 {
		b.Run(fmt.Sprintf("subsampled %d", half), func(b *testing.B) {
			code, err := ref.Encode(freerdpref.NSC, desktop(benchW, benchH), 3, half)
			if err != nil {
				b.Fatal(err)
			}
			bitmap := Bitmap{Width: benchW, Height: benchH, BitsPerPixel: 32, Data: code}
			theirs, err := ref.Decode(freerdpref.Job{
				Codec: freerdpref.NSC, W: benchW, H: benchH, Items: []freerdpref.Item{item(0, 0, bitmap)}, Repeat: 10,
			})
			if err != nil {
				b.Fatal(err)
			}
			decodeTiles(b, []tile{{b: bitmap}}, (*Decoder).NSCodec)
			b.ReportMetric(float64(len(code)), "wire-B")
			b.ReportMetric(float64(theirs.Took.Microseconds())/1000, "freerdp-ms")
		})
	}
}

// BenchmarkFreeRDP is FreeRDP's own decoding of the same frames.
func BenchmarkFreeRDP(b *testing.B) {
	ref := freerdpref.Start(b)
	frame := desktop(benchW, benchH)
	for _, m := range methods {
		for _, side := range []int{64, benchW} {
			b.Run(fmt.Sprintf("desktop/%s/%d", m.name, side), func(b *testing.B) {
				tiles, _ := cutUp(b, frame, side, m.encode, Bitmap{BitsPerPixel: m.bits, BottomUp: m.up})
				job := freerdpref.Job{Codec: m.theirs(), W: benchW, H: benchH, Repeat: b.N}
				for _, t := range tiles {
					job.Items = append(job.Items, item(t.x, t.y, t.b))
				}
				res, err := ref.Decode(job)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(res.Took.Nanoseconds()), "ns/op")
			})
		}
	}
}

func encodeRaw(_ *Encoder, p pixel.BGRX) (out []byte, _ error) {
	for y := p.Height - 1; y >= 0; y-- {
		out = append(out, p.Row(y)...)
	}
	return out, nil
}
