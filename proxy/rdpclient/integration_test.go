package rdpclient

import (
	"fmt"
	"image"
	"math"
	"testing"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// TestXRDP shows the desktops of a real xrdp, pixel by pixel where nothing is lost.
func TestXRDP(t *testing.T) {
	for _, c := range []struct {
		session  string
		depth    int
		graphics Graphics
		least    float64 // dB
	}{
		{"Xorg", 32, 0, math.Inf(1)},
		{"Xorg", 24, 0, math.Inf(1)},
		{"Xorg", 16, 0, 30}, // the colours themselves are fewer
		{"Xorg", 32, GraphicsRemoteFX, 40},
		{"Xvnc", 32, 0, math.Inf(1)},
		{"Xvnc", 24, 0, math.Inf(1)},
		{"Xvnc", 16, 0, 30},
	} {
		t.Run(fmt.Sprintf("%s-%d-%d", c.session, c.depth, c.graphics), func(t *testing.T) {
			cert := testbed.NewCert(t, "127.0.0.1")
			x := testbed.StartXRDP(t, testbed.XRDPOptions{Session: c.session, Cert: cert})
			l := start(t, x.Addr, Config{
				Username: x.Username, Password: desktop.Secret(x.Password), Size: image.Pt(1024, 768), ColorDepth: c.depth,
				Graphics: c.graphics, TLS: pinned(cert),
			})
			l.connected()
			screen := x.Session(t)
			l.shows(c.least, func() *image.RGBA { return screen.Screenshot(t) })
		})
	}
}

// TestShadow shows the desktop of FreeRDP's server in every way it can send one.
func TestShadow(t *testing.T) {
	for _, c := range []struct {
		name     string
		graphics Graphics
		least    float64
	}{
		{"bitmaps", GraphicsBitmaps, math.Inf(1)},
		{"pipeline", GraphicsPipeline, 40},
		{"remotefx", GraphicsRemoteFX, 40},
		{"nscodec", GraphicsNSCodec, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := testbed.NewCert(t, "127.0.0.1")
			w := testbed.StartShadow(t, testbed.ShadowOptions{Cert: cert})
			l := start(t, w.Addr, Config{Graphics: c.graphics, TLS: pinned(cert)})
			l.connected()
			l.shows(c.least, func() *image.RGBA { return w.Screen.Screenshot(t) })
		})
	}
}

// TestWeston shows the desktop of a server that insists on surface commands.
func TestWeston(t *testing.T) {
	cert := testbed.NewCert(t, "127.0.0.1")
	w := testbed.StartWeston(t, testbed.WestonOptions{Cert: cert})
	w.Terminal(t, "cat")
	l := start(t, w.Addr, Config{TLS: pinned(cert), Size: image.Pt(1024, 768)})
	l.connected()
	l.shows(math.Inf(1), func() *image.RGBA { return w.Screenshot(t) })
}
