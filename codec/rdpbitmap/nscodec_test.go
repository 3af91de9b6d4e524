package rdpbitmap

import (
	"encoding/binary"
	"errors"
	"testing"
)

// nscExample is the picture of 15×10 pixels in [MS-RDPNSC] 4.
var nscExample = []byte("" +
	"\x71\x00\x00\x00\x07\x00\x00\x00\x0b\x00\x00\x00\x07\x00\x00\x00\x03\x01\x00\x00\x63\x63\x01\x64\x64\x00\x63\x63\x02\x64\x64\x00" +
	"\x63\x63\x00\x64\x64\x01\x63\x63\x01\x64\x64\x01\x63\x63\x01\x64\x64\x00\x63\x63\x00\x64\x64\x01\x63\x63\x00\x64\x64\x0c\x63\x63" +
	"\x00\x64\x64\x0c\x63\x63\x00\x64\x64\x0c\x63\x63\x00\x64\x64\x0c\x63\x64\x64\x04\x63\x64\x63\x63\x00\x64\x64\x03\x63\x64\x64\x03" +
	"\x63\x63\x00\x64\x63\x63\x00\x64\x64\x03\x65\x63\x64\x64\x01\x63\x64\x64\x00\x65\x64\x64\x06\x63\x64\x64\x00\x63\x63\x00\x64\x64" +
	"\x04\x64\x65\x65\x65\x22\x22\x22\x22\x22\x22\x22\x37\x37\x19\x36\x37\x37\x06\x37\x37\x37\x37\xff\xff\x90\xff\xff\xff\xff")

func TestNSCodecExample(t *testing.T) {
	var d Decoder
	for _, up := range []bool{false, true} {
		got := dirty(15, 10)
		if err := d.NSCodec(got, Bitmap{Width: 15, Height: 10, BottomUp: up, Data: nscExample}); err != nil {
			t.Fatal(err)
		}
		// Of the luma plane's sixteen columns the last is padding: 63 63 63 64 64 63 63 63 63 64 64 63 63 64 64 (64).
		// Orange is 22 shifted left by two in eight bits, -120; green 37, -36.
		y := 0
		if up {
			y = 9
		}
		for x, luma := range []int{0x63, 0x63, 0x63, 0x64, 0x64, 0x63, 0x63, 0x63, 0x63, 0x64, 0x64, 0x63, 0x63, 0x64, 0x64} {
			want := uint32(luma-120+36)<<16 | uint32(luma-36)<<8 | uint32(min(luma+120+36, 255))
			if v := at(got, x, y); v != want {
				t.Errorf("pixel %d is %06x, want %06x", x, v, want)
			}
		}
	}
}

// nscBitmap makes data of planes, luma first.
func nscBitmap(loss, half byte, planes ...[]byte) []byte {
	b := make([]byte, nscHeaderBytes)
	b[16], b[17] = loss, half
	for i, p := range planes {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// TestNSCodecLevels has one pixel at each colour loss level.
func TestNSCodecLevels(t *testing.T) {
	cases := []struct {
		loss         byte
		luma, co, cg byte
		want         uint32
	}{
		{1, 100, 10, 5, 0x69_69_55},
		{1, 100, 0xF6, 0xFB, 0x5F_5F_73}, // -10, -5
		{2, 100, 10, 5, 0x6E_6E_46},
		{3, 100, 10, 5, 0x78_78_28},
		{4, 100, 10, 5, 0x8C_8C_00},      // 80, 40: blue is below 0
		{5, 100, 10, 5, 0x00_B4_74},      // 160, which is -96 in eight bits, and 80
		{6, 100, 10, 5, 0xFF_04_84},      // 64 and -96 in eight bits
		{7, 100, 1, 1, 0x64_A4_00},       // 64, 64
		{7, 200, 0xFF, 0xFF, 0xC8_88_FF}, // -64, -64
		{1, 255, 0x7F, 0x80, 0xFF_7F_FF},
		{1, 0, 0x80, 0x7F, 0x00_7F_01},
	}
	for _, c := range cases {
		var d Decoder
		got := dirty(1, 1)
		if err := d.NSCodec(got, Bitmap{Width: 1, Height: 1, Data: nscBitmap(c.loss, 0, []byte{c.luma}, []byte{c.co}, []byte{c.cg}, nil)}); err != nil {
			t.Fatal(err)
		}
		// The definition, in the widest arithmetic.
		co, cg := int(int8(int(c.co)<<(c.loss-1))), int(int8(int(c.cg)<<(c.loss-1)))
		r, g, b := int(c.luma)+co-cg, int(c.luma)+cg, int(c.luma)-co-cg
		want := uint32(min(max(r, 0), 255))<<16 | uint32(min(max(g, 0), 255))<<8 | uint32(min(max(b, 0), 255))
		if v := at(got, 0, 0); v != want || v != c.want {
			t.Errorf("level %d, %d %d %d: %06x, want %06x, by definition %06x", c.loss, c.luma, c.co, c.cg, v, c.want, want)
		}
	}
}

// TestNSCodecSubsampled has 3×3 pixels: luma in rows of eight, chroma in 2 rows of four.
func TestNSCodecSubsampled(t *testing.T) {
	luma := []byte{
		10, 20, 30, 0, 0, 0, 0, 0,
		40, 50, 60, 0, 0, 0, 0, 0,
		70, 80, 90, 0, 0, 0, 0, 0,
	}
	co := []byte{1, 2, 0, 0, 3, 4, 0, 0}
	cg := []byte{0, 0, 0, 0, 0, 0, 0, 0}
	var d Decoder
	got := dirty(3, 3)
	if err := d.NSCodec(got, Bitmap{Width: 3, Height: 3, Data: nscBitmap(1, 1, luma, co, cg, nil)}); err != nil {
		t.Fatal(err)
	}
	for y := range 3 {
		for x := range 3 {
			l, c := uint32(luma[8*y+x]), uint32(co[4*(y/2)+x/2])
			if v, want := at(got, x, y), (l+c)<<16|l<<8|(l-c); v != want {
				t.Errorf("pixel %d,%d is %06x, want %06x", x, y, v, want)
			}
		}
	}
}

func TestNSCodecRuns(t *testing.T) {
	flat := func(n int) []byte { return make([]byte, n) }
	cases := []struct {
		name string
		luma []byte
		want []byte // of 8 pixels
	}{
		{"as it is", []byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{"run of four", []byte{7, 7, 2, 1, 2, 3, 4}, []byte{7, 7, 7, 7, 1, 2, 3, 4}},
		{"run of two and two bytes", []byte{7, 7, 0, 5, 6, 1, 2}, nil},
		{"long form", []byte{7, 7, 0xFF, 4, 0, 0, 0, 1, 2, 3, 4}, nil}, // not shorter than the plane: taken as it is
		{"no run right before the tail", []byte{7, 7, 1, 7, 7, 7, 7, 7}, []byte{7, 7, 1, 7, 7, 7, 7, 7}},
		{"empty is 255", nil, []byte{255, 255, 255, 255, 255, 255, 255, 255}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			got := dirty(8, 1)
			err := d.NSCodec(got, Bitmap{Width: 8, Height: 1, Data: nscBitmap(1, 0, c.luma, flat(8), flat(8), nil)})
			if c.want == nil {
				if len(c.luma) < 8 && !errors.Is(err, ErrData) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for x, v := range c.want {
				if g := at(got, x, 0) & 0xFF; g != uint32(v) {
					t.Errorf("pixel %d is %d, want %d", x, g, v)
				}
			}
		})
	}
	// The long form, where it is worth it.
	const n = 400
	luma := append([]byte{9, 9, 0xFF, (n - 4) & 0xFF, (n - 4) >> 8, 0, 0}, 1, 2, 3, 4)
	var d Decoder
	got := dirty(n, 1)
	if err := d.NSCodec(got, Bitmap{Width: n, Height: 1, Data: nscBitmap(1, 0, luma, flat(n), flat(n), nil)}); err != nil {
		t.Fatal(err)
	}
	for x := range n {
		want := uint32(9)
		if x >= n-4 {
			want = uint32(x - (n - 5))
		}
		if g := at(got, x, 0) & 0xFF; g != want {
			t.Fatalf("pixel %d is %d, want %d", x, g, want)
		}
	}
}

func TestNSCodecMalformed(t *testing.T) {
	flat := make([]byte, 16)
	good := nscBitmap(1, 0, flat, flat, flat, flat)
	change := func(at int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = v
		return b
	}
	cases := []struct {
		name string
		data []byte
	}{
		{"no data", nil},
		{"header cut short", good[:19]},
		{"colour loss level 0", change(16, 0)},
		{"colour loss level 8", change(16, 8)},
		{"last plane cut short", good[:len(good)-1]},
		{"luma longer than all", change(3, 0xFF)},
		{"alpha longer than what is left", change(12, 17)},
		{"run without a length", nscBitmap(1, 0, []byte{1, 1}, flat, flat)},
		{"no tail", nscBitmap(1, 0, []byte{1, 1, 10}, flat, flat)},
		{"half a tail", nscBitmap(1, 0, []byte{1, 1, 10, 1, 2}, flat, flat)},
		{"run into the tail", nscBitmap(1, 0, []byte{1, 1, 11, 1, 2, 3, 4}, flat, flat)},
		{"run beyond the plane", nscBitmap(1, 0, []byte{1, 1, 0xFE, 1, 2, 3, 4}, flat, flat)},
		{"long run beyond the plane", nscBitmap(1, 0, []byte{1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, flat, flat)},
		{"long run cut short", nscBitmap(1, 0, []byte{1, 1, 0xFF, 1, 0, 0}, flat, flat)},
		{"too few bytes", nscBitmap(1, 0, []byte{1, 2, 3, 4, 5, 6}, flat, flat)},
		{"chroma cut short", nscBitmap(1, 0, flat, []byte{1}, flat)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			if err := d.NSCodec(dirty(4, 4), Bitmap{Width: 4, Height: 4, Data: c.data}); !errors.Is(err, ErrData) {
				t.Errorf("error %v", err)
			}
		})
	}
	var d Decoder
	if err := d.NSCodec(dirty(4, 4), Bitmap{Width: 4, Height: 4, Data: good}); err != nil {
		t.Errorf("what the cases are made of: %v", err)
	}
}
