package gfx

import (
	"errors"
	"image"
	"reflect"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

func TestCapabilities(t *testing.T) {
	h := open(t, 64, 64)
	if want := []egfx.Message{&egfx.CapsAdvertise{Sets: egfx.ClientCaps()}}; !reflect.DeepEqual(h.sent, want) {
		t.Errorf("sent %+v", h.sent)
	}
	if h.Version() != "10.7" || h.cache.slots != smallCacheSlots || h.cache.maxBytes != smallCacheBytes {
		t.Errorf("version %s, cache of %d slots and %d bytes", h.Version(), h.cache.slots, h.cache.maxBytes)
	}
	h.feed(t, &egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion8, 0)})
	if h.Version() != "8.0" || h.cache.slots != largeCacheSlots || h.cache.maxBytes != largeCacheBytes {
		t.Errorf("version %s, cache of %d slots and %d bytes", h.Version(), h.cache.slots, h.cache.maxBytes)
	}
	h.refuses(t, "chose version 10.1, which was not offered", &egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion101, 0)})

	h = open(t, 64, 64)
	h.confirmed = false
	h.refuses(t, "command 9 before the capabilities were confirmed", create(1, 16, 16))
	if h.Version() != "" {
		t.Error(h.Version())
	}
}

func TestFrames(t *testing.T) {
	h := open(t, 128, 64)
	h.sent = nil
	h.feed(t, create(1, 128, 64), mapTo(1, 0, 0), start(7), solid(1, 0x112233, image.Rect(0, 0, 64, 64)))
	if !h.fb.Blank() || h.at(0, 0) != 0 || len(h.sent) > 0 {
		t.Error("shown before the end of the frame")
	}
	h.feed(t, solid(1, 0x445566, image.Rect(64, 0, 128, 64)), end(7))
	if h.at(0, 0) != 0x112233 || h.at(127, 63) != 0x445566 || h.fb.Blank() {
		t.Errorf("shown %06x %06x", h.at(0, 0), h.at(127, 63))
	}
	h.damage()
	h.feed(t, start(8), end(8), start(9), solid(1, 0xffffff, image.Rect(17, 1, 18, 2)), end(9))
	if got := h.damage(); got != image.Rect(16, 0, 32, 16) {
		t.Errorf("damage %v", got)
	}
	want := []egfx.Message{
		&egfx.FrameAcknowledge{FrameID: 7, FramesDecoded: 1}, &egfx.FrameAcknowledge{FrameID: 8, FramesDecoded: 2},
		&egfx.FrameAcknowledge{FrameID: 9, FramesDecoded: 3},
	}
	if !reflect.DeepEqual(h.sent, want) || h.Stats().Frames != 3 {
		t.Errorf("sent %+v", h.sent)
	}
	h.feed(t, solid(1, 0xff0000, image.Rect(0, 0, 1, 1)))
	if h.at(0, 0) != 0xff0000 || h.damage().Empty() {
		t.Error("a command outside of frames is not shown")
	}
	h.feed(t, end(99)) // without a beginning
	if got := h.sent[len(h.sent)-1]; !reflect.DeepEqual(got, &egfx.FrameAcknowledge{FrameID: 99, FramesDecoded: 4}) {
		t.Errorf("sent %+v", got)
	}
	h.sendErr = errors.New("gone")
	if err := h.Message(pack(end(100))); !errors.Is(err, h.sendErr) || errors.Is(err, desktop.ErrProtocol) {
		t.Error(err)
	}
}

// TestMapping: several surfaces, at odd places, partly and wholly outside, moved, deleted.
func TestMapping(t *testing.T) {
	h := open(t, 100, 50)
	h.feed(t, create(1, 40, 40), create(2, 40, 40), create(3, 9, 9), mapTo(2, 83, 21), mapTo(3, 5000, 0xffffffff),
		solid(1, 0x111111, image.Rect(0, 0, 40, 40)), solid(2, 0x222222, image.Rect(0, 0, 40, 40)), solid(3, 0x333333, image.Rect(0, 0, 9, 9)))
	if h.at(82, 21) != 0 || h.at(83, 20) != 0 || h.at(83, 21) != 0x222222 || h.at(99, 49) != 0x222222 || h.at(0, 0) != 0 {
		t.Error("surface 2 is not where it belongs")
	}
	h.damage()
	h.feed(t, solid(2, 0x242424, image.Rect(13, 11, 14, 12))) // 96,32 in the output: one block of its grid
	if got := h.damage(); got != image.Rect(96, 32, 112, 48) {
		t.Errorf("damage %v", got)
	}
	h.feed(t, mapTo(1, 3, 3)) // was drawn before it had a place
	if h.at(2, 3) != 0 || h.at(3, 3) != 0x111111 || h.at(42, 42) != 0x111111 || h.at(43, 42) != 0 {
		t.Error("surface 1 is not where it belongs")
	}
	h.feed(t, mapTo(1, 0, 0), &egfx.DeleteSurface{SurfaceID: 1}, &egfx.DeleteSurface{SurfaceID: 1})
	if h.at(0, 0) != 0 || h.at(42, 42) != 0x111111 || len(h.surfaces) != 2 || h.pixels != 40*40+9*9 {
		t.Errorf("after the deletion: %06x %06x, %d surfaces of %d pixels", h.at(0, 0), h.at(42, 42), len(h.surfaces), h.pixels)
	}
	// A window is no place in the output, and a surface of the same number takes the other's place.
	h.feed(t, &egfx.MapSurfaceToWindow{SurfaceID: 3}, create(2, 8, 8), solid(2, 0xffffff, image.Rect(0, 0, 8, 8)))
	if h.at(83, 21) != 0x222222 || h.Stats().Ignored != 1 || h.pixels != 8*8+9*9 {
		t.Errorf("%06x, %d ignored, %d pixels", h.at(83, 21), h.Stats().Ignored, h.pixels)
	}
}

// TestNeverDrawn: a surface without a picture covers nothing.
func TestNeverDrawn(t *testing.T) {
	h := open(t, 32, 32)
	h.feed(t, create(1, 32, 32), mapTo(1, 0, 0), solid(1, 0xabcdef, image.Rect(0, 0, 32, 32)))
	h.feed(t, create(2, 32, 32), mapTo(2, 0, 0), start(1), solid(2, 0x123456), solid(2, 0x123456, image.Rect(5, 5, 5, 9)), end(1))
	if h.at(5, 5) != 0xabcdef {
		t.Errorf("%06x", h.at(5, 5))
	}
	h.feed(t, solid(2, 0x123456, image.Rect(0, 0, 16, 32)))
	if h.at(0, 0) != 0x123456 || h.at(31, 31) != 0 {
		t.Errorf("%06x %06x", h.at(0, 0), h.at(31, 31))
	}
}

func TestResetGraphics(t *testing.T) {
	h := open(t, 32, 32)
	h.feed(t, create(1, 64, 48), mapTo(1, 0, 0), solid(1, 0xabcdef, image.Rect(0, 0, 64, 48)),
		&egfx.ResetGraphics{Width: 64, Height: 48, Monitors: []egfx.Monitor{{Right: 63, Bottom: 47, Flags: 1}}})
	if h.fb.Size() != image.Pt(64, 48) || h.at(63, 47) != 0xabcdef || !reflect.DeepEqual(h.resized, []image.Point{{X: 64, Y: 48}}) {
		t.Errorf("%v, %06x, told of %v", h.fb.Size(), h.at(63, 47), h.resized)
	}
	h.feed(t, &egfx.ResetGraphics{Width: 16, Height: 16}, solid(1, 0x010203, image.Rect(0, 0, 64, 48)))
	if h.fb.Size() != image.Pt(16, 16) || h.at(15, 15) != 0x010203 {
		t.Errorf("%v, %06x", h.fb.Size(), h.at(15, 15))
	}
	h.refuses(t, "desktop: size out of bounds: 8193×16", &egfx.ResetGraphics{Width: 8193, Height: 16})
	h.refuses(t, "size out of bounds: 0×0", &egfx.ResetGraphics{})
	h.refuses(t, "8192×8192", &egfx.ResetGraphics{Width: 8192, Height: 8192})
}

// TestScaledMapping holds what is shown against the formula, for factors above and below one, whole and part by part.
func TestScaledMapping(t *testing.T) {
	for _, target := range []image.Point{{X: 100, Y: 90}, {X: 13, Y: 17}, {X: 60, Y: 120}, {X: 40, Y: 1}} {
		h := open(t, 90, 100)
		h.feed(t, create(1, 40, 30), &egfx.MapSurfaceToScaledOutput{
			SurfaceID: 1, X: 5, Y: 7, TargetWidth: uint32(target.X), TargetHeight: uint32(target.Y),
		})
		// Every pixel of the surface has its own colour; they come in an odd order, each shown before the next.
		for i := range 40 * 30 {
			i = i * 7 % 1200
			x, y := i%40, i/40
			h.feed(t, solid(1, uint32(x<<8|y|0x800000), image.Rect(x, y, x+1, y+1)))
		}
		pix, size := h.fb.CopyPixels()
		for y := range size.Y {
			for x := range size.X {
				want := [3]byte{}
				if p := image.Pt(x-5, y-7); p.In(image.Rectangle{Max: target}) {
					want = [3]byte{byte((2*p.Y + 1) * 30 / (2 * target.Y)), byte((2*p.X + 1) * 40 / (2 * target.X)), 0x80}
				}
				if got := [3]byte(pix[(y*size.X+x)*4:]); got != want {
					t.Fatalf("to %v: %d,%d is %v, want %v", target, x, y, got, want)
				}
			}
		}
	}
}

func TestClosed(t *testing.T) {
	h := open(t, 32, 32)
	h.feed(t, create(1, 32, 32), end(1))
	h.Closed()
	if h.surfaces != nil || h.plain != nil || h.Stats().Frames != 1 {
		t.Error("memory is kept")
	}
}

func TestCoalescer(t *testing.T) {
	size := image.Pt(10*16, 8*16)
	for name, c := range map[string]struct{ damaged, want []image.Rectangle }{
		"one":      {[]image.Rectangle{image.Rect(1, 1, 3, 4)}, []image.Rectangle{image.Rect(1, 1, 3, 4)}},
		"apart":    {[]image.Rectangle{image.Rect(0, 0, 2, 2), image.Rect(5, 1, 7, 3)}, []image.Rectangle{image.Rect(0, 0, 2, 2), image.Rect(5, 1, 7, 3)}},
		"step":     {[]image.Rectangle{image.Rect(0, 0, 2, 2), image.Rect(0, 2, 3, 4)}, []image.Rectangle{image.Rect(0, 0, 2, 2), image.Rect(0, 2, 3, 4)}},
		"gap":      {[]image.Rectangle{image.Rect(2, 0, 4, 2), image.Rect(2, 3, 4, 5)}, []image.Rectangle{image.Rect(2, 0, 4, 2), image.Rect(2, 3, 4, 5)}},
		"to right": {[]image.Rectangle{image.Rect(0, 0, 1, 1), image.Rect(3, 0, 4, 2)}, []image.Rectangle{image.Rect(0, 0, 1, 1), image.Rect(3, 0, 4, 2)}},
	} {
		d := desktop.NewDamage(size)
		for _, r := range c.damaged {
			d.Add(image.Rectangle{Min: r.Min.Mul(16), Max: r.Max.Mul(16)})
		}
		var got coalescer
		for range 2 {
			got.reset()
			d.Runs(got.run)
			if !reflect.DeepEqual(got.rects, c.want) {
				t.Errorf("%s: %v, want %v", name, got.rects, c.want)
			}
		}
	}
}
