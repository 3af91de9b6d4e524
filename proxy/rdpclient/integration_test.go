package rdpclient

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// TestXRDP shows the desktops of a real xrdp, pixel by pixel where nothing is lost.
func TestXRDP(t *testing.T) {
	realServers(t)
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
		{"Xvnc", 16, 0, math.Inf(1)}, // its screen has no more either
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
			l.pointAway()
			l.shows(c.least, func() *image.RGBA { return screen.Screenshot(t) })
			l.usedCodec(c.least, screen.Screenshot(t))
		})
	}
}

// TestShadow shows the desktop of FreeRDP's server in every way it can send one.
func TestShadow(t *testing.T) {
	realServers(t)
	for _, c := range []struct {
		name     string
		graphics Graphics
		least    float64
	}{
		{"bitmaps", GraphicsBitmaps, math.Inf(1)},
		// It opens the pipeline and, without H.264 for it, sends bitmaps all the same: see pipeline_test.go for others.
		{"pipeline opened", GraphicsPipeline, math.Inf(1)},
		{"remotefx", GraphicsRemoteFX, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := testbed.NewCert(t, "127.0.0.1")
			w := testbed.StartShadow(t, testbed.ShadowOptions{Cert: cert})
			l := start(t, w.Addr, Config{Graphics: c.graphics, TLS: pinned(cert)})
			l.connected()
			l.shows(c.least, func() *image.RGBA { return w.Screen.Screenshot(t) })
			l.usedCodec(c.least, w.Screen.Screenshot(t))
		})
	}
}

// TestWeston shows the desktop of a server that insists on surface commands, in each codec it knows.
func TestWeston(t *testing.T) {
	realServers(t)
	for _, c := range []struct {
		name     string
		graphics Graphics
		least    float64
	}{
		{"raw", 0, math.Inf(1)},
		{"remotefx", GraphicsRemoteFX, 40},
		{"nscodec", GraphicsNSCodec, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := testbed.NewCert(t, "127.0.0.1")
			w := testbed.StartWeston(t, testbed.WestonOptions{Cert: cert})
			l := start(t, w.Addr, Config{TLS: pinned(cert), Size: image.Pt(1024, 768), Graphics: c.graphics})
			l.connected()
			l.pointAway()
			l.shows(c.least, func() *image.RGBA { return withCorner(w.Wallpaper, l.picture()) })
			l.usedCodec(c.least, withCorner(w.Wallpaper, l.picture()))
			if c.graphics != 0 {
				return
			}
			out := filepath.Join(t.TempDir(), "typed")
			w.Terminal(t, "head -n1 >"+out)
			testbed.Eventually(t, patience, "the terminal", func() bool { return psnr(l.picture(), w.Wallpaper) < 20 })
			at := image.Pt(500, 400)
			l.sends(desktop.PointerEvent{Pos: at}, desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonLeft}, desktop.PointerEvent{Pos: at})
			l.types("weston\n")
			testbed.Eventually(t, patience, "the text typed", func() bool { return read(out) == "weston\n" })
		})
	}
}

// withCorner returns want with the lower right corner of got, where the target has drawn the pointer that was put there.
func withCorner(want, got *image.RGBA) *image.RGBA {
	out := image.NewRGBA(want.Bounds())
	draw.Draw(out, out.Bounds(), want, image.Point{}, draw.Src)
	corner := image.Rectangle{Min: out.Bounds().Max.Sub(image.Pt(16, 16)), Max: out.Bounds().Max}
	draw.Draw(out, corner, got, corner.Min, draw.Src)
	return out
}

// TestNLA signs in by network level authentication, and is told when that fails.
func TestNLA(t *testing.T) {
	realServers(t)
	cert := testbed.NewCert(t, "127.0.0.1")
	w := testbed.StartShadow(t, testbed.ShadowOptions{NLA: true, Cert: cert})
	l := start(t, w.Addr, Config{
		Username: w.Username, Password: desktop.Secret(w.Password), TLS: pinned(cert), Security: SecurityNLA,
	})
	l.connected()
	l.shows(40, func() *image.RGBA { return w.Screen.Screenshot(t) })
	l.stop()
	for name, c := range map[string]struct {
		cfg  Config
		want error
	}{
		"wrong password":    {Config{Username: w.Username, Password: "wrong", TLS: pinned(cert)}, desktop.ErrAuth},
		"wrong user":        {Config{Username: "nobody", Password: desktop.Secret(w.Password), TLS: pinned(cert)}, desktop.ErrAuth},
		"no password":       {Config{Username: w.Username, TLS: pinned(cert)}, desktop.ErrAuth},
		"TLS only":          {Config{Security: SecurityTLS, TLS: pinned(cert)}, desktop.ErrSecurity},
		"wrong pin":         {Config{Username: w.Username, Password: desktop.Secret(w.Password), TLS: trust.Policy{Fingerprint: trust.Fingerprint{1}}}, desktop.ErrCertificate},
		"unknown authority": {Config{Username: w.Username, Password: desktop.Secret(w.Password)}, desktop.ErrCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			err := start(t, w.Addr, c.cfg).ends()
			t.Log(err)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestSecurityRefused meets servers whose security is not good enough.
func TestSecurityRefused(t *testing.T) {
	realServers(t)
	cert := testbed.NewCert(t, "127.0.0.1")
	for name, c := range map[string]struct {
		layer    string
		security Security
	}{
		"standard RDP security only":   {"rdp", SecurityAny},
		"NLA required and not offered": {"negotiate", SecurityNLA},
	} {
		t.Run(name, func(t *testing.T) {
			x := testbed.StartXRDP(t, testbed.XRDPOptions{SecurityLayer: c.layer, Cert: cert})
			err := start(t, x.Addr, Config{Username: x.Username, Password: desktop.Secret(x.Password), TLS: pinned(cert), Security: c.security}).ends()
			t.Log(err)
			if !errors.Is(err, desktop.ErrSecurity) {
				t.Errorf("%v, want %v", err, desktop.ErrSecurity)
			}
		})
	}
}

// TestXRDPInput types, clicks, resizes and pastes on real desktops.
func TestXRDPInput(t *testing.T) {
	realServers(t)
	for _, session := range []string{"Xorg", "Xvnc"} {
		t.Run(session, func(t *testing.T) {
			cert := testbed.NewCert(t, "127.0.0.1")
			x := testbed.StartXRDP(t, testbed.XRDPOptions{Session: session, Cert: cert})
			cfg := Config{
				Username: x.Username, Password: desktop.Secret(x.Password), Size: image.Pt(1024, 768), TLS: pinned(cert),
			}
			cfg.Clipboard.ToTarget, cfg.Clipboard.FromTarget = true, true
			l := start(t, x.Addr, cfg)
			l.connected()
			screen := x.Session(t)

			out := filepath.Join(x.Home, "typed")
			l.types("cat >typed\nHello, World #1 \\ {x}|<y>\n")
			l.sends(desktop.KeyEvent{Scancode: 0x1d, Down: true}, desktop.KeyEvent{Scancode: 0x20, Down: true},
				desktop.KeyEvent{Scancode: 0x20}, desktop.KeyEvent{Scancode: 0x1d}) // Ctrl-D
			testbed.Eventually(t, patience, "the text typed", func() bool { return read(out) == "Hello, World #1 \\ {x}|<y>\n" })

			clicks := filepath.Join(t.TempDir(), "clicks")
			testbed.XTerm(t, screen.Display, "stty raw -echo; printf '\\033[?1000h\\033[?1006h'; exec cat >"+clicks)
			at := image.Pt(100, 100)
			for what, acts := range map[string][]desktop.Input{
				"\x1b[<0;":  {desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonLeft}, desktop.PointerEvent{Pos: at}},
				"\x1b[<1;":  {desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonMiddle}, desktop.PointerEvent{Pos: at}},
				"\x1b[<2;":  {desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonRight}, desktop.PointerEvent{Pos: at}},
				"\x1b[<64;": {desktop.WheelEvent{Pos: at, DY: -1}},
				"\x1b[<65;": {desktop.WheelEvent{Pos: at, DY: 1}},
			} {
				l.sends(desktop.PointerEvent{Pos: at})
				testbed.Eventually(t, patience, "the mouse event "+what[1:], func() bool {
					l.sends(acts...)
					return strings.Contains(read(clicks), what)
				})
			}

			testbed.ClipboardSet(t, screen.Display, "from the target: Grüße 日本\n")
			testbed.Eventually(t, patience, "text of the target", func() bool {
				return l.observer.has("clipboard from the target: Grüße 日本\n")
			})
			l.sends(desktop.ClipboardText{Text: "to the target: Grüße 日本\n"})
			testbed.Eventually(t, patience, "text on the target", func() bool {
				return testbed.ClipboardGet(t, screen.Display) == "to the target: Grüße 日本\n"
			})

			want := image.Pt(1280, 720)
			testbed.Eventually(t, patience, "display control", func() bool { return l.Resize(want) == nil })
			testbed.Eventually(t, patience, "the new size", func() bool { return l.fb.Size() == want && screen.Size(t) == want })
			l.pointAway()
			l.shows(math.Inf(1), func() *image.RGBA { return screen.Screenshot(t) })
		})
	}
}
