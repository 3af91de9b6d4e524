package remotefx

import (
	"bytes"
	"errors"
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// steps are progressive quantisers from coarse to finest but full quality; bands differ so that some have nothing to upgrade.
var steps = []shifts{
	{6, 7, 8, 5, 6, 7, 4, 5, 6, 3}, {4, 3, 5, 5, 3, 4, 2, 1, 2, 1}, {1, 2, 3, 1, 0, 1, 0, 1, 1, 0},
}

func newProgressiveEncoder(extrapolate bool) *progressiveEncoder {
	return &progressiveEncoder{extrapolate: extrapolate, tiles: map[image.Point]*encodedTile{}}
}

// progressiveStory is the messages of two pictures, the second sent as differences to the first: each coarsely and then
// with upgrades to full quality.
func progressiveStory(first, second pixel.BGRX, extrapolate bool) (messages [][]byte, final []byte) {
	e := newProgressiveEncoder(extrapolate)
	all, quant := []image.Rectangle{bounds(first)}, evenQuant(6)
	for i, p := range []pixel.BGRX{first, second} {
		at := tilesOf(bounds(p))
		messages = append(messages, progressiveMessage(e.region(p, all, at, progTileFirst, quant, steps, 0, i > 0)))
		for _, quality := range []uint8{1, 2, fullQuality} {
			messages = append(messages, progressiveMessage(e.region(p, all, at, progTileUpgrade, quant, steps, quality, false)))
		}
	}
	e = newProgressiveEncoder(extrapolate)
	final = progressiveMessage(e.region(first, all, tilesOf(bounds(first)), progTileSimple, quant, nil, fullQuality, false))
	return messages, final
}

// TestProgressiveStory checks that quality rises with each message, and that coarse tiles with all their upgrades are the same as
// tiles sent whole.
func TestProgressiveStory(t *testing.T) {
	first, second := photoPicture(150, 100), desktopPicture(150, 100)
	for mode, extrapolate := range map[string]bool{"plain": false, "extrapolate": true} {
		t.Run(mode, func(t *testing.T) {
			messages, final := progressiveStory(first, second, extrapolate)
			whole := pixel.NewBGRX(150, 100)
			if _, err := new(Progressive).Decode(1, final, whole); err != nil {
				t.Fatal(err)
			}
			var d Progressive
			got, last := pixel.NewBGRX(150, 100), 0.0
			for i, m := range messages {
				rects, err := d.Decode(uint32(i), m, got)
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if len(rects) != 1 || rects[0] != bounds(got) {
					t.Errorf("message %d: rectangles %v", i, rects)
				}
				picture := first
				if i >= len(messages)/2 {
					picture = second
				}
				if i == len(messages)/2 {
					last = 0
				}
				quality := psnr(got, picture)
				t.Logf("message %d: %d bytes, %.1f dB", i, len(m), quality)
				if quality < last+1 {
					t.Errorf("message %d: %.1f dB after %.1f", i, quality, last)
				}
				last = quality
				if i == len(messages)/2-1 {
					if n, most := differences(got, whole); n > 0 {
						t.Errorf("%d bytes differ from tiles sent whole, by %d at most", n, most)
					}
				}
			}
			if last < 40 {
				t.Errorf("%.1f dB at full quality", last)
			}
		})
	}
}

// TestProgressiveLikeFreeRDP holds each step of the story against FreeRDP, which can upgrade extrapolated tiles only.
func TestProgressiveLikeFreeRDP(t *testing.T) {
	p := startPeer(t)
	p.reset(t)
	messages, _ := progressiveStory(photoPicture(150, 100), desktopPicture(150, 100), true)
	var d Progressive
	got := pixel.NewBGRX(150, 100)
	for i, m := range messages {
		if _, err := d.Decode(uint32(i), m, got); err != nil {
			t.Fatal(err)
		}
		p.same(t, got, p.progressive(t, got, i, m))
	}
}

// TestProgressiveSharedTiles draws tiles in rectangles of other regions of the same graphics frame, before and after, in one
// message and in two; and not in those of another frame.
func TestProgressiveSharedTiles(t *testing.T) {
	picture := photoPicture(128, 64)
	left, right := image.Rect(0, 0, 30, 64), image.Rect(40, 5, 100, 60)
	e := newProgressiveEncoder(true)
	a := e.region(picture, []image.Rectangle{left}, []image.Point{{X: 0, Y: 0}}, progTileSimple, evenQuant(6), nil, fullQuality, false)
	b := e.region(picture, []image.Rectangle{right}, []image.Point{{X: 1, Y: 0}}, progTileSimple, evenQuant(6), nil, fullQuality, false)
	want, all := pixel.NewBGRX(128, 64), pixel.NewBGRX(128, 64)
	e = newProgressiveEncoder(true)
	if _, err := new(Progressive).Decode(0, progressiveMessage(e.region(picture, []image.Rectangle{bounds(all)}, tilesOf(bounds(all)), progTileSimple, evenQuant(6), nil, fullQuality, false)), all); err != nil {
		t.Fatal(err)
	}
	for _, r := range []image.Rectangle{left, right} {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			copy(want.Row(y)[4*r.Min.X:4*r.Max.X], all.Row(y)[4*r.Min.X:])
		}
	}
	for name, c := range map[string]struct {
		messages [][]byte
		frames   []uint32
		same     bool
	}{
		"one message":  {[][]byte{progressiveMessage(a, b)}, []uint32{1}, true},
		"other order":  {[][]byte{progressiveMessage(b, a)}, []uint32{1}, true},
		"two messages": {[][]byte{progressiveMessage(b), progressiveMessage(a)}, []uint32{1, 1}, true},
		"two frames":   {[][]byte{progressiveMessage(b), progressiveMessage(a)}, []uint32{1, 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var d Progressive
			got := pixel.NewBGRX(128, 64)
			var changed []image.Rectangle
			for i, m := range c.messages {
				rects, err := d.Decode(c.frames[i], m, got)
				if err != nil {
					t.Fatal(err)
				}
				changed = append(changed, rects...)
			}
			if n, _ := differences(got, want); (n == 0) != c.same {
				t.Errorf("%d bytes differ", n)
			}
			for y := range got.Height {
				for x := range got.Width {
					if !bytes.Equal(got.Row(y)[4*x:4*x+3], []byte{0, 0, 0}) && !touches(changed, image.Rect(x, y, x+1, y+1)) {
						t.Fatalf("%d,%d was drawn, and is not in %v", x, y, changed)
					}
				}
			}
		})
	}
}

// TestProgressiveReset forgets tiles on Reset and when the surface's size changes.
func TestProgressiveReset(t *testing.T) {
	picture := photoPicture(70, 70)
	messages, _ := progressiveStory(picture, picture, true)
	for name, forget := range map[string]func(d *Progressive) int{
		"reset":  func(d *Progressive) int { d.Reset(); return 70 },
		"resize": func(*Progressive) int { return 71 },
	} {
		t.Run(name, func(t *testing.T) {
			var d Progressive
			if _, err := d.Decode(1, messages[0], pixel.NewBGRX(70, 70)); err != nil {
				t.Fatal(err)
			}
			side := forget(&d)
			if _, err := d.Decode(2, messages[1], pixel.NewBGRX(side, 70)); !errors.Is(err, ErrData) {
				t.Fatalf("upgrade of a forgotten tile: %v", err)
			}
		})
	}
}
