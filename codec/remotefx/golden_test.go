package remotefx

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/internal/freerdpref"
	"github.com/vitrine-psm/vitrine/codec/pixel"
)

var update = flag.Bool("update", false, "make testdata/golden anew with FreeRDP")

// goldens are messages of others: testdata/golden/NAME/0.bin and so on, and after.txt with a hash of the colours that
// FreeRDP had on its canvas after each. shadow is what freerdp-shadow-cli sent of a desktop with a terminal and gnome what
// gnome-remote-desktop 43 did, which -update leaves as they are.
var goldens = []struct {
	name          string
	codec         freerdpref.Codec
	arg           int // of FreeRDP's encoder
	width, height int
	paint         func(w, h int) pixel.BGRX // nil: recorded
}{
	{"rlgr1-photo", freerdpref.RFX, 1, 130, 70, photoPicture},
	{"rlgr3-photo", freerdpref.RFX, 0, 130, 70, photoPicture},
	{"rlgr1-desktop", freerdpref.RFX, 1, 200, 100, desktopPicture},
	{"rlgr3-desktop", freerdpref.RFX, 0, 200, 100, desktopPicture},
	{"progressive-photo", freerdpref.Progressive, 0, 130, 70, photoPicture},
	{"progressive-desktop", freerdpref.Progressive, 0, 200, 100, desktopPicture},
	{"shadow", freerdpref.RFX, 0, 320, 240, nil},
	{"gnome", freerdpref.Progressive, 0, 320, 240, nil},
	// FreeRDP encodes no coarse tiles: these are of the tests' own encoder.
	{"progressive-story", freerdpref.Progressive, 0, 100, 70, nil},
}

// hash is of blue, green and red.
func hash(p pixel.BGRX) string {
	h := sha256.New()
	for y := range p.Height {
		for row := p.Row(y); len(row) > 0; row = row[bytesPerPixel:] {
			h.Write(row[:3])
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			dir := filepath.Join("testdata", "golden", g.name)
			if *update {
				var messages [][]byte
				if g.name == "progressive-story" {
					messages, _ = progressiveStory(desktopPicture(g.width, g.height), photoPicture(g.width, g.height), true)
				}
				updateGolden(t, dir, g.codec, g.arg, g.width, g.height, g.paint, messages)
			}
			after, err := os.ReadFile(filepath.Join(dir, "after.txt"))
			if err != nil {
				t.Fatal(err)
			}
			var d Decoder
			var p Progressive
			dst := pixel.NewBGRX(g.width, g.height)
			for i, want := range strings.Fields(string(after)) {
				message, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i, ".bin")))
				if err != nil {
					t.Fatal(err)
				}
				if g.codec == freerdpref.RFX {
					_, err = d.Decode(message, dst, image.Point{})
				} else {
					_, err = p.Decode(uint32(i), message, dst)
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := hash(dst); got != want {
					t.Errorf("after message %d the picture has the hash %s, want %s", i, got, want)
				}
			}
		})
	}
}

// updateGolden writes messages, or those of a picture, and what FreeRDP decodes of what then is in dir.
func updateGolden(t *testing.T, dir string, codec freerdpref.Codec, arg, w, h int, paint func(w, h int) pixel.BGRX, messages [][]byte) {
	peer := startPeer(t)
	if !peer.vector {
		t.Fatal("FreeRDP does not use its vector code; try again")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if paint != nil {
		m, err := peer.Encode(codec, paint(w, h), arg)
		if err != nil {
			t.Fatal(err)
		}
		messages = [][]byte{m}
	}
	for i, m := range messages {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".bin")), m, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	peer.reset(t)
	var after strings.Builder
	for i := 0; ; i++ {
		m, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i, ".bin")))
		if err != nil {
			break
		}
		res, err := peer.Decode(freerdpref.Job{Codec: codec, W: w, H: h, Items: []freerdpref.Item{{W: w, H: h, Args: [4]int{1, i}, Data: m}}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&after, hash(res.Picture))
	}
	if err := os.WriteFile(filepath.Join(dir, "after.txt"), []byte(after.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
