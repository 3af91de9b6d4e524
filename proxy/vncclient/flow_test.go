package vncclient

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"image"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

var updateFlows = flag.Bool("update", false, "record testdata/flows anew from real servers")

// flows are what real servers said in a short session: a terminal on a picture, typing, scrolling, and for
// TigerVNC another size. testdata/flows/NAME.rfb.gz holds the bytes and NAME.png the screen they end with.
var flows = []struct {
	name, server string
	encodings    []EncodingType
}{
	{"tigervnc-1.12-raw", "Xvnc", []EncodingType{EncodingCopyRect, EncodingRaw}},
	{"tigervnc-1.12-hextile", "Xvnc", []EncodingType{EncodingCopyRect, EncodingHextile}},
	{"tigervnc-1.12-zrle", "Xvnc", []EncodingType{EncodingCopyRect, EncodingZRLE}},
	{"tigervnc-1.12-tight", "Xvnc", []EncodingType{EncodingCopyRect, EncodingTight}},
	{"x11vnc-0.9.16-hextile", "x11vnc", []EncodingType{EncodingCopyRect, EncodingHextile}},
	{"x11vnc-0.9.16-zrle", "x11vnc", []EncodingType{EncodingCopyRect, EncodingZRLE}},
	{"x11vnc-0.9.16-tight", "x11vnc", []EncodingType{EncodingCopyRect, EncodingTight}},
}

// TestFlows replays recorded servers, which need not be installed, and compares the screen pixel by pixel.
func TestFlows(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			path := filepath.Join("testdata", "flows", f.name)
			cfg := Config{AllowPlaintext: true, Encodings: f.encodings}
			if *updateFlows {
				recordFlow(t, path, f.server, cfg)
			}
			client, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			fb, err := desktop.NewFramebuffer(image.Pt(16, 16))
			if err != nil {
				t.Fatal(err)
			}
			err = client.Run(t.Context(), recorded{bytes.NewReader(readFlow(t, path))}, fb)
			if !errors.Is(err, desktop.ErrTargetGone) {
				t.Fatal(err)
			}
			file, err := os.Open(path + ".png")
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			want, err := png.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			r := remote{fb: fb}
			if diff := r.differs(rgba(want)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func rgba(img image.Image) *image.RGBA {
	out := image.NewRGBA(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

func readFlow(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path + ".rfb.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// tee remembers what the server said.
type tee struct {
	net.Conn
	mu   sync.Mutex
	said bytes.Buffer
}

func (c *tee) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said.Write(b[:n])
	return n, err
}

// recordFlow writes the two files of a flow.
func recordFlow(t *testing.T, path, server string, cfg Config) {
	t.Helper()
	size := image.Pt(521, 341)
	name := []string{"-desktop", "flow"} // and not that of the machine
	var x *testbed.X
	var addr string
	if server == "Xvnc" {
		s := testbed.StartXvnc(t, testbed.XvncOptions{Size: size, Args: name})
		x, addr = &s.X, s.Addr
	} else {
		s := testbed.StartX11vnc(t, testbed.X11vncOptions{Size: size, Args: name})
		x, addr = s.Screen, s.Addr
	}
	testbed.PaintWallpaper(t, x)
	testbed.XTerm(t, x.Display, "stty -echo; seq 5; cat")
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	line := &tee{Conn: nc}
	r := start(t, line, cfg)
	send := func(in desktop.Input) {
		t.Helper()
		if err := r.Send(in); err != nil {
			t.Fatal(err)
		}
	}
	testbed.Eventually(t, patience, "a session", func() bool { return len(r.seen.all()) > 0 })
	send(desktop.PointerEvent{Pos: image.Pt(490, 330)})
	r.wantPicture(t, x)
	for range 12 {
		send(desktop.TextInput{Text: "a line of text\n"})
	}
	r.wantPicture(t, x)
	if server == "Xvnc" {
		size := image.Pt(500, 360)
		testbed.Eventually(t, patience, "a new size", func() bool { return r.Resize(size) == nil })
		testbed.Eventually(t, patience, "the new size", func() bool { return r.fb.Size() == size })
		r.wantPicture(t, x)
	}
	var said []byte
	for { // until the server has said all and the program in the terminal has written all
		before := len(said)
		time.Sleep(time.Second)
		line.mu.Lock()
		said = bytes.Clone(line.said.Bytes())
		line.mu.Unlock()
		if len(said) == before {
			break
		}
	}
	r.wantPicture(t, x)

	var packed, picture bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(said); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&picture, x.Screenshot(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{path + ".rfb.gz": packed.Bytes(), path + ".png": picture.Bytes()} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
