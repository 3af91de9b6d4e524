package rdpbitmap

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// unhex reads bytes written with spaces and comments in parentheses.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	for {
		before, after, ok := strings.Cut(s, "(")
		if !ok {
			break
		}
		_, after, _ = strings.Cut(after, ")")
		s = before + after
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// orderCases have pixels of 24 bits, in the order of the data (the picture's lowest row first).
var orderCases = []struct {
	name   string
	width  int
	height int
	data   string
	want   string // pixels as RRGGBB, rows of the data separated by /
}{
	{"background run, first row: black", 4, 1, "04", "000000 000000 000000 000000"},
	{"background run: above", 2, 2, "82 010203 040506 02", "030201 060504 / 030201 060504"},
	{"background run, long form", 40, 1, "00 08", strings.Repeat("000000 ", 40)},
	{"background run, mega", 4, 1, "f0 0400", "000000 000000 000000 000000"},
	{"background after background inserts the foreground", 4, 1, "02 02", "000000 000000 ffffff 000000"},
	{"and changes above with it", 4, 2, "64 f00f01 02 02", "010ff0 010ff0 010ff0 010ff0 / 010ff0 010ff0 fef00f 010ff0"},
	{"but not at the start of the second row", 2, 2, "02 02", "000000 000000 / 000000 000000"},
	{"nor after another order", 4, 1, "01 61 010101 02", "000000 010101 000000 000000"},
	{"a mega run is no exception", 4, 1, "f0 0200 f0 0200", "000000 000000 ffffff 000000"},
	{"a run of one inserts and ends", 3, 1, "01 01 fe", "000000 ffffff 000000"},
	{"foreground run, first row", 3, 1, "23", "ffffff ffffff ffffff"},
	{"foreground run: above changed", 2, 2, "62 0f0f0f 22", "0f0f0f 0f0f0f / f0f0f0 f0f0f0"},
	{"foreground run, long form", 33, 1, "20 01", strings.Repeat("ffffff ", 33)},
	{"foreground run, mega", 2, 1, "f1 0200", "ffffff ffffff"},
	{"foreground run that sets", 3, 1, "c2 010203 21", "030201 030201 030201"},
	{"foreground run that sets, long form", 20, 1, "c0 04 010203", strings.Repeat("030201 ", 20)},
	{"foreground run that sets, mega", 3, 1, "f6 0200 010203 21", "030201 030201 030201"},
	{"mask, lowest bit first", 8, 1, "41 0d", "ffffff 000000 ffffff ffffff 000000 000000 000000 000000"},
	{"mask: above changed", 8, 2, "68 0f0f0f 41 81", "0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f / f0f0f0 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f f0f0f0"},
	{"mask, long form counts pixels", 3, 1, "40 02 05", "ffffff 000000 ffffff"},
	{"mask, mega", 9, 1, "f2 0900 01 01", "ffffff 000000 000000 000000 000000 000000 000000 000000 ffffff"},
	{"mask that sets", 8, 1, "d1 010203 03", "030201 030201 000000 000000 000000 000000 000000 000000"},
	{"mask that sets, long form", 2, 1, "d0 01 010203 02", "000000 030201"},
	{"mask that sets, mega", 2, 1, "f7 0200 010203 01", "030201 000000"},
	{"mask across rows, from the second on", 3, 3, "63 0f0f0f 40 05 29", "0f0f0f 0f0f0f 0f0f0f / f0f0f0 0f0f0f 0f0f0f / 0f0f0f 0f0f0f f0f0f0"},
	{"mask across the first row's end knows no above", 2, 2, "61 0f0f0f 40 02 06", "0f0f0f 000000 / ffffff ffffff"},
	{"background across the first row's end is black", 2, 2, "61 0f0f0f 03", "0f0f0f 000000 / 000000 000000"},
	{"foreground across the first row's end is plain", 2, 2, "61 0f0f0f 23", "0f0f0f ffffff / ffffff ffffff"},
	{"colour run", 2, 1, "62 010203", "030201 030201"},
	{"colour run, long form", 32, 1, "60 00 010203", strings.Repeat("030201 ", 32)},
	{"colour run, mega, across rows", 2, 2, "f3 0400 010203", "030201 030201 / 030201 030201"},
	{"colour image", 2, 2, "84 010203 040506 070809 0a0b0c", "030201 060504 / 090807 0c0b0a"},
	{"colour image, long form", 32, 1, "80 00 " + strings.Repeat("010203", 32), strings.Repeat("030201 ", 32)},
	{"colour image, mega", 1, 2, "f4 0200 010203 040506", "030201 / 060504"},
	{"dithered run counts pairs", 4, 1, "e2 010203 040506", "030201 060504 030201 060504"},
	{"dithered run, long form", 32, 1, "e0 00 010203 040506", strings.Repeat("030201 060504 ", 16)},
	{"dithered run, mega, across odd rows", 3, 2, "f8 0300 010203 040506", "030201 060504 030201 / 060504 030201 060504"},
	{"special mask 1", 8, 1, "f9", "ffffff ffffff 000000 000000 000000 000000 000000 000000"},
	{"special mask 2", 8, 1, "fa", "ffffff 000000 ffffff 000000 000000 000000 000000 000000"},
	{"special mask: above changed", 8, 2, "68 0f0f0f f9", "0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f / f0f0f0 f0f0f0 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f 0f0f0f"},
	{"special masks have the foreground that was set", 9, 1, "c1 010203 fa", "030201 030201 000000 030201 000000 000000 000000 000000 000000"},
	{"white and black", 2, 1, "fd fe", "ffffff 000000"},
	{"white stays white after the foreground was set", 2, 1, "c1 010203 fd", "030201 ffffff"},
	{"empty mega runs", 1, 1, "f1 0000 f2 0000 f3 0000 010203 f4 0000 f8 0000 010203 010203 fd", "ffffff"},
	{"what is missing is black", 2, 2, "fd", "ffffff 000000 / 000000 000000"},
	{"nothing at all", 1, 1, "", "000000"},
}

// wanted returns the picture of a case.
func wanted(t testing.TB, width, height int, s string) pixel.BGRX {
	t.Helper()
	p := pixel.NewBGRX(width, height)
	rows := strings.Split(s, "/")
	if len(rows) != height {
		t.Fatalf("%d rows, want %d", len(rows), height)
	}
	for i, row := range rows {
		fields := strings.Fields(row)
		if len(fields) != width {
			t.Fatalf("%d pixels, want %d", len(fields), width)
		}
		for x, f := range fields {
			b := unhex(t, f)
			copy(p.Row(height - 1 - i)[4*x:], []byte{b[2], b[1], b[0]})
		}
	}
	return p
}

func TestOrders(t *testing.T) {
	for _, c := range orderCases {
		t.Run(c.name, func(t *testing.T) {
			want := wanted(t, c.width, c.height, c.want)
			b := Bitmap{Width: c.width, Height: c.height, BitsPerPixel: 24, BottomUp: true, Data: unhex(t, c.data)}
			var d Decoder
			got := dirty(c.width, c.height)
			if err := d.Interleaved(got, b); err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			// Through the spare rows.
			got = dirty(c.width-1, c.height)
			if err := d.Interleaved(got, b); err != nil {
				t.Fatal(err)
			}
			same(t, got, want.Sub(0, 0, c.width-1, c.height))
			// Upside down.
			b.BottomUp = false
			got = dirty(c.width, c.height)
			if err := d.Interleaved(got, b); err != nil {
				t.Fatal(err)
			}
			for y := range c.height {
				same(t, got.Sub(0, y, c.width, 1), want.Sub(0, c.height-1-y, c.width, 1))
			}
		})
	}
}

// TestDepths draws white, the foreground of the start, an exclusive or of it and one colour at each depth.
func TestDepths(t *testing.T) {
	var palette Palette
	for i := range palette {
		palette[i] = [4]byte{byte(i), byte(2 * i), byte(3 * i), 0}
	}
	cases := []struct {
		bits int
		data string
		want string
	}{
		{8, "fd 21 61 0f / fd 21 21", "fdfeff fdfeff 2d1e0f / fdfeff 000000 d0e0f0"},
		{15, "fd 21 61 007c / fd 21 21", "ffffff ffffff ff0000 / ffffff 000000 00ffff"},
		{15, "62 e003 61 1f00 / 23", "00ff00 00ff00 0000ff / ff00ff ff00ff ffff00"},
		{16, "fd 21 61 00f8 / fd 21 21", "ffffff ffffff ff0000 / ffffff 000000 00ffff"},
		{16, "61 e007 61 2108 61 1084 / 23", "00ff00 080408 848284 / ff00ff f7fbf7 7b7d7b"},
		{24, "fd 21 61 0000ff / fd 21 21", "ffffff ffffff ff0000 / ffffff 000000 00ffff"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.bits), func(t *testing.T) {
			var d Decoder
			for cut := range 2 {
				got := dirty(3-cut, 2)
				data := unhex(t, strings.ReplaceAll(c.data, "/", ""))
				b := Bitmap{Width: 3, Height: 2, BitsPerPixel: c.bits, BottomUp: true, Palette: &palette, Data: data}
				if err := d.Interleaved(got, b); err != nil {
					t.Fatal(err)
				}
				same(t, got, wanted(t, 3, 2, c.want).Sub(0, 0, 3-cut, 2))
			}
		})
	}
}

var interleavedMalformed = []struct {
	name string
	bits int
	data string
}{
	{"reserved order 5", 24, "a1"},
	{"reserved header f5", 24, "f5 0100 010203"},
	{"reserved header fb", 24, "fb"},
	{"reserved header fc", 24, "fc"},
	{"reserved header ff", 24, "ff"},
	{"no length", 24, "00"},
	{"no length of a mask", 24, "40"},
	{"no length of a lite order", 24, "c0"},
	{"half a mega length", 24, "f0 01"},
	{"no mega length", 24, "f0"},
	{"no colour", 24, "61"},
	{"half a colour", 24, "61 0102"},
	{"half a colour of 16 bits", 16, "61 01"},
	{"no colour of 8 bits", 8, "61"},
	{"half a foreground", 24, "c1 0102"},
	{"a foreground and half a mask", 24, "f7 0900 010203 01"},
	{"one dithered colour", 24, "e1 010203"},
	{"colour image cut short", 24, "82 010203"},
	{"no mask", 24, "41"},
	{"background beyond the bitmap", 24, "1f"},
	{"foreground beyond the bitmap", 24, "3f"},
	{"mega run beyond the bitmap", 24, "f3 ffff 010203"},
	{"mask beyond the bitmap", 24, "43 ff ff ff"},
	{"special mask beyond the bitmap", 24, "09 f9"},
	{"dithered run beyond the bitmap", 24, "e9 010203 040506"},
	{"colour image beyond the bitmap", 24, "f4 1100" + strings.Repeat("00", 51)},
	{"white beyond the bitmap", 24, "10 fd"},
	{"empty background run after another", 24, "01 f0 0000"},
}

func TestInterleavedMalformed(t *testing.T) {
	for _, c := range interleavedMalformed {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			b := Bitmap{Width: 8, Height: 2, BitsPerPixel: c.bits, Palette: &Palette{}, Data: unhex(t, c.data)}
			if err := d.Interleaved(dirty(8, 2), b); !errors.Is(err, ErrData) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestBitmapMalformed(t *testing.T) {
	cases := []struct {
		name string
		b    Bitmap
	}{
		{"1 bit", Bitmap{Width: 8, Height: 2, BitsPerPixel: 1}},
		{"negative bits", Bitmap{Width: 8, Height: 2, BitsPerPixel: -8}},
		{"no palette", Bitmap{Width: 8, Height: 2, BitsPerPixel: 8}},
		{"too narrow", Bitmap{Width: 7, Height: 2, BitsPerPixel: 24}},
		{"too low", Bitmap{Width: 8, Height: 1, BitsPerPixel: 24}},
		{"too wide", Bitmap{Width: maxSide + 1, Height: 2, BitsPerPixel: 24}},
		{"too high", Bitmap{Width: 8, Height: maxSide + 1, BitsPerPixel: 24}},
		{"too many pixels", Bitmap{Width: 8192, Height: 4097, BitsPerPixel: 24}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			c.b.Data = []byte{0xFE}
			for name, decode := range map[string]func(pixel.BGRX, Bitmap) error{
				"Raw": d.Raw, "Interleaved": d.Interleaved, "Planar": d.Planar, "NSCodec": d.NSCodec,
			} {
				if err := decode(dirty(8, 2), c.b); !errors.Is(err, ErrData) {
					t.Errorf("%s: error %v", name, err)
				}
			}
		})
	}
	var d Decoder
	bad := pixel.BGRX{Pix: make([]byte, 3), Stride: 4, Width: 1, Height: 1}
	if err := d.Planar(bad, Bitmap{Width: 1, Height: 1, Data: []byte{0x20, 1, 2, 3}}); err == nil {
		t.Error("drew into a destination without pixels")
	}
	if err := d.Interleaved(dirty(8, 2), Bitmap{Width: 8, Height: 2, BitsPerPixel: 32}); !errors.Is(err, ErrData) {
		t.Errorf("32 bits interleaved: %v", err)
	}
}
