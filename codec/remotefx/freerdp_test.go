package remotefx

import (
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// peer is a running FreeRDP. When it starts, FreeRDP times its vector code against its general code and keeps what was
// faster just then, so on a busy machine a process may convert colours the general way, which rounds otherwise.
type peer struct {
	*freerdpref.Ref
	vector bool
}

// startPeer prefers a process that chose vector code: results are held against that to the bit, and within 1 against the other.
func startPeer(t testing.TB) *peer {
	t.Helper()
	picture := photoPicture(tileSide, tileSide)
	for range 8 {
		p := &peer{Ref: freerdpref.Start(t)}
		data, err := p.Encode(freerdpref.RFX, picture, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := pixel.NewBGRX(tileSide, tileSide)
		if _, err := new(Decoder).Decode(data, got, image.Point{}); err != nil {
			t.Fatal(err)
		}
		if n, _ := differences(got, p.remoteFX(t, got, image.Point{}, data)); n == 0 {
			p.vector = true
			return p
		}
	}
	p := &peer{Ref: freerdpref.Start(t)}
	t.Log("FreeRDP chose general code each time: comparing within 1")
	return p
}

// remoteFX returns a picture of the size of like into which FreeRDP has decoded a message.
func (p *peer) remoteFX(t testing.TB, like pixel.BGRX, at image.Point, data []byte) pixel.BGRX {
	t.Helper()
	p.reset(t)
	res, err := p.Decode(freerdpref.Job{Codec: freerdpref.RFX, W: like.Width, H: like.Height, Items: []freerdpref.Item{
		{X: at.X, Y: at.Y, W: like.Width - at.X, H: like.Height - at.Y, Data: data},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Picture
}

// progressive lets FreeRDP decode a message of a graphics frame. The surface and its tiles stay until reset.
func (p *peer) progressive(t testing.TB, like pixel.BGRX, frame int, data []byte) pixel.BGRX {
	t.Helper()
	res, err := p.Decode(freerdpref.Job{Codec: freerdpref.Progressive, W: like.Width, H: like.Height, Items: []freerdpref.Item{
		{W: like.Width, H: like.Height, Args: [4]int{1, frame}, Data: data},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Picture
}

func (p *peer) reset(t testing.TB) {
	t.Helper()
	if err := p.Reset(); err != nil {
		t.Fatal(err)
	}
}

// same fails the test unless got has the colours of FreeRDP's picture.
func (p *peer) same(t *testing.T, got, want pixel.BGRX) {
	t.Helper()
	if n, most := differences(got, want); n > 0 && (p.vector || most > 1) {
		t.Fatalf("%d bytes differ, by %d at most", n, most)
	}
}

// freerdpPictures are what FreeRDP encodes for the tests.
func freerdpPictures() map[string]pixel.BGRX {
	return map[string]pixel.BGRX{
		"desktop": desktopPicture(640, 360), "photo": photoPicture(200, 130), "tile": photoPicture(64, 64), "small": photoPicture(5, 3),
	}
}

// TestDecodesLikeFreeRDP decodes what FreeRDP's encoder makes of pictures, and holds it against FreeRDP's decoder.
func TestDecodesLikeFreeRDP(t *testing.T) {
	p := startPeer(t)
	for name, picture := range freerdpPictures() {
		for mode, rlgr1 := range map[string]int{"RLGR1": 1, "RLGR3": 0} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				data, err := p.Encode(freerdpref.RFX, picture, rlgr1)
				if err != nil {
					t.Fatal(err)
				}
				at := image.Pt(3, 7)
				got := pixel.NewBGRX(picture.Width+9, picture.Height+9)
				if _, err := new(Decoder).Decode(data, got, at); err != nil {
					t.Fatal(err)
				}
				p.same(t, got, p.remoteFX(t, got, at, data))
			})
		}
		t.Run(name+"/progressive", func(t *testing.T) {
			data, err := p.Encode(freerdpref.Progressive, picture)
			if err != nil {
				t.Fatal(err)
			}
			got := pixel.NewBGRX(picture.Width, picture.Height)
			if _, err := new(Progressive).Decode(1, data, got); err != nil {
				t.Fatal(err)
			}
			p.reset(t)
			p.same(t, got, p.progressive(t, got, 1, data))
		})
	}
}

// TestQuantisersLikeFreeRDP decodes messages in which each band has a quantiser of its own, and regions of several rectangles.
func TestQuantisersLikeFreeRDP(t *testing.T) {
	p := startPeer(t)
	picture := desktopPicture(150, 100)
	quant := shifts{10, 9, 11, 8, 7, 10, 8, 6, 7, 9}
	rects := []image.Rectangle{image.Rect(3, 4, 50, 90), image.Rect(60, 64, 128, 100), image.Rect(140, 0, 150, 5)}
	for mode, rlgr3 := range map[string]bool{"RLGR1": false, "RLGR3": true} {
		t.Run(mode, func(t *testing.T) {
			data := append(remoteFXHeaders(150, 100, rlgr3), remoteFXFrame(picture, rects, quant, rlgr3)...)
			got := pixel.NewBGRX(150, 100)
			if _, err := new(Decoder).Decode(data, got, image.Point{}); err != nil {
				t.Fatal(err)
			}
			p.same(t, got, p.remoteFX(t, got, image.Point{}, data))
		})
	}
	for mode, extrapolate := range map[string]bool{"plain": false, "extrapolate": true} {
		t.Run("progressive/"+mode, func(t *testing.T) {
			data := progressiveMessage(newProgressiveEncoder(extrapolate).region(picture, rects, tilesOf(bounds(picture)), progTileSimple, quant, nil, fullQuality, false))
			got := pixel.NewBGRX(150, 100)
			if _, err := new(Progressive).Decode(1, data, got); err != nil {
				t.Fatal(err)
			}
			p.reset(t)
			p.same(t, got, p.progressive(t, got, 1, data))
		})
	}
}
