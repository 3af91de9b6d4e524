package gfx

import (
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

var fullHD = image.Rect(0, 0, 1920, 1080)

// session returns a compositor with one surface over the whole of a full HD desktop.
func session(b testing.TB) *harness {
	h := open(b, fullHD.Max.X, fullHD.Max.Y)
	h.feed(b, create(1, fullHD.Max.X, fullHD.Max.Y), mapTo(1, 0, 0))
	return h
}

func (h *harness) run(b *testing.B, message []byte) {
	b.SetBytes(int64(fullHD.Dx() * fullHD.Dy() * 4))
	b.ReportAllocs()
	for b.Loop() {
		h.sent = h.sent[:0]
		if err := h.Message(message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUncompressed is a whole frame of pixels as they are: unpacking, the surface, the framebuffer.
func BenchmarkUncompressed(b *testing.B) {
	h := session(b)
	h.run(b, pack(start(1), wire1(1, egfx.CodecUncompressed, fullHD, make([]byte, fullHD.Dx()*fullHD.Dy()*4)), end(1)))
}

// BenchmarkShow is the copy from the surface to the framebuffer alone, of a whole frame.
func BenchmarkShow(b *testing.B) {
	h := session(b)
	h.feed(b, solid(1, 0x123456, fullHD))
	b.SetBytes(int64(fullHD.Dx() * fullHD.Dy() * 4))
	b.ReportAllocs()
	for b.Loop() {
		h.painted = 0
		h.surfaces[1].changed(fullHD)
		if err := h.show(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScroll moves all but one line of text up and fills that: what a terminal does.
func BenchmarkScroll(b *testing.B) {
	h := session(b)
	h.run(b, pack(start(1),
		&egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: egfx.Rect16{Top: 16, Right: 1920, Bottom: 1080}, Points: points(0, 0)},
		solid(1, 0x202020, image.Rect(0, 1064, 1920, 1080)), end(1)))
}

// BenchmarkCacheGlyphs pastes 2,000 bitmaps of 16×16 from the cache.
func BenchmarkCacheGlyphs(b *testing.B) {
	h := session(b)
	m := &egfx.CacheToSurface{Slot: 1, SurfaceID: 1}
	for i := range 2000 {
		m.Points = append(m.Points, points(i%100*19, i/100*50)...)
	}
	h.feed(b, &egfx.SurfaceToCache{SurfaceID: 1, Slot: 1, Rect: egfx.Rect16{Right: 16, Bottom: 16}})
	h.run(b, pack(start(1), m, end(1)))
}

// TestSteadyStateAllocations: a frame of everything that is frequent allocates nothing.
func TestSteadyStateAllocations(t *testing.T) {
	h := session(t)
	p := pixel.NewBGRX(64, 64)
	planar, err := new(rdpbitmap.Encoder).Planar(nil, p, false)
	if err != nil {
		t.Fatal(err)
	}
	message := pack(start(1), solid(1, 0x112233, image.Rect(5, 5, 50, 50), image.Rect(600, 600, 700, 700)),
		wire1(1, egfx.CodecUncompressed, image.Rect(64, 0, 128, 64), p.Pix), wire1(1, egfx.CodecPlanar, image.Rect(64, 64, 128, 128), planar),
		wire1(1, egfx.CodecCAVideo, image.Rect(256, 64, 320, 128), greyVideo(0, 0, 64, 64)), progressive(1, greyProgressive(7, 7, 448, 448, 64, 64)),
		&egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: egfx.Rect16{Right: 30, Bottom: 30}, Points: points(300, 300, 400, 400)},
		&egfx.SurfaceToCache{SurfaceID: 1, Slot: 3, Rect: egfx.Rect16{Right: 30, Bottom: 30}},
		&egfx.CacheToSurface{Slot: 3, SurfaceID: 1, Points: points(500, 500)}, end(1))
	h.cfg.Send = func([]byte) error { return nil }
	if n := testing.AllocsPerRun(50, func() {
		if err := h.Message(message); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
