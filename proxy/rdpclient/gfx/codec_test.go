package gfx

import (
	"encoding/binary"
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// block is a block of RemoteFX or RemoteFX Progressive: type, length, body.
func block(kind uint16, parts ...any) []byte {
	body := concat(parts...)
	b := binary.LittleEndian.AppendUint16(nil, kind)
	return append(binary.LittleEndian.AppendUint32(b, uint32(6+len(body))), body...)
}

// concat strings numbers of their own width and bytes together.
func concat(parts ...any) (b []byte) {
	for _, p := range parts {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, p); err != nil {
			panic(err)
		}
	}
	return b
}

var quants = []byte{0x66, 0x66, 0x66, 0x66, 0x66}

// greyVideo is a RemoteFX message ([MS-RDPRFX] 2.2.2) of one tile without coefficients, which is grey, seen through one
// rectangle.
func greyVideo(x, y, w, h uint16) []byte {
	tile := block(0xcac3, []byte{0, 0, 0}, uint16(0), uint16(0), uint16(0), uint16(0), uint16(0))
	return concat(
		block(0xccc0, uint32(0xcaccacca), uint16(0x0100)), block(0xccc1, []byte{1, 1}, uint16(0x0100)),
		block(0xccc2, []byte{1, 0}, uint16(64), uint16(64)), block(0xccc3, []byte{1, 0xff, 0}, uint16(64), uint16(0x0228)),
		block(0xccc4, []byte{1, 0}, uint32(0), uint16(1)),
		block(0xccc6, []byte{1, 0, 1}, uint16(1), x, y, w, h, uint16(0xcac1), uint16(1)),
		block(0xccc7, []byte{1, 0}, uint16(0xcac2), uint16(0), uint16(0x0451), []byte{1, 64}, uint16(1), uint32(len(tile)), quants, tile),
		block(0xccc5, []byte{1, 0}),
	)
}

// greyProgressive is the same as RemoteFX Progressive ([MS-RDPEGFX] 2.2.4.2), with the tile at a place.
func greyProgressive(col, row, x, y, w, h uint16) []byte {
	tile := block(0xccc5, []byte{0, 0, 0}, col, row, []byte{0}, uint16(0), uint16(0), uint16(0), uint16(0))
	return concat(
		block(0xccc0, uint32(0xcaccacca), uint16(0x0100)), block(0xccc3, []byte{0}, uint16(64), []byte{0}),
		block(0xccc1, uint32(0), uint16(1)),
		block(0xccc4, []byte{64}, uint16(1), []byte{1, 0, 0}, uint16(1), uint32(len(tile)), x, y, w, h, quants, tile),
		block(0xccc2),
	)
}

func progressive(id uint16, data []byte) *egfx.WireToSurface2 {
	return &egfx.WireToSurface2{SurfaceID: id, Codec: egfx.CodecCAProgressive, ContextID: 5, PixelFormat: egfx.FormatXRGB, Data: data}
}

// shows compares the framebuffer with one colour in r, or in what there is of it, and black around it.
func (h *harness) shows(t *testing.T, colour uint32, r image.Rectangle) {
	t.Helper()
	pix, size := h.fb.CopyPixels()
	for y := range size.Y {
		for x := range size.X {
			got, want := binary.LittleEndian.Uint32(pix[(y*size.X+x)*4:])&0xffffff, uint32(0)
			if image.Pt(x, y).In(r) {
				want = colour
			}
			if got != want {
				t.Fatalf("%d,%d is %06x, want %06x", x, y, got, want)
			}
		}
	}
}

func TestCodecs(t *testing.T) {
	uncompressed := pixel.NewBGRX(8, 4)
	fill(uncompressed, [4]byte{0x33, 0x22, 0x11})
	residual := concat([]byte{0, 0}, uint32(4), uint32(0), uint32(0), []byte{0x33, 0x22, 0x11, 32})
	at := image.Rect(10, 20, 18, 24)
	for name, c := range map[string]struct {
		message egfx.Message
		colour  uint32
		r       image.Rectangle
	}{
		"uncompressed": {wire1(1, egfx.CodecUncompressed, at, uncompressed.Pix), 0x112233, at},
		"planar":       {wire1(1, egfx.CodecPlanar, at, concat([]byte{0x20}, make([]byte, 32), fillBytes(0x22, 32), fillBytes(0x33, 32))), 0x002233, at},
		"clearcodec":   {wire1(1, egfx.CodecClearCodec, at, residual), 0x112233, at},
		"remotefx": {
			wire1(1, egfx.CodecCAVideo, image.Rect(30, 20, 90, 60), greyVideo(3, 4, 20, 10)), 0x808080,
			image.Rect(33, 24, 53, 34),
		},
		"remotefx, cut": {
			wire1(1, egfx.CodecCAVideo, image.Rect(30, 20, 40, 30), greyVideo(3, 4, 20, 10)), 0x808080,
			image.Rect(33, 24, 40, 30),
		},
		"progressive": {progressive(1, greyProgressive(1, 0, 64, 3, 9, 9)), 0x808080, image.Rect(64, 3, 73, 12)},
		"alpha":       {wire1(1, egfx.CodecAlpha, at, concat([]byte("LA\x01\x00"), []byte{0x80, 32})), 0, at},
		"nothing":     {wire1(1, egfx.CodecPlanar, image.Rect(9, 9, 9, 12), nil), 0, at},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, 100, 70)
			h.feed(t, create(1, 90, 60), mapTo(1, 0, 0), start(1), c.message, end(1))
			h.shows(t, c.colour, c.r)
		})
	}
}

func fillBytes(v byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = v
	}
	return b
}

// TestProgressiveState: it belongs to the surface, outlives contexts, and goes with the surface.
func TestProgressiveState(t *testing.T) {
	h := open(t, 64, 64)
	h.feed(t, create(1, 64, 64), mapTo(1, 0, 0), progressive(1, greyProgressive(0, 0, 0, 0, 64, 64)))
	state := h.surfaces[1].progressive
	h.feed(t, &egfx.DeleteEncodingContext{SurfaceID: 1, ContextID: 5}, progressive(1, greyProgressive(0, 0, 0, 0, 64, 64)))
	if state == nil || h.surfaces[1].progressive != state {
		t.Error("the tiles are gone with the context")
	}
	h.feed(t, &egfx.DeleteSurface{SurfaceID: 1}, create(1, 64, 64))
	if h.surfaces[1].progressive != nil {
		t.Error("the tiles outlived the surface")
	}
}

func TestBadBitmaps(t *testing.T) {
	at := image.Rect(0, 0, 8, 4)
	for want, m := range map[string]egfx.Message{
		"H.264 (codec 0xb), which was not offered": wire1(1, egfx.CodecAVC420, at, nil),
		"H.264 (codec 0xe), which was not offered": wire1(1, egfx.CodecAVC444, at, nil),
		"H.264 (codec 0xf), which was not offered": wire1(1, egfx.CodecAVC444v2, at, nil),
		"unknown codec 0x63":                       wire1(1, 0x63, at, nil),
		"unknown codec 0x9":                        wire1(1, egfx.CodecCAProgressive, at, nil),
		"unknown codec 0xa":                        &egfx.WireToSurface2{SurfaceID: 1, Codec: egfx.CodecPlanar, PixelFormat: egfx.FormatXRGB},
		"127 bytes uncompressed for 8×4 pixels":    wire1(1, egfx.CodecUncompressed, at, make([]byte, 127)),
		"rdpbitmap: ":                              wire1(1, egfx.CodecPlanar, at, []byte{0x20}),
		"clearcodec: ":                             wire1(1, egfx.CodecClearCodec, at, []byte{0}),
		"WireToSurface1: desktop: protocol error from the target: remotefx: ": wire1(1, egfx.CodecCAVideo, at, []byte{0}),
		"WireToSurface2: desktop: protocol error from the target: remotefx: ": progressive(1, []byte{0}),
		"WireToSurface1: there is no surface 2":                               wire1(2, egfx.CodecPlanar, at, nil),
		"WireToSurface2: there is no surface 2":                               progressive(2, nil),
		"WireToSurface1: (0,0)-(8,5) leaves surface 1 of 8×4 pixels":          wire1(1, egfx.CodecPlanar, image.Rect(0, 0, 8, 5), nil),
		"WireToSurface1: (1,0)-(9,4) leaves surface 1 of 8×4 pixels":          wire1(1, egfx.CodecCAVideo, image.Rect(1, 0, 9, 4), nil),
	} {
		h := open(t, 16, 16)
		h.feed(t, create(1, 8, 4), mapTo(1, 0, 0))
		h.refuses(t, want, m)
	}
}
