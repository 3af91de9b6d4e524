package rfbenc

import (
	"bytes"
	"image"
	"testing"
)

// BenchmarkDecode decodes one full frame of 1920×1080.
func BenchmarkDecode(b *testing.B) {
	p := desktopPicture(1920, 1080)
	run := func(name string, dec decoder, frame []byte) {
		b.Run(name, func(b *testing.B) {
			got := newPicture(p.size.X, p.size.Y)
			src := bytes.NewReader(frame)
			r := NewReader(src)
			if err := dec.Decode(r, got, p.bounds()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ReportMetric(float64(len(frame)), "wire-B")
			for b.Loop() {
				src.Reset(frame)
				if err := dec.Decode(r, got, p.bounds()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, c := range codecs {
		dec, enc := c.make()
		run(c.name, &resetting{dec}, enc(p, p.bounds()))
	}
	run("tight-jpeg", &tiled{&Tight{}, 256}, jpegTiles(p, 256))
}

// resetting begins the zlib streams anew with every frame, so that one recorded frame can be repeated.
type resetting struct{ decoder }

func (d *resetting) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	inner := d.decoder
	if t, ok := inner.(*tiled); ok {
		inner = t.decoder
	}
	switch t := inner.(type) {
	case *ZRLE:
		t.z.reset()
	case *Tight:
		for _, z := range t.streams {
			if z != nil {
				z.reset()
			}
		}
	}
	return d.decoder.Decode(src, dst, r)
}

func jpegTiles(p *picture, side int) (out []byte) {
	tiles(p.bounds(), side, func(t image.Rectangle) { out = append(out, encodeTightJPEG(p.image(t), 80)...) })
	return out
}
