package rdp

import (
	"errors"
	"image"
	"slices"
	"testing"
)

func bitmapPDUs(t testing.TB) []pduCase {
	var palette Palette
	raw := unhex(t, "0200 0000 00010000")
	for i := range palette {
		palette[i] = [4]byte{byte(i), byte(i + 1), byte(i + 2), 0}
		raw = append(raw, byte(i+2), byte(i+1), byte(i))
	}
	return []pduCase{
		{name: "none", bytes: unhex(t, "0100 0000"), pdu: &bitmaps{}, open: true},
		{
			name: "raw and compressed", bytes: unhex(t, `0100 0200
			0a00 1400 0b00 1400 0200 0100 2000 0000 0400 01020304
			0000 0000 ff07 ff07 0008 0008 1000 0104 0100 aa`), open: true,
			pdu: &bitmaps{[]Bitmap{
				{Dest: image.Rect(10, 20, 12, 21), Width: 2, Height: 1, BitsPerPixel: 32, Data: []byte{1, 2, 3, 4}},
				{Dest: image.Rect(0, 0, 2048, 2048), Width: 2048, Height: 2048, BitsPerPixel: 16, Compressed: true, Data: []byte{0xaa}},
			}},
		},
		{
			name: "with a compression header", bytes: unhex(t, `0100 0100
			0000 0000 0000 0000 0400 0100 1000 0100 0900 0000010004000800 bb`), open: true, once: true,
			pdu: &bitmaps{[]Bitmap{{Dest: image.Rect(0, 0, 1, 1), Width: 4, Height: 1, BitsPerPixel: 16, Compressed: true, Data: []byte{0xbb}}}},
		},
		{
			name: "at the far corner", bytes: unhex(t, "0100 0100 ffff ffff ffff ffff 0100 0100 1800 0000 0000"), open: true,
			pdu: &bitmaps{[]Bitmap{{Dest: image.Rect(65535, 65535, 65536, 65536), Width: 1, Height: 1, BitsPerPixel: 24, Data: []byte{}}}},
		},
		{name: "palette", bytes: raw, pdu: &palette, open: true},
	}
}

func TestBitmapsMalformed(t *testing.T) {
	m, p := &bitmaps{}, &Palette{}
	refuseAll(t, []malformed{
		{"palette for a bitmap", m, unhex(t, "0200 0000"), "update type 2, want 1"},
		{"too many", m, unhex(t, "0100 390e"), "3641 rectangles exceed"},
		{"65535", m, unhex(t, "0100 ffff"), "65535 rectangles exceed"},
		{"fewer than counted", m, unhex(t, "0100 0100"), "TS_UPDATE_BITMAP_DATA"},
		// CVE-2021-41160: rectangles without an area.
		{"right before left", m, unhex(t, "0100 0100 0100 0000 0000 0000 0100 0100 2000 0000 0000"), "rectangle from 1,0 to 0,0"},
		{"bottom before top", m, unhex(t, "0100 0100 0000 0100 0000 0000 0100 0100 2000 0000 0000"), "rectangle from 0,1 to 0,0"},
		{"wider than its picture", m, unhex(t, "0100 0100 0000 0000 0100 0000 0100 0100 2000 0000 0000"), "rectangle of 2×1, picture of 1×1"},
		{"picture of nothing", m, unhex(t, "0100 0100 0000 0000 0000 0000 0000 0000 2000 0000 0000"), "picture of 0×0"},
		{"data beyond the end", m, unhex(t, "0100 0100 0000 0000 0000 0000 0100 0100 2000 0000 ffff"), "65535 bytes wanted"},
		{"compression header cut", m, unhex(t, "0100 0100 0000 0000 0000 0000 0100 0100 1000 0100 0700 00000000000000"), "has no header of 8"},
		{"bitmap for a palette", p, unhex(t, "0100 0000 00010000"), "update type 1"},
		{"palette of 16", p, unhex(t, "0200 0000 10000000"), "with 16 colours"},
		{"palette of 4 billion", p, unhex(t, "0200 0000 ffffffff"), "with 4294967295 colours"},
		{"palette cut", p, unhex(t, "0200 0000 00010000 00"), "768 bytes wanted"},
	})
}

func TestBitmapsHandlerError(t *testing.T) {
	stop, calls := errors.New("stop"), 0
	one := Bitmap{Dest: image.Rect(0, 0, 1, 1), Width: 1, Height: 1, BitsPerPixel: 32, Data: make([]byte, 4)}
	err := DecodeBitmaps(AppendBitmaps(nil, slices.Repeat([]Bitmap{one}, 3)), func(Bitmap) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls: %v", calls, err)
	}
}

func TestDecodeGraphics(t *testing.T) {
	for _, want := range []uint16{GraphicsOrders, GraphicsBitmap, GraphicsPalette, GraphicsSynchronize, 0xffff} {
		if got, err := DecodeGraphics([]byte{byte(want), byte(want >> 8), 9}); got != want || err != nil {
			t.Errorf("%d became %d: %v", want, got, err)
		}
	}
	if _, err := DecodeGraphics([]byte{1}); !allowed(err) {
		t.Errorf("one byte: %v", err)
	}
}
