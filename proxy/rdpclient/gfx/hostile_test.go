package gfx

import (
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

func TestHostileCommands(t *testing.T) {
	r := image.Rect(0, 0, 8, 4)
	at := func(xy ...int) []egfx.Point16 { return points(xy...) }
	for want, m := range map[string]egfx.Message{
		"SolidFill: there is no surface 2":        solid(2, 0, r),
		"SurfaceToSurface: there is no surface 2": &egfx.SurfaceToSurface{Source: 1, Dest: 2},
		"SurfaceToSurface: there is no surface 3": &egfx.SurfaceToSurface{Source: 3, Dest: 1},
		"(0,0)-(8,5) leaves surface 1 of 8×4":     &egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: egfx.Rect16{Right: 8, Bottom: 5}},
		"(1,0)-(9,4) leaves surface 1":            &egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: rect16(r), Points: at(0, 0, 1, 0)},
		"(-1,0)-(7,4) leaves surface 1":           &egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: rect16(r), Points: at(-1, 0)},
		"SurfaceToCache: there is no surface 2":   &egfx.SurfaceToCache{SurfaceID: 2, Slot: 1},
		"(0,0)-(65535,65535) leaves surface 1":    &egfx.SurfaceToCache{SurfaceID: 1, Slot: 1, Rect: egfx.Rect16{Right: 65535, Bottom: 65535}},
		"slot 0 of 1 to 4096":                     &egfx.SurfaceToCache{SurfaceID: 1, Rect: rect16(r)},
		"slot 4097 of 1 to 4096":                  &egfx.SurfaceToCache{SurfaceID: 1, Slot: 4097, Rect: rect16(r)},
		"CacheToSurface: there is no surface 2":   &egfx.CacheToSurface{Slot: 1, SurfaceID: 2},
		"slot 9 is empty":                         &egfx.CacheToSurface{Slot: 9, SurfaceID: 1, Points: at(0, 0)},
		"(0,1)-(8,5) leaves surface 1":            &egfx.CacheToSurface{Slot: 1, SurfaceID: 1, Points: at(0, 1)},
		"(32767,32767)-(32775,32771) leaves":      &egfx.CacheToSurface{Slot: 1, SurfaceID: 1, Points: at(32767, 32767)},
		"MapSurfaceToOutput: there is no surface": mapTo(2, 0, 0),
		"to 0×9 pixels, need 1 to 32766":          &egfx.MapSurfaceToScaledOutput{SurfaceID: 1, TargetHeight: 9},
		"to 9×4294967295 pixels":                  &egfx.MapSurfaceToScaledOutput{SurfaceID: 1, TargetWidth: 9, TargetHeight: 1<<32 - 1},
		"Output: there is no surface 2":           &egfx.MapSurfaceToScaledOutput{SurfaceID: 2},
		"CreateSurface: 0×5 pixels":               create(2, 0, 5),
		"CreateSurface: 65535×65535 pixels":       create(2, 65535, 65535),
	} {
		h := open(t, 16, 16)
		h.feed(t, create(1, 8, 4), &egfx.SurfaceToCache{SurfaceID: 1, Slot: 1, Rect: rect16(r)})
		h.refuses(t, want, m)
	}
}

// TestHarmlessCommands: what means nothing changes nothing and ends nothing.
func TestHarmlessCommands(t *testing.T) {
	h := open(t, 16, 16)
	empty := egfx.Rect16{Left: 3, Top: 3, Right: 3, Bottom: 3}
	h.feed(t, create(1, 8, 4), mapTo(1, 0, 0),
		&egfx.DeleteSurface{SurfaceID: 9}, &egfx.EvictCacheEntry{Slot: 9}, &egfx.DeleteEncodingContext{SurfaceID: 9},
		&egfx.SolidFill{SurfaceID: 1, Rects: []egfx.Rect16{empty, {Left: 100, Top: 100, Right: 200, Bottom: 200}}},
		&egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: empty, Points: points(-5, 9999)},
		&egfx.SurfaceToCache{SurfaceID: 1, Slot: 1, Rect: empty}, &egfx.CacheToSurface{Slot: 1, SurfaceID: 1, Points: points(-5, 9999)},
		start(1), start(2), end(1), end(1),
		&egfx.CacheImportReply{Slots: []uint16{1}}, &egfx.CapsAdvertise{}, &egfx.FrameAcknowledge{}, &egfx.MapSurfaceToScaledWindow{})
	if got := h.Stats(); got != (Stats{Frames: 2, Ignored: 4}) || !h.fb.Blank() {
		t.Errorf("%+v", got)
	}
	h.feed(t, solid(1, 0x123456, image.Rect(7, 3, 999, 999)))
	h.shows(t, 0x123456, image.Rect(7, 3, 8, 4))
}

func TestSurfaceBombs(t *testing.T) {
	h := open(t, 16, 16)
	for id := range uint16(maxSurfaces) {
		h.feed(t, create(id, 1, 1))
	}
	h.refuses(t, "there are 1024 surfaces already", create(maxSurfaces, 1, 1))

	h = open(t, 16, 16)
	half := desktop.MaxPixels / 2 / 4096
	h.feed(t, create(1, 4096, half), create(2, 4096, half), create(3, 4096, half))
	h.pixels += desktop.MaxPixels // as if there were more, to spare the memory
	h.refuses(t, "exceed 36864000", create(4, 4096, half))
	h.pixels -= desktop.MaxPixels
	h.feed(t, progressive(1, greyProgressive(0, 0, 0, 0, 9, 9)), progressive(2, greyProgressive(0, 0, 0, 0, 9, 9)))
	h.refuses(t, "WireToSurface2: surfaces of 27648000 pixels exceed 18432000", progressive(3, greyProgressive(0, 0, 0, 0, 9, 9)))
}

func TestCacheBomb(t *testing.T) {
	h := open(t, 16, 16)
	r := image.Rect(0, 0, 1024, 1024) // 4 MB
	store := func(slot uint16) egfx.Message {
		return &egfx.SurfaceToCache{SurfaceID: 1, Slot: slot, Rect: rect16(r)}
	}
	h.feed(t, create(1, 1024, 1024), store(1), store(2), store(3), store(4), store(5), store(6))
	h.feed(t, store(6), store(6), &egfx.EvictCacheEntry{Slot: 5}, store(7)) // no more than before
	if h.cache.bytes != smallCacheBytes {
		t.Errorf("%d bytes", h.cache.bytes)
	}
	h.refuses(t, "4194304 bytes on top of 25165824 exceed 25165824", store(8))
}

func TestPaintBomb(t *testing.T) {
	all := image.Rect(0, 0, 512, 512)
	for name, bomb := range map[string][]egfx.Message{
		"fill":   {solid(1, 0, all, all, all, all)},
		"copy":   {&egfx.SurfaceToSurface{Source: 1, Dest: 1, Rect: rect16(all), Points: points(0, 0, 0, 0, 0, 0, 0, 0)}},
		"paste":  {&egfx.CacheToSurface{Slot: 1, SurfaceID: 1, Points: points(0, 0, 0, 0, 0, 0, 0, 0)}},
		"store":  {store512(), store512(), store512(), store512()},
		"create": {create(2, 512, 512), create(2, 512, 512), create(2, 512, 512), create(2, 512, 512)},
		"reset":  {reset512(), reset512(), reset512(), reset512()},
		"scale": {
			reset512(), &egfx.MapSurfaceToScaledOutput{SurfaceID: 3, TargetWidth: 512, TargetHeight: 512},
			solid(3, 0, image.Rect(0, 0, 1, 1)), end(1), solid(3, 0, image.Rect(0, 0, 1, 1)), end(1), solid(3, 0, image.Rect(0, 0, 1, 1)), end(1),
		},
	} {
		h := open(t, 16, 16)
		h.feed(t, &egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion8, 0)})
		h.feed(t, create(1, 512, 512), store512(), create(3, 1, 1))
		h.budget = 4*512*512 - 1
		if err := h.Message(pack(bomb[0])); name != "fill" && name != "copy" && name != "paste" && err != nil {
			t.Errorf("%s: a part of it: %v", name, err)
		}
		h.refuses(t, "one message paints more than 1048575 pixels", bomb...)
	}
}

func store512() egfx.Message {
	return &egfx.SurfaceToCache{SurfaceID: 1, Slot: 1, Rect: egfx.Rect16{Right: 512, Bottom: 512}}
}
func reset512() egfx.Message { return &egfx.ResetGraphics{Width: 512, Height: 512} }

func TestBrokenMessages(t *testing.T) {
	for want, b := range map[string][]byte{
		"unpacking a message":         {},
		"zgfx: descriptor 0x0":        {0, 4, 1},
		"RDPGFX_HEADER: 3 bytes of 8": zgfx.AppendUncompressed(nil, []byte{1, 2, 3}),
		"pduLength 9 of 8":            zgfx.AppendUncompressed(nil, []byte{1, 0, 0, 0, 9, 0, 0, 0}),
	} {
		h := open(t, 16, 16)
		if err := h.Message(b); err == nil || !contains(err, want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	// Every command with a body cut short.
	for command := egfx.CmdWireToSurface1; command <= egfx.CmdMapSurfaceToScaledWindow; command++ {
		h := open(t, 16, 16)
		ignored := h.dispatch(command, []byte{1}) == nil
		switch command {
		case egfx.CmdFrameAcknowledge, egfx.CmdCacheImportOffer, egfx.CmdCacheImportReply, egfx.CmdCapsAdvertise, 0x14,
			egfx.CmdMapSurfaceToWindow, egfx.CmdQoEFrameAcknowledge, egfx.CmdMapSurfaceToScaledWindow:
			if !ignored {
				t.Errorf("command %d is not ignored", command)
			}
		default:
			if ignored {
				t.Errorf("command %d is accepted with one byte", command)
			}
		}
	}
}

// FuzzCompositor feeds graphics messages; seeds are scripts of the model.
func FuzzCompositor(f *testing.F) {
	for seed := range uint64(4) {
		m := newModel(seed)
		script := start(1).Append(nil)
		for range 12 {
			script = m.step().Append(script)
		}
		f.Add(end(1).Append(script))
	}
	var script []byte
	for _, m := range []egfx.Message{
		&egfx.ResetGraphics{Width: 90, Height: 70}, create(1, 80, 60), mapTo(1, 5, 5), start(1),
		wire1(1, egfx.CodecCAVideo, image.Rect(0, 0, 64, 60), greyVideo(0, 0, 64, 64)),
		progressive(1, greyProgressive(0, 0, 0, 0, 64, 64)), end(1),
		&egfx.MapSurfaceToScaledOutput{SurfaceID: 1, X: 3, Y: 3, TargetWidth: 30, TargetHeight: 200}, &egfx.DeleteEncodingContext{SurfaceID: 1},
	} {
		script = m.Append(script)
	}
	f.Add(script)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := open(t, 64, 64)
		h.budget = 1 << 22
		// In two messages, so that commands outside of frames are shown in between.
		cut := 0
		for rest := b; len(rest) > 0 && cut < len(b)/2; cut = len(b) - len(rest) {
			_, _, next, err := egfx.Next(rest)
			if err != nil {
				break
			}
			rest = next
		}
		for _, part := range [][]byte{b[:cut], b[cut:]} {
			if err := h.commands(part); err != nil {
				if !contains(err, desktop.ErrProtocol.Error()) {
					t.Fatal(err)
				}
				break
			}
		}
		pixels, bytes := 0, 0
		for _, s := range h.order {
			pixels += len(s.pic.Pix) / desktop.BytesPerPixel
			if h.surfaces[s.id] != s {
				t.Fatalf("surface %d is lost", s.id)
			}
		}
		for _, p := range h.cache.bitmaps {
			bytes += cap(p.Pix)
		}
		if pixels != h.pixels || pixels > h.budget*2 || bytes != h.cache.bytes || bytes > h.cache.maxBytes || len(h.order) != len(h.surfaces) {
			t.Fatalf("%d pixels, counted %d; %d bytes in the cache, counted %d", pixels, h.pixels, bytes, h.cache.bytes)
		}
	})
}
