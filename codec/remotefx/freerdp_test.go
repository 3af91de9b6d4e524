package remotefx

import (
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// same fails the test unless both pictures have the same colours.
func same(t *testing.T, got, want pixel.BGRX) {
	t.Helper()
	if n, most := differences(got, want); n > 0 {
		t.Fatalf("%d bytes differ, by %d at most", n, most)
	}
}

// TestDecodesLikeFreeRDP decodes what FreeRDP's encoder makes of pictures, and holds it against FreeRDP's decoder.
func TestDecodesLikeFreeRDP(t *testing.T) {
	ref := freerdpref.Start(t)
	for name, picture := range map[string]pixel.BGRX{
		"desktop": desktopPicture(640, 360), "photo": photoPicture(200, 130), "one tile": photoPicture(64, 64), "small": photoPicture(5, 3),
	} {
		for mode, rlgr1 := range map[string]int{"RLGR1": 1, "RLGR3": 0} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				data, err := ref.Encode(freerdpref.RFX, picture, rlgr1)
				if err != nil {
					t.Fatal(err)
				}
				at := image.Pt(3, 7)
				want, err := ref.Decode(freerdpref.Job{Codec: freerdpref.RFX, W: picture.Width + 9, H: picture.Height + 9, Items: []freerdpref.Item{{X: at.X, Y: at.Y, W: picture.Width, H: picture.Height, Data: data}}})
				if err != nil {
					t.Fatal(err)
				}
				got := pixel.NewBGRX(picture.Width+9, picture.Height+9)
				var d Decoder
				rects, err := d.Decode(data, got, at)
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want.Picture)
				t.Logf("%d bytes, rects %v, PSNR %.1f", len(data), rects, psnr(got.Sub(at.X, at.Y, picture.Width, picture.Height), picture))
			})
		}
		t.Run(name+"/progressive", func(t *testing.T) {
			data, err := ref.Encode(freerdpref.Progressive, picture)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ref.Decode(freerdpref.Job{Codec: freerdpref.Progressive, W: picture.Width, H: picture.Height, Items: []freerdpref.Item{{W: picture.Width, H: picture.Height, Args: [4]int{1, 1}, Data: data}}})
			if err != nil {
				t.Fatal(err)
			}
			got := pixel.NewBGRX(picture.Width, picture.Height)
			var d Progressive
			if _, err := d.Decode(1, data, got); err != nil {
				t.Fatal(err)
			}
			same(t, got, want.Picture)
			t.Logf("%d bytes, PSNR %.1f", len(data), psnr(got, picture))
		})
	}
}
