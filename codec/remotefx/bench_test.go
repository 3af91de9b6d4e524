package remotefx

import (
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// BenchmarkFrame decodes a whole frame of 1920×1080, and reports how long FreeRDP takes for the same bytes.
func BenchmarkFrame(b *testing.B) {
	for name, picture := range map[string]pixel.BGRX{"desktop": desktopPicture(1920, 1080), "photo": photoPicture(1920, 1080)} {
		for _, c := range []struct {
			name  string
			codec freerdpref.Codec
			arg   int
		}{{"RLGR1", freerdpref.RFX, 1}, {"RLGR3", freerdpref.RFX, 0}, {"progressive", freerdpref.Progressive, 0}} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				ref := freerdpref.Start(b)
				data, err := ref.Encode(c.codec, picture, c.arg)
				if err != nil {
					b.Fatal(err)
				}
				theirs, err := ref.Decode(freerdpref.Job{Codec: c.codec, W: 1920, H: 1080, Repeat: 10, Items: []freerdpref.Item{{W: 1920, H: 1080, Args: [4]int{1, 1}, Data: data}}})
				if err != nil {
					b.Fatal(err)
				}
				dst := pixel.NewBGRX(1920, 1080)
				var d Decoder
				var p Progressive
				b.ReportAllocs()
				for b.Loop() {
					if c.codec == freerdpref.RFX {
						_, err = d.Decode(data, dst, image.Point{})
					} else {
						_, err = p.Decode(1, data, dst)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(data))/1024, "KiB")
				b.ReportMetric(float64(theirs.Took.Microseconds())/1000, "freerdp-ms")
			})
		}
	}
}

// BenchmarkTile times the steps of one tile.
func BenchmarkTile(b *testing.B) {
	var coefs tilePlanes
	for i := range coefs {
		coefs[i] = int16(i*7919%41) - 20
	}
	dst, shift := pixel.NewBGRX(tileSide, tileSide), shifts{}
	for name, extrapolate := range map[string]bool{"plain": false, "extrapolate": true} {
		b.Run("render/"+name, func(b *testing.B) {
			for b.Loop() {
				render(dst, &coefs, extrapolate)
			}
		})
	}
	b.Run("dequantise", func(b *testing.B) {
		for b.Loop() {
			dequantise(coefs.component(1), &shift, false, nil, nil)
		}
	})
}

// BenchmarkUpgrade decodes a whole frame of 1920×1080 that is sent coarsely and then upgraded three times, to full quality.
func BenchmarkUpgrade(b *testing.B) {
	for name, picture := range map[string]pixel.BGRX{"desktop": desktopPicture(1920, 1080), "photo": photoPicture(1920, 1080)} {
		b.Run(name, func(b *testing.B) {
			messages, _ := progressiveStory(picture, pixel.NewBGRX(1, 1), true)
			messages = messages[:1+len(steps)]
			ref, job := freerdpref.Start(b), freerdpref.Job{Codec: freerdpref.Progressive, W: 1920, H: 1080, Repeat: 4}
			size := 0
			for i, m := range messages {
				job.Items = append(job.Items, freerdpref.Item{W: 1920, H: 1080, Args: [4]int{1, i}, Data: m})
				size += len(m)
			}
			theirs, err := ref.Decode(job)
			if err != nil {
				b.Fatal(err)
			}
			dst := pixel.NewBGRX(1920, 1080)
			var p Progressive
			frame := uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				for _, m := range messages {
					frame++
					if _, err := p.Decode(frame, m, dst); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(size)/1024, "KiB")
			b.ReportMetric(float64(theirs.Took.Microseconds())/1000, "freerdp-ms")
		})
	}
}
