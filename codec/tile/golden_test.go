package tile

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden is a message and its pixels, which the console's decoder (web/src/viewer/patches/tile.ts) is tested with too.
type golden struct {
	Name  string
	Sizes [][2]int
	Coded []byte // base64 in the file
	RGBA  []byte // of all parts
}

const goldenFile = "testdata/messages.json"

// TestGolden decodes the messages that the console's tests read.
func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
		t.Fatalf("%d messages: %v", len(all), err)
	}
	for _, g := range all {
		t.Run(g.Name, func(t *testing.T) {
			var d Decoder
			parts := make([]pixel.BGRX, len(g.Sizes))
			for i, s := range g.Sizes {
				parts[i] = pixel.NewBGRX(s[0], s[1])
			}
			if err := d.Decode(g.Coded, parts); err != nil {
				t.Fatal(err)
			}
			if got := rgba(parts); string(got) != string(g.RGBA) {
				t.Error("other pixels")
			}
		})
	}
}

func rgba(parts []pixel.BGRX) []byte {
	var out []byte
	for _, p := range parts {
		for i := 0; i < len(p.Pix); i += 4 {
			out = append(out, p.Pix[i+2], p.Pix[i+1], p.Pix[i], 255)
		}
	}
	return out
}

func writeGolden(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(13, 14))
	stripes := picture(64, 16, func(x, y int) (uint8, uint8, uint8) { return uint8(x / 8 * 30), uint8(y / 4), 7 })
	var all []golden
	for _, c := range []struct {
		name  string
		parts []pixel.BGRX
	}{
		{"one colour", []pixel.BGRX{colours(rng, 16, 16, 1)}},
		{"two colours", []pixel.BGRX{colours(rng, 32, 16, 2)}},
		{"three, odd sizes", []pixel.BGRX{colours(rng, 13, 5, 3), colours(rng, 1, 7, 3)}},
		{"sixteen", []pixel.BGRX{colours(rng, 16, 9, 16)}},
		{"many", []pixel.BGRX{colours(rng, 20, 16, 100)}},
		{"repeated", []pixel.BGRX{stripes}},
		{"gradient", []pixel.BGRX{gradient(40, 20), gradient(3, 3), gradient(1, 1)}},
		{"noise", []pixel.BGRX{noise(rng, 20, 20)}},
		{"letter", []pixel.BGRX{desktop(t, "letter")}},
		{"smooth letter", []pixel.BGRX{desktop(t, "smooth-letter")}},
	} {
		parts := c.parts
		g := golden{Name: c.name, RGBA: rgba(parts)}
		for _, p := range parts {
			g.Sizes = append(g.Sizes, [2]int{p.Width, p.Height})
		}
		var e Encoder
		g.Coded = e.Append(nil, parts)
		all = append(all, g)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
