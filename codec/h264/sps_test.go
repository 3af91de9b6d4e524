package h264

import (
	"errors"
	"testing"
)

// parameterSets feed the test and the fuzzer. Those with a profile were written by x264, except the last of them; the others are
// made to be refused.
var parameterSets = []struct {
	name, hex     string
	width, height int    // visible; zero when it must be refused
	profile       string // profile-level-id
	fullRange     bool
}{
	{"high", "6764000dacd941419f9fff0003000410000003001000000303c0f1429960", 320, 180, "64000d", false},
	{"baseline, cropped", "6742c020d90056061e6fff020002ab10000003001000000303c0f1832480", 1366, 768, "42c020", false},
	{"main, interlaced, cropped", "674d4028eca03c0227efff0003000410000003001000000303c1f162d960", 1920, 1080, "4d4028", false},
	{"4:2:2, cropped", "677a000dbcd941519e2233ff016a01e310000003001000000303c0f1429960", 322, 181, "7a000d", false},
	{"4:4:4, cropped, odd", "67f4000d919b282a33c2119ff816a01e1880000003008000001e078a14cb", 321, 181, "f4000d", false},
	{"baseline, full range", "6742c00ad9047b016c80000003008000001e07891324", 64, 48, "42c00a", true},
	{"picture order count type 1", "6742c028d36532276454", 26, 46, "42c028", false},

	{"empty", "", 0, 0, "", false},
	{"header only", "67", 0, 0, "", false},
	{"another unit", "6842c028ff", 0, 0, "", false},
	{"ends in the size", "6742c028da", 0, 0, "", false},
	{"too wide", "6742c028da00201c40", 0, 0, "", false},
	{"size overflows", "6742c028da0000030001fffffffc000003000ffffffff1", 0, 0, "", false},
	{"cropping leaves nothing", "6742c028da744f40", 0, 0, "", false},
	{"cropping overflows", "6742c028da74000003000fffffffe0000003007fffffff0000030003fffffff8000003001fffffffd0", 0, 0, "", false},
	{"17 references", "6742c028d849c4", 0, 0, "", false},
	{"picture order count type 3", "6742c028c89c40", 0, 0, "", false},
	{"256 reference frames in a cycle", "6742c028d30080a710", 0, 0, "", false},
}

func TestParseSPS(t *testing.T) {
	for _, c := range parameterSets {
		t.Run(c.name, func(t *testing.T) {
			s, err := ParseSPS(fromHex(c.hex))
			if c.width == 0 {
				if !errors.Is(err, ErrSPS) {
					t.Fatalf("error %v, set %+v", err, s)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Width != c.width || s.Height != c.height || s.ProfileLevelID() != c.profile || s.FullRange != c.fullRange {
				t.Fatalf("got %+v", s)
			}
		})
	}
}

func FuzzParseSPS(f *testing.F) {
	for _, c := range parameterSets {
		f.Add(fromHex(c.hex))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := ParseSPS(in)
		if err != nil {
			if !errors.Is(err, ErrSPS) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if s.CodedWidth > MaxCodedSide || s.CodedHeight > MaxCodedSide || s.Width < 1 || s.Height < 1 ||
			s.Width > s.CodedWidth || s.Height > s.CodedHeight {
			t.Fatalf("sizes %+v", s)
		}
		changed, err := variableFrameRate(in)
		if errors.Is(err, ErrSPS) && len(in) > maxSPSBytes*2/3 {
			return // each two zeros may need an escape more
		}
		if err != nil {
			t.Fatal(err)
		}
		after, err := ParseSPS(changed)
		if err != nil {
			t.Fatalf("%x became %x: %v", in, changed, err)
		}
		if *after != *s {
			t.Fatalf("%+v became %+v", s, after)
		}
	})
}
