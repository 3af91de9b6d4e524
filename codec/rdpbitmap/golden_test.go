package rdpbitmap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

var update = flag.Bool("update", false, "encode the golden bitmaps anew with libfreerdp")

const goldenFile = "testdata/freerdp.json"

// golden is a bitmap that libfreerdp encoded, and a hash of the blue, green and red it decodes it to.
type golden struct {
	Name, Codec                 string
	Width, Height, BitsPerPixel int
	Data                        []byte
	SHA256                      string
}

// TestGolden decodes what libfreerdp encoded, without the library.
func TestGolden(t *testing.T) {
	if *update {
		updateGolden(t)
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		t.Run(g.Name, func(t *testing.T) {
			for _, c := range codecs {
				if c.name != g.Codec {
					continue
				}
				var d Decoder
				got := dirty(g.Width, g.Height)
				b := Bitmap{Width: g.Width, Height: g.Height, BitsPerPixel: g.BitsPerPixel, BottomUp: true, Data: g.Data}
				if err := c.decode(&d, got, b); err != nil {
					t.Fatal(err)
				}
				if sum := hash(theirGreen(got, g.BitsPerPixel)); sum != g.SHA256 {
					t.Errorf("the picture's hash is %s, want %s", sum, g.SHA256)
				}
			}
		})
	}
	if len(all) < 20 {
		t.Errorf("%d golden bitmaps", len(all))
	}
}

// hash is of blue, green and red alone.
func hash(p pixel.BGRX) string {
	h := sha256.New()
	for y := range p.Height {
		for x := range p.Width {
			v := at(p, x, y)
			h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16)})
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func updateGolden(t *testing.T) {
	t.Helper()
	r := freerdpref.Start(t)
	const w, h = 28, 18
	var all []golden
	add := func(codec freerdpref.Codec, name, picture string, p pixel.BGRX, bits int, args ...int) {
		data, err := r.Encode(codec, p, args...)
		if err != nil {
			t.Fatal(err)
		}
		b := Bitmap{Width: w, Height: h, BitsPerPixel: bits, BottomUp: true, Data: data}
		want, err := theirs(t, r, codec, b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, golden{fmt.Sprintf("%s %v %s", name, args, picture), name, w, h, bits, data, hash(want)})
	}
	for _, c := range pictures {
		p := c.make(w, h)
		if c.name == "noise" || c.name == "white" || c.name == "black" {
			continue
		}
		for _, bits := range []int{15, 16, 24} {
			add(freerdpref.Interleaved, "interleaved", c.name, p, bits, bits)
		}
		for _, flags := range []int{0x10, 0x30} {
			add(freerdpref.Planar, "planar", c.name, p, 0, flags)
		}
		add(freerdpref.NSC, "nscodec", c.name, p, 0, 2, 0)
		add(freerdpref.NSC, "nscodec", c.name, p, 0, 4, 1)
	}
	all = append(all, golden{
		"nscodec example of the specification", "nscodec", 15, 10, 0, nscExample,
		func() string {
			p, err := theirs(t, r, freerdpref.NSC, Bitmap{Width: 15, Height: 10, BottomUp: true, Data: nscExample})
			if err != nil {
				t.Fatal(err)
			}
			return hash(p)
		}(),
	})
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
