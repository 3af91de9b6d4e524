package rdpclient

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"flag"
	"image"
	"image/png"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

var updateFlows = flag.Bool("update", false, "record testdata/flows anew from real servers")

// flowSize is the desktop of flows, in pixels.
var flowSize = image.Pt(320, 240)

// flow is what a real server said within TLS in a short session: its desktop, text typed into a terminal.
// testdata/flows/NAME.rdp.gz holds the bytes and NAME.png the picture they end with.
type flow struct {
	name     string
	graphics Graphics
	depth    int
	start    func(t *testing.T, f *flow) flowServer
}

// flowServer is a real server at work.
type flowServer struct {
	addr   string
	cfg    Config        // who signs in
	act    func(l *link) // what is done there once the desktop shows
	screen func(l *link) *image.RGBA
	least  float64 // dB that the picture must have of the screen
}

var flows = []flow{
	{"xrdp-0.9.21-Xorg-32", 0, 32, startFlowXRDP("Xorg", math.Inf(1))},
	{"xrdp-0.9.21-Xorg-16", 0, 16, startFlowXRDP("Xorg", 30)},
	{"xrdp-0.9.21-Xorg-remotefx", GraphicsRemoteFX, 32, startFlowXRDP("Xorg", 35)},
	{"xrdp-0.9.21-Xvnc-32", 0, 32, startFlowXRDP("Xvnc", math.Inf(1))},
	{"shadow-2.10-bitmaps", GraphicsBitmaps, 32, startFlowShadow(math.Inf(1))},
	// It opens the pipeline and, because there is no H.264 for it, draws with bitmaps all the same.
	{"shadow-2.10-pipeline", GraphicsPipeline, 32, startFlowShadow(math.Inf(1))},
	{"shadow-2.10-remotefx", GraphicsRemoteFX, 32, startFlowShadow(35)},
	{"weston-10-surfaces", 0, 32, startFlowWeston(math.Inf(1))},
	{"weston-10-nscodec", GraphicsNSCodec, 32, startFlowWeston(40)},
}

// paint opens a terminal that prints all colours it has and then lines enough to scroll.
func paint(l *link, x *testbed.X) {
	l.pointAway()
	out := filepath.Join(l.t.TempDir(), "typed")
	testbed.XTerm(l.t, x.Display, `for i in $(seq 16 255); do printf '\033[48;5;%dm%3d ' $i $i; done; printf '\033[0m\n'; head -n2 >`+out+`; exec sleep 1000`)
	l.types("flow\nflow\n")
	testbed.Eventually(l.t, patience, "the text typed", func() bool { return read(out) == "flow\nflow\n" })
}

func startFlowXRDP(session string, least float64) func(t *testing.T, f *flow) flowServer {
	return func(t *testing.T, f *flow) flowServer {
		x := testbed.StartXRDP(t, testbed.XRDPOptions{Session: session, MaxBPP: f.depth, Command: "echo up >~/up; exec sh"})
		return flowServer{
			addr: x.Addr, cfg: Config{Username: x.Username, Password: desktop.Secret(x.Password)}, least: least,
			act: func(l *link) {
				testbed.Eventually(t, patience, "a terminal", func() bool { return read(filepath.Join(x.Home, "up")) != "" })
				paint(l, x.Session(t))
			},
			screen: func(*link) *image.RGBA { return x.Session(t).Screenshot(t) },
		}
	}
}

func startFlowShadow(least float64) func(t *testing.T, f *flow) flowServer {
	return func(t *testing.T, _ *flow) flowServer {
		w := testbed.StartShadow(t, testbed.ShadowOptions{Size: flowSize})
		return flowServer{
			addr: w.Addr, act: func(l *link) { paint(l, w.Screen) }, least: least,
			screen: func(*link) *image.RGBA { return w.Screen.Screenshot(t) },
		}
	}
}

func startFlowWeston(least float64) func(t *testing.T, f *flow) flowServer {
	return func(t *testing.T, _ *flow) flowServer {
		w := testbed.StartWeston(t, testbed.WestonOptions{Size: flowSize})
		return flowServer{
			addr: w.Addr, act: (*link).pointAway, least: least,
			screen: func(l *link) *image.RGBA { return withCorner(w.Wallpaper, l.picture()) },
		}
	}
}

// config is that of recording and replaying.
func (f *flow) config() Config {
	return Config{Security: SecurityTLS, Size: flowSize, ColorDepth: f.depth, Graphics: f.graphics}
}

func (f *flow) path(ext string) string { return filepath.Join("testdata", "flows", f.name+ext) }

// said returns the bytes of a flow.
func (f *flow) said(t testing.TB) []byte {
	t.Helper()
	file, err := os.Open(f.path(".rdp.gz"))
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

// TestFlows replays recorded servers, which need not be installed, and compares the picture pixel by pixel.
func TestFlows(t *testing.T) {
	for i := range flows {
		f := &flows[i]
		t.Run(f.name, func(t *testing.T) {
			if *updateFlows {
				f.record(t)
			}
			got := f.replay(t, f.said(t))
			file, err := os.Open(f.path(".png"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			want, err := png.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds() != want.Bounds() {
				t.Fatalf("picture of %v, want %v", got.Bounds(), want.Bounds())
			}
			for y := range got.Rect.Dy() {
				for x := range got.Rect.Dx() {
					r, g, b, _ := want.At(x, y).RGBA()
					if c := got.RGBAAt(x, y); uint32(c.R) != r>>8 || uint32(c.G) != g>>8 || uint32(c.B) != b>>8 {
						t.Fatalf("%d,%d is %v, want %v", x, y, c, want.At(x, y))
					}
				}
			}
		})
	}
}

// replay returns the picture at the end of a flow.
func (f *flow) replay(t *testing.T, said []byte) *image.RGBA {
	t.Helper()
	fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
	if err != nil {
		t.Fatal(err)
	}
	err = replay(t, f.config(), said, fb)
	wantEnd(t, err, desktop.ErrTargetGone)
	return (&link{fb: fb}).picture()
}

// record writes the two files of a flow.
func (f *flow) record(t *testing.T) {
	t.Helper()
	server := f.start(t, f)
	tap := startTap(t, server.addr)
	cfg := f.config()
	cfg.Username, cfg.Password, cfg.TLS = server.cfg.Username, server.cfg.Password, pinned(tap.cert)
	l := start(t, tap.addr, cfg)
	l.connected()
	server.act(l)
	l.shows(server.least, func() *image.RGBA { return server.screen(l) })
	var said []byte
	for { // until the server has said all
		before := len(said)
		time.Sleep(2 * time.Second)
		tap.mu.Lock()
		said = bytes.Clone(tap.said.Bytes())
		tap.mu.Unlock()
		if len(said) == before {
			break
		}
	}
	if got := psnr(l.picture(), server.screen(l)); got < server.least {
		t.Fatalf("%.1f dB", got)
	}
	l.stop()
	var packed, picture bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(said); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&picture, l.picture()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(f.path("")), 0o755); err != nil {
		t.Fatal(err)
	}
	for ext, b := range map[string][]byte{".rdp.gz": packed.Bytes(), ".png": picture.Bytes()} {
		if err := os.WriteFile(f.path(ext), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes, %d packed, picture of %d", len(said), packed.Len(), picture.Len())
}

// tap stands between a client and a server, ends TLS on both sides and remembers what the server said within.
type tap struct {
	addr string
	cert *testbed.Cert

	mu   sync.Mutex
	said bytes.Buffer
}

// Write remembers.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// startTap takes one connection and passes it to a server that speaks TLS.
func startTap(t *testing.T, server string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: l.Addr().String(), cert: testbed.NewCert(t, "127.0.0.1")}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		near, err := l.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		far, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer far.Close()
		p.pass(near, far)
	})
	return p
}

// pass relays the X.224 exchange in clear, and everything after it through TLS.
func (p *tap) pass(near, far net.Conn) {
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		frame, err := rdp.NewFrameReader(way[0]).Next()
		if err != nil {
			return
		}
		if _, err := way[1].Write(rdp.AppendTPKT(nil, func(b []byte) []byte { return append(b, frame.Payload...) })); err != nil {
			return
		}
	}
	client := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{p.cert.TLS}})
	server := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client)
		far.Close()
	})
	_, _ = io.Copy(io.MultiWriter(p, client), server)
	near.Close()
	wg.Wait()
}
