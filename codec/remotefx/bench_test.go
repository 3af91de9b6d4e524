package remotefx

import (
	"fmt"
	"image"
	"testing"
	"time"

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

// BenchmarkUpgrade decodes a whole frame of 1920×1080 sent coarsely, and then each of its upgrades.
func BenchmarkUpgrade(b *testing.B) {
	for name, picture := range map[string]pixel.BGRX{"desktop": desktopPicture(1920, 1080), "photo": photoPicture(1920, 1080)} {
		messages, _ := progressiveStory(picture, pixel.NewBGRX(1, 1), true)
		messages = messages[:1+len(steps)]
		ref := startPeer(b)
		ref.reset(b)
		for i := range messages {
			b.Run(fmt.Sprintf("%s/%d", name, i), func(b *testing.B) {
				var p Progressive
				dst := pixel.NewBGRX(1920, 1080)
				var items []freerdpref.Item
				for j, m := range messages[:i+1] {
					items = append(items, freerdpref.Item{W: 1920, H: 1080, Args: [4]int{1, j}, Data: m})
				}
				whole, err := ref.Decode(freerdpref.Job{Codec: freerdpref.Progressive, W: 1920, H: 1080, Repeat: 4, Items: items})
				if err != nil {
					b.Fatal(err)
				}
				before := whole
				before.Took = 0
				if i > 0 {
					if before, err = ref.Decode(freerdpref.Job{Codec: freerdpref.Progressive, W: 1920, H: 1080, Repeat: 4, Items: items[:i]}); err != nil {
						b.Fatal(err)
					}
				}
				var took time.Duration
				frame := uint32(0)
				for b.Loop() {
					for j, m := range messages[:i+1] {
						start := time.Now()
						frame++
						if _, err := p.Decode(frame, m, dst); err != nil {
							b.Fatal(err)
						}
						if j == i {
							took += time.Since(start)
						}
					}
				}
				b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
				b.ReportMetric(float64(len(messages[i]))/1024, "KiB")
				b.ReportMetric(float64((whole.Took-before.Took).Microseconds())/1000, "freerdp-ms")
			})
		}
	}
}
