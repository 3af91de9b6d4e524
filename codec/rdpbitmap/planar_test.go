package rdpbitmap

import (
	"bytes"
	"errors"
	"testing"
)

// planarCases are single planes, which the test shows in each colour.
var planarCases = []struct {
	name          string
	width, height int
	plane         string // in RLE
	want          []byte
}{
	{"raw bytes", 3, 1, "30 010203", []byte{1, 2, 3}},
	{"raw bytes and a run of the last", 8, 1, "35 010203", []byte{1, 2, 3, 3, 3, 3, 3, 3}},
	{"run at the start of the first row is 0", 4, 1, "04", []byte{0, 0, 0, 0}},
	{"runs go on with the last value", 10, 1, "13 09 06", []byte{9, 9, 9, 9, 9, 9, 9, 9, 9, 9}},
	{"length 1 is 16 and more", 20, 1, "10 07 31", bytes.Repeat([]byte{7}, 20)},
	{"length 2 is 32 and more", 48, 1, "10 07 f2", bytes.Repeat([]byte{7}, 48)},
	{"length 3 is three", 4, 1, "13 07", []byte{7, 7, 7, 7}},
	{"length 1 without more is 16", 17, 1, "10 07 01", bytes.Repeat([]byte{7}, 17)},
	{"length 2 without more is 32", 33, 1, "10 07 02", bytes.Repeat([]byte{7}, 33)},
	{"control byte of nothing", 1, 1, "00 00 10 07", []byte{7}},
	{"differences: even is up, odd is down", 4, 2, "40 0a0a0a0a 40 02010403", []byte{10, 10, 10, 10, 11, 9, 12, 8}},
	{"run at the start of a row changes nothing", 4, 2, "40 01020304 04", []byte{1, 2, 3, 4, 1, 2, 3, 4}},
	{"run of a difference", 5, 2, "50 0102030405 14 05", []byte{1, 2, 3, 4, 5, 254, 255, 0, 1, 2}},
	{"differences wrap", 2, 2, "20 00ff 20 0102", []byte{0, 255, 255, 0}},
	{"largest differences", 2, 2, "20 8080 20 fffe", []byte{128, 128, 0, 255}},
	{"a row of nothing between two", 3, 3, "30 010203 03 30 020202", []byte{1, 2, 3, 1, 2, 3, 2, 3, 4}},
	{"a change in the middle of a row", 9, 2, "90 010203040506070809 04 20 0200 03", []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 6, 6, 7, 8, 9}},
}

func TestPlanarPlanes(t *testing.T) {
	for _, c := range planarCases {
		t.Run(c.name, func(t *testing.T) {
			plane := unhex(t, c.plane)
			nothing := planeOfNothing(c.width, c.height)
			for channel := range 3 { // red, green, blue
				data := []byte{planarRLE | planarNoAlpha}
				for i := range 3 {
					if i == channel {
						data = append(data, plane...)
					} else {
						data = append(data, nothing...)
					}
				}
				want := paint(c.width, c.height, func(x, y int) uint32 { return uint32(c.want[y*c.width+x]) << (16 - 8*channel) })
				var d Decoder
				got := dirty(c.width, c.height)
				if err := d.Planar(got, Bitmap{Width: c.width, Height: c.height, Data: data}); err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
				data[0] &^= planarNoAlpha // an alpha plane before the others
				withAlpha := append(append([]byte{data[0]}, plane...), data[1:]...)
				got = dirty(c.width, c.height)
				if err := d.Planar(got, Bitmap{Width: c.width, Height: c.height, Data: withAlpha}); err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
			}
		})
	}
}

func planeOfNothing(w, h int) (p []byte) {
	for range h {
		p = appendPlanarRow(p, make([]byte, w))
	}
	return p
}

func TestPlanarRaw(t *testing.T) {
	planes := []byte{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26}
	alpha := []byte{90, 91, 92, 93, 94, 95}
	want := paint(3, 2, func(x, y int) uint32 {
		i := uint32(3*y + x)
		return (1+i)<<16 | (11+i)<<8 | (21 + i)
	})
	cases := map[string][]byte{
		"no alpha":          append([]byte{0x20}, planes...),
		"no alpha, padding": append(append([]byte{0x20}, planes...), 0),
		"alpha":             append(append([]byte{0x00}, alpha...), planes...),
		"reserved bits":     append([]byte{0xE0}, planes...),
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			got := dirty(3, 2)
			if err := d.Planar(got, Bitmap{Width: 3, Height: 2, Data: data}); err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			got = dirty(3, 2)
			if err := d.Planar(got, Bitmap{Width: 3, Height: 2, BottomUp: true, Data: data}); err != nil {
				t.Fatal(err)
			}
			same(t, got.Sub(0, 0, 3, 1), want.Sub(0, 1, 3, 1))
			same(t, got.Sub(0, 1, 3, 1), want.Sub(0, 0, 3, 1))
		})
	}
}

// TestPlanarChroma has luma and chroma at each colour loss level, whole and subsampled, as RLE and as it is,
// cut and whole.
func TestPlanarChroma(t *testing.T) {
	const w, h = 5, 3
	for loss := 1; loss <= 7; loss++ {
		for _, half := range []bool{false, true} {
			cw, ch := w, h
			if half {
				cw, ch = 3, 2
			}
			var planes [3][]byte
			for i := range planes {
				n := w * h
				if i > 0 {
					n = cw * ch
				}
				for j := range n {
					planes[i] = append(planes[i], byte(j*37*(i+1)+loss*11+100))
				}
			}
			want := paint(w, h, func(x, y int) uint32 {
				k := y*w + x
				if half {
					k = y/2*cw + x/2
				}
				// 3.1.9.1.4: chroma is shifted left by the level, and by one less for the transform's own halves.
				co, cg := int(int8(planes[1][k]<<(loss-1))), int(int8(planes[2][k]<<(loss-1)))
				l := int(planes[0][y*w+x])
				clip := func(v int) uint32 { return uint32(min(max(v, 0), 255)) }
				return clip(l-co-cg)<<16 | clip(l+cg)<<8 | clip(l+co-cg) // red and blue swapped: 3.1.9.1.1
			})
			header := byte(loss) | planarNoAlpha
			if half {
				header |= planarSubsampled
			}
			asIs := append([]byte{header}, bytes.Join(planes[:], nil)...)
			rle := []byte{header | planarRLE}
			for i, p := range planes {
				rw := w
				if i > 0 {
					rw = cw
				}
				rle = append(rle, rlePlane(p, rw)...)
			}
			for _, data := range [][]byte{asIs, rle} {
				var d Decoder
				for _, s := range [][2]int{{w, h}, {w - 2, h - 1}} {
					got := dirty(s[0], s[1])
					if err := d.Planar(got, Bitmap{Width: w, Height: h, Data: data}); err != nil {
						t.Fatal(err)
					}
					same(t, got, want.Sub(0, 0, s[0], s[1]))
				}
			}
		}
	}
}

// rlePlane encodes rows of w bytes.
func rlePlane(p []byte, w int) (out []byte) {
	for y := 0; y*w < len(p); y++ {
		row := bytes.Clone(p[y*w:][:w])
		if y > 0 {
			for x := range row {
				d := int8(row[x] - p[(y-1)*w+x])
				if row[x] = byte(d) << 1; d < 0 {
					row[x] = byte(-int(d)*2 - 1)
				}
			}
		}
		out = appendPlanarRow(out, row)
	}
	return out
}

// TestPlanarSegments has runs of all lengths around the ends of rows, where control bytes change their form.
func TestPlanarSegments(t *testing.T) {
	for w := 1; w <= 130; w++ {
		for start := 0; start <= min(w, 40); start++ {
			row := make([]byte, w)
			for i := range row {
				row[i] = byte(min(i, start) + 1)
			}
			var data []byte
			data = appendPlanarRow(data, row)
			if n, ok := planeSize(data, w, 1, true); !ok || n != len(data) {
				t.Fatalf("width %d, %d literals: a plane of %d bytes, %v, want %d", w, start, n, ok, len(data))
			}
			got := make([]byte, w)
			if rest, _, _ := planarRow(got, data, true); len(rest) != 0 || !bytes.Equal(got, row) {
				t.Fatalf("width %d, %d literals: % x", w, start, got)
			}
		}
	}
}

func TestPlanarMalformed(t *testing.T) {
	good := []byte{planarRLE | planarNoAlpha}
	for range 3 {
		good = append(good, planeOfNothing(4, 2)...)
	}
	cases := []struct {
		name string
		data []byte
	}{
		{"no data", nil},
		{"no planes", []byte{0x20}},
		{"no planes in RLE", []byte{0x30}},
		{"planes cut short", append([]byte{0x20}, make([]byte, 23)...)},
		{"alpha cut short", append([]byte{0x00}, make([]byte, 7)...)},
		{"planes after alpha cut short", append([]byte{0x00}, make([]byte, 31)...)},
		{"subsampled red, green and blue", append([]byte{0x28}, make([]byte, 24)...)},
		{"subsampled planes cut short", append([]byte{0x29}, make([]byte, 8+2+1)...)},
		{"RLE cut short", good[:len(good)-1]},
		{"RLE with alpha and no plane for it", append([]byte{planarRLE}, good[1:]...)},
		{"run beyond the row", unhex(t, "30 05 04 04 04 04 04 04")},
		{"long run beyond the row", unhex(t, "30 02 04 04 04 04 04 04")},
		{"raw bytes beyond the row", unhex(t, "30 50 0102030405 04 04 04 04 04 04")},
		{"raw bytes beyond the data", unhex(t, "30 04 04 04 04 04 40 01")},
		{"control bytes of nothing", append([]byte{0x30}, make([]byte, 100)...)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			if err := d.Planar(dirty(4, 2), Bitmap{Width: 4, Height: 2, Data: c.data}); !errors.Is(err, ErrData) {
				t.Errorf("error %v", err)
			}
		})
	}
	var d Decoder
	if err := d.Planar(dirty(4, 2), Bitmap{Width: 4, Height: 2, Data: good}); err != nil {
		t.Errorf("what the cases are made of: %v", err)
	}
}

func TestRaw(t *testing.T) {
	palette := &Palette{7: {0x30, 0x20, 0x10}, 255: {3, 2, 1}}
	cases := []struct {
		name string
		bits int
		data string // rows of three pixels
		want string
	}{
		{"8, padded", 8, "07 ff 07 00 / 00 00 ff 00", "102030 010203 102030 / 000000 000000 010203"},
		{"8, not padded", 8, "07 ff 07 / 00 00 ff", "102030 010203 102030 / 000000 000000 010203"},
		{"15, padded", 15, "ff7f 007c e003 0000 / 1f00 0000 2104 0000", "ffffff ff0000 00ff00 / 0000ff 000000 080808"},
		{"15, not padded", 15, "ff7f 007c e003 / 1f00 0000 2104", "ffffff ff0000 00ff00 / 0000ff 000000 080808"},
		{"15, the highest bit has no meaning", 15, "ffff 00fc e083 / 1f80 0080 2184", "ffffff ff0000 00ff00 / 0000ff 000000 080808"},
		{"16, padded", 16, "ffff 00f8 e007 0000 / 1f00 0000 2108 0000", "ffffff ff0000 00ff00 / 0000ff 000000 080408"},
		{"16, not padded", 16, "ffff 00f8 e007 / 1f00 0000 2108", "ffffff ff0000 00ff00 / 0000ff 000000 080408"},
		{"24, padded", 24, "010203 040506 070809 000000 / 111213 141516 171819 000000", "030201 060504 090807 / 131211 161514 191817"},
		{"24, not padded", 24, "010203 040506 070809 / 111213 141516 171819", "030201 060504 090807 / 131211 161514 191817"},
		{"32", 32, "010203ff 040506ff 070809ff / 111213ff 141516ff 171819ff", "030201 060504 090807 / 131211 161514 191817"},
		{"bytes too many", 32, "010203ff 040506ff 070809ff / 111213ff 141516ff 171819ff 00000000", "030201 060504 090807 / 131211 161514 191817"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data := unhex(t, string(bytes.ReplaceAll([]byte(c.data), []byte("/"), nil)))
			want := wanted(t, 3, 2, c.want)
			b := Bitmap{Width: 3, Height: 2, BitsPerPixel: c.bits, BottomUp: true, Palette: palette, Data: data}
			var d Decoder
			for _, s := range [][2]int{{3, 2}, {2, 2}, {3, 1}, {0, 0}} {
				got := dirty(s[0], s[1])
				if err := d.Raw(got, b); err != nil {
					t.Fatal(err)
				}
				same(t, got, want.Sub(0, 0, s[0], s[1]))
			}
			b.BottomUp = false
			got := dirty(3, 1)
			if err := d.Raw(got, b); err != nil {
				t.Fatal(err)
			}
			same(t, got, want.Sub(0, 1, 3, 1))
			if c.bits != 8 && c.bits != 32 {
				return
			}
			b.Data = data[:b.Width*b.Height*c.bits/8-1]
			if err := d.Raw(dirty(3, 2), b); !errors.Is(err, ErrData) {
				t.Errorf("a byte too few: %v", err)
			}
		})
	}
}
