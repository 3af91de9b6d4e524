package rdp

import (
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

func pointerPDUs(t testing.TB) []pduCase {
	return []pduCase{
		{name: "colour", bytes: unhex(t, "0300 0100 0200 0100 0100 0200 0400 aabbcc00 8000"), open: true, pdu: &pointer{
			UpdatePointerColor,
			PointerShape{3, image.Pt(1, 2), 1, 1, 24, []byte{0xaa, 0xbb, 0xcc, 0}, []byte{0x80, 0}},
		}},
		{name: "new", bytes: unhex(t, "2000 0300 0100 0200 0100 0100 0200 0400 aabbccdd 8000"), open: true, pdu: &pointer{
			UpdatePointerNew,
			PointerShape{3, image.Pt(1, 2), 1, 1, 32, []byte{0xaa, 0xbb, 0xcc, 0xdd}, []byte{0x80, 0}},
		}},
		{name: "large", bytes: unhex(t, "2000 0300 0100 0200 0100 0100 02000000 04000000 aabbccdd 8000"), open: true, pdu: &pointer{
			UpdatePointerLarge,
			PointerShape{3, image.Pt(1, 2), 1, 1, 32, []byte{0xaa, 0xbb, 0xcc, 0xdd}, []byte{0x80, 0}},
		}},
		{name: "without AND mask", bytes: unhex(t, "2000 0000 0000 0000 0100 0100 0000 0400 aabbccdd"), open: true, pdu: &pointer{
			UpdatePointerNew,
			PointerShape{0, image.Point{}, 1, 1, 32, []byte{0xaa, 0xbb, 0xcc, 0xdd}, []byte{}},
		}},
		{name: "of no size", bytes: unhex(t, "0100 0000 0000 0000 0000 0000 0000 0000"), open: true, pdu: &pointer{
			UpdatePointerNew,
			PointerShape{0, image.Point{}, 0, 0, 1, []byte{}, []byte{}},
		}},
		written384(),
	}
}

func written384() pduCase {
	c := written("of the largest size", &pointer{UpdatePointerLarge, PointerShape{
		Width: MaxPointerSide, Height: MaxPointerSide, BitsPerPixel: 32,
		XOR: make([]byte, 4*MaxPointerSide*MaxPointerSide), AND: make([]byte, MaxPointerSide*MaxPointerSide/8),
	}})
	c.open = true
	return c
}

func TestPointerMalformed(t *testing.T) {
	colour, shape, large := &pointer{code: UpdatePointerColor}, &pointer{code: UpdatePointerNew}, &pointer{code: UpdatePointerLarge}
	refuseAll(t, []malformed{
		{"385 wide", shape, unhex(t, "0100 0000 0000 0000 8101 0000 0000 0000"), "pointer of 385×0 pixels exceeds 384 a side"},
		{"65535 high", colour, unhex(t, "0000 0000 0000 0100 ffff 0000 0000"), "pointer of 1×65535 pixels"},
		{"no bits", shape, unhex(t, "0000 0000 0000 0000 0100 0100 0000 0000"), "pointer of 0 bits a pixel"},
		{"15 bits", shape, unhex(t, "0f00 0000 0000 0000 0100 0100 0000 0200 0000"), "pointer of 15 bits a pixel"},
		{"XOR mask short", shape, unhex(t, "2000 0000 0000 0000 0100 0200 0000 0700 00000000000000"), "XOR mask of 7 bytes, need 8"},
		{"XOR mask without padding", colour, unhex(t, "0000 0000 0000 0100 0100 0000 0300 000000"), "XOR mask of 3 bytes, need 4"},
		{"AND mask short", shape, unhex(t, "2000 0000 0000 0000 0100 0200 0300 0800 0000000000000000 000000"), "AND mask of 3 bytes, need 4"},
		{"masks beyond the end", shape, unhex(t, "2000 0000 0000 0000 0100 0100 0000 ffff 00000000"), "65535 bytes wanted"},
		{"masks of 4 GB", large, unhex(t, "2000 0000 0000 0000 0100 0100 ffffffff ffffffff 00000000"), "bytes wanted"},
		{"header cut", large, unhex(t, "2000 0000 0000 0000 0100 0100 00000000 0000"), "TS_COLORPOINTERATTRIBUTE"},
	})
}

func TestDecodePointer(t *testing.T) {
	for text, want := range map[string]UpdateCode{
		"0100 0000 00000000": UpdatePointerHidden, "0100 0000 007f0000": UpdatePointerDefault, "0300 0000 01000200": UpdatePointerPosition,
		"0600 0000 aa": UpdatePointerColor, "0700 0000 0100": UpdatePointerCached, "0800 0000": UpdatePointerNew, "0900 0000": UpdatePointerLarge,
	} {
		b := unhex(t, text)
		if u, err := DecodePointer(b); err != nil || u.Code != want || string(u.Data) != string(b[4:]) {
			t.Errorf("%s: %+v, want %d: %v", text, u, want, err)
		}
	}
	for _, text := range []string{"", "0100", "0100 0000 0000", "0200 0000", "0a00 0000"} {
		if _, err := DecodePointer(unhex(t, text)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if p, err := DecodePointerPosition(unhex(t, "0102 0304")); err != nil || p != image.Pt(0x201, 0x403) {
		t.Errorf("position %v: %v", p, err)
	}
	if i, err := DecodePointerCached(unhex(t, "0102")); err != nil || i != 0x201 {
		t.Errorf("cache index %d: %v", i, err)
	}
	_, err1 := DecodePointerPosition(unhex(t, "010203"))
	_, err2 := DecodePointerCached(unhex(t, "01"))
	if !allowed(err1) || !allowed(err2) {
		t.Errorf("short: %v, %v", err1, err2)
	}
}

// legend is how the pictures below are written: a letter a pixel, rows separated by blanks.
var legend = map[color.NRGBA]byte{
	{}: '.', {0, 0, 0, 0xff}: 'K', {0xff, 0xff, 0xff, 0xff}: 'W', {0xff, 0, 0, 0xff}: 'R', {0, 0xff, 0, 0xff}: 'G', {0, 0, 0xff, 0xff}: 'B',
	{0xff, 0, 0, 0x80}: 'r', {0, 0, 0xff, 0x10}: 'b',
}

func draw(t *testing.T, img *image.NRGBA) string {
	t.Helper()
	var s strings.Builder
	for y := range img.Bounds().Dy() {
		if y > 0 {
			s.WriteByte(' ')
		}
		for x := range img.Bounds().Dx() {
			letter, ok := legend[img.NRGBAAt(x, y)]
			if !ok {
				t.Errorf("pixel %d,%d is %v", x, y, img.NRGBAAt(x, y))
				letter = '?'
			}
			s.WriteByte(letter)
		}
	}
	return s.String()
}

func TestPointerImage(t *testing.T) {
	palette := &Palette{1: {0, 0, 0xff, 0}, 2: {0xff, 0, 0, 0}, 15: {0, 0xff, 0, 0}, 200: {0, 0xff, 0, 0}}
	for _, c := range []struct {
		name          string
		width, height int
		bits          int
		xor, and      string
		palette       *Palette
		want          string
	}{
		// Monochrome comes top row first, everything else bottom row first.
		{"1 bit: black, white, nothing", 3, 2, 1, "4000 0000", "2000 e000", nil, "KW. ..."},
		{"1 bit: inverting with a rim", 3, 3, 1, "0000 4000 0000", "e000 e000 e000", nil, ".W. WKW .W."},
		{"1 bit: the rim covers nothing", 3, 1, 1, "4000", "4000", nil, "KKK"},
		{"1 bit: nine wide", 9, 1, 1, "8080", "0000", nil, "WKKKKKKKW"},
		{"4 bits", 3, 1, 4, "12f0", "0000", palette, "RBG"},
		{"4 bits without palette", 3, 1, 4, "0120", "0000", nil, "KWW"},
		{"8 bits, two rows", 1, 2, 8, "0100 c800", "0000 0000", palette, "G R"},
		{"8 bits without palette", 2, 1, 8, "00c8", "0000", nil, "KW"},
		{"16 bits are 5 5 5", 3, 1, 16, "007c e003 1f00", "0000", nil, "RGB"},
		{"16 bits: nothing and inverting", 3, 1, 16, "0000 ff7f 0000", "e000", nil, "WKW"},
		{"24 bits, padded rows", 1, 2, 24, "0000ff00 ff000000", "0000 0000", nil, "B R"},
		{"24 bits, transparent", 2, 1, 24, "000000 0000ff", "8000", nil, ".R"},
		{"32 bits with alpha", 3, 1, 32, "0000ff80 ff000010 00000000", "0000", nil, "rb."},
		{"32 bits: alpha beats the mask", 2, 1, 32, "0000ff80 00000000", "c000", nil, "r."},
		{"32 bits without alpha", 2, 1, 32, "0000ff00 00000000", "4000", nil, "R."},
		{"32 bits without alpha, black", 2, 1, 32, "00000000 00000000", "4000", nil, "K."},
		{"32 bits without alpha, inverting", 3, 1, 32, "0000ff00 ffffff00 00000000", "6000", nil, "RKW"},
		{"32 bits without a mask", 2, 1, 32, "0000ffff 00000000", "", nil, "R."},
		{"24 bits without a mask", 1, 1, 24, "0000ff00", "", nil, "R"},
		{"nothing at all", 0, 0, 32, "", "", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := PointerShape{Width: c.width, Height: c.height, BitsPerPixel: c.bits, XOR: unhex(t, c.xor), AND: unhex(t, c.and)}
			var p PointerShape
			if err := p.Decode(UpdatePointerNew, in.Append(UpdatePointerNew, nil)); err != nil {
				t.Fatal(err)
			}
			img := p.Image(c.palette)
			if img.Bounds() != image.Rect(0, 0, c.width, c.height) {
				t.Fatalf("bounds %v", img.Bounds())
			}
			if got := draw(t, img); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
