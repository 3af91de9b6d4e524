package vncclient

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// patience is how long a real server may take for anything, on a machine under load.
const patience = time.Minute

// remote is a session with a real server.
type remote struct {
	*Client
	fb   *desktop.Framebuffer
	seen *recorder
	stop func() error // ends the session and returns what Run returned
	done <-chan error // capacity 1
}

// dial begins a session and waits until the server has let it in.
func dial(t *testing.T, addr string, cfg Config) *remote {
	t.Helper()
	r := begin(t, addr, cfg)
	testbed.Eventually(t, patience, "a session with "+addr, func() bool {
		select {
		case err := <-r.done:
			t.Fatalf("session ended: %v", err)
		default:
		}
		return len(r.seen.all()) > 0
	})
	return r
}

// begin starts a session that ends with the test.
func begin(t *testing.T, addr string, cfg Config) *remote {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, nc, cfg)
}

// start is begin on a connection.
func start(t *testing.T, nc net.Conn, cfg Config) *remote {
	t.Helper()
	r := &remote{seen: &recorder{}}
	cfg.Observer = r.seen
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	if r.Client, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if r.fb, err = desktop.NewFramebuffer(image.Pt(16, 16)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done <- r.Run(ctx, nc, r.fb)
	}()
	r.done = done
	r.stop = func() error { cancel(errStop); return <-done }
	t.Cleanup(func() { cancel(errStop); <-ended })
	return r
}

// differs returns where the picture differs from a screenshot, "" if nowhere.
func (r *remote) differs(want *image.RGBA) string {
	pix, size := r.fb.CopyPixels()
	if size != want.Bounds().Size() {
		return fmt.Sprintf("size %v, want %v", size, want.Bounds().Size())
	}
	for y := range size.Y {
		for x := range size.X {
			got, w := pix[(y*size.X+x)*4:], want.Pix[y*want.Stride+x*4:]
			if got[2] != w[0] || got[1] != w[1] || got[0] != w[2] {
				return fmt.Sprintf("pixel %d,%d is %x, want %x (rgb)", x, y, []byte{got[2], got[1], got[0]}, w[:3])
			}
		}
	}
	return ""
}

// wantPicture waits until the picture equals the display's own screenshot, pixel by pixel.
func (r *remote) wantPicture(t *testing.T, x *testbed.X) {
	t.Helper()
	var last string
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if last = r.differs(x.Screenshot(t)); last == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the picture never became the target's: %s", last)
		}
	}
}

// TestPicture compares pictures with screenshots: at first, after text scrolled, and after a window moved.
func TestPicture(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers for long")
	}
	t.Parallel()
	size := image.Pt(803, 601) // not a multiple of any tile
	servers := []struct {
		name  string
		start func(t *testing.T) (x *testbed.X, addr string)
	}{
		{"TigerVNC", func(t *testing.T) (*testbed.X, string) {
			s := testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
			return &s.X, s.Addr
		}},
		{"x11vnc", func(t *testing.T) (*testbed.X, string) {
			s := testbed.StartX11vnc(t, testbed.X11vncOptions{Size: size})
			return s.Screen, s.Addr
		}},
	}
	encodings := []struct {
		name string
		list []EncodingType
	}{
		{"raw", []EncodingType{EncodingRaw}},
		{"copyrect", []EncodingType{EncodingCopyRect, EncodingRaw}},
		{"hextile", []EncodingType{EncodingHextile}},
		{"zrle", []EncodingType{EncodingZRLE}},
		{"tight", []EncodingType{EncodingTight}},
		{"default", nil},
	}
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			x, addr := server.start(t)
			testbed.OpenBox(t, x.Display)
			testbed.PaintWallpaper(t, x)
			testbed.XTerm(t, x.Display, "ls -la /; cat")
			for i, enc := range encodings {
				t.Run(enc.name, func(t *testing.T) {
					r := dial(t, addr, Config{AllowPlaintext: true, Encodings: enc.list})
					// TigerVNC draws the pointer into the picture until it is moved from here.
					if err := r.Send(desktop.PointerEvent{Pos: image.Pt(700+i, 550)}); err != nil {
						t.Fatal(err)
					}
					r.wantPicture(t, x)
					for i := range 30 {
						if err := r.Send(desktop.TextInput{Text: fmt.Sprintf("line %d of %s\n", i, enc.name)}); err != nil {
							t.Fatal(err)
						}
					}
					r.wantPicture(t, x)
					testbed.Run(t, x.Display, "xdotool", "getactivewindow", "windowmove", "--relative", "--", "17", "9")
					r.wantPicture(t, x)
					if err := r.stop(); !errors.Is(err, errStop) {
						t.Fatal(err)
					}
				})
			}
		})
	}
}

// TestTyping: what is typed here is read by a program in the target's terminal.
func TestTyping(t *testing.T) {
	t.Parallel()
	for _, server := range []struct {
		name  string
		start func(t *testing.T) (display, addr string)
	}{
		{"TigerVNC", func(t *testing.T) (string, string) {
			s := testbed.StartXvnc(t, testbed.XvncOptions{})
			return s.Display, s.Addr
		}},
		{"x11vnc", func(t *testing.T) (string, string) {
			s := testbed.StartX11vnc(t, testbed.X11vncOptions{Args: []string{"-add_keysyms"}})
			return s.Screen.Display, s.Addr
		}},
	} {
		t.Run(server.name, func(t *testing.T) {
			display, addr := server.start(t)
			file := filepath.Join(t.TempDir(), "typed")
			testbed.XTerm(t, display, "cat > "+file)
			r := dial(t, addr, plaintext)
			const text = "Hello, World! {[|~]} aäß\n"
			for _, in := range []desktop.Input{
				desktop.TextInput{Text: text},
				// A capital letter as a person presses it.
				desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a, Down: true},
				desktop.KeyEvent{Keysym: 'Q', Scancode: 0x10, Down: true},
				desktop.KeyEvent{Keysym: 'Q', Scancode: 0x10},
				desktop.KeyEvent{Keysym: 0xffe1, Scancode: 0x2a},
				desktop.KeyEvent{Keysym: 0xff0d, Scancode: 0x1c, Down: true},
				desktop.KeyEvent{Keysym: 0xff0d, Scancode: 0x1c},
			} {
				if err := r.Send(in); err != nil {
					t.Fatal(err)
				}
			}
			var got []byte
			testbed.Eventually(t, patience, "the text in the terminal", func() bool {
				got, _ = os.ReadFile(file)
				return strings.Count(string(got), "\n") == 2
			})
			if want := text + "Q\n"; string(got) != want {
				t.Fatalf("typed %q, want %q", got, want)
			}
		})
	}
}

// TestPointer: the target's pointer goes where it is sent.
func TestPointer(t *testing.T) {
	t.Parallel()
	s := testbed.StartXvnc(t, testbed.XvncOptions{})
	r := dial(t, s.Addr, plaintext)
	if err := r.Send(desktop.PointerEvent{Pos: image.Pt(321, 234)}); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, patience, "the pointer", func() bool {
		return strings.HasPrefix(testbed.Run(t, s.Display, "xdotool", "getmouselocation"), "x:321 y:234 ")
	})
	testbed.Eventually(t, patience, "a pointer shape", func() bool { return r.fb.Cursor().Serial > 0 })
}

func TestResizeTarget(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers for long")
	}
	t.Parallel()
	s := testbed.StartXvnc(t, testbed.XvncOptions{})
	r := dial(t, s.Addr, plaintext)
	for _, size := range []image.Point{{1280, 720}, {641, 479}, {1920, 1080}} {
		testbed.Eventually(t, patience, "the ability to resize", func() bool {
			err := r.Resize(size)
			if err != nil && !errors.Is(err, desktop.ErrUnsupported) {
				t.Fatal(err)
			}
			return err == nil
		})
		testbed.Eventually(t, patience, "the new size", func() bool { return r.fb.Size() == size })
		testbed.PaintWallpaper(t, &s.X)
		if err := r.Send(desktop.PointerEvent{Pos: size.Div(3)}); err != nil {
			t.Fatal(err)
		}
		r.wantPicture(t, &s.X)
	}
	// And from the target's side.
	testbed.Require(t, "xrandr")
	testbed.Run(t, s.Display, "xrandr", "--output", "VNC-0", "--mode", "1024x768")
	testbed.Eventually(t, patience, "the target's own size", func() bool { return r.fb.Size() == image.Pt(1024, 768) })
	r.wantPicture(t, &s.X)
}

func TestClipboardTigerVNC(t *testing.T) {
	t.Parallel()
	s := testbed.StartXvnc(t, testbed.XvncOptions{})
	r := dial(t, s.Addr, plaintext)
	for _, text := range []string{"é€日本", "two\nlines", strings.Repeat("long ", 40_000)} {
		if err := r.Send(desktop.ClipboardText{Text: text}); err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, patience, "text on the target", func() bool {
			return testbed.ClipboardGet(t, s.Display) == text
		})
	}
	for _, text := range []string{"vom Ziel: é€日本", "zwei\nZeilen"} {
		testbed.ClipboardSet(t, s.Display, text)
		testbed.Eventually(t, patience, "text from the target", func() bool {
			return slices.Contains(r.seen.all(), "clipboard "+text)
		})
	}
}

func TestClipboardX11vnc(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers for long")
	}
	t.Parallel()
	s := testbed.StartX11vnc(t, testbed.X11vncOptions{})
	r := dial(t, s.Addr, plaintext)
	if err := r.Send(desktop.ClipboardText{Text: "né €"}); err != nil {
		t.Fatal(err)
	}
	testbed.Require(t, "xprop")
	testbed.Eventually(t, patience, "text on the target", func() bool {
		// x11vnc always keeps a cut buffer; the selections only while it has their owner's role.
		out := testbed.Run(t, s.Screen.Display, "xprop", "-root", "CUT_BUFFER0")
		return strings.TrimSpace(out) == `CUT_BUFFER0(STRING) = "n\351 ?"`
	})
	// x11vnc sends nothing in the first seconds of a connection, nor later what was set then.
	n := 0
	testbed.Eventually(t, 3*patience, "text from the target", func() bool {
		n++
		testbed.Run(t, s.Screen.Display, "xprop", "-root", "-f", "CUT_BUFFER0", "8s", "-set", "CUT_BUFFER0", fmt.Sprintf("plain \xe9 %d", n))
		return slices.ContainsFunc(r.seen.all(), func(e string) bool { return strings.HasPrefix(e, "clipboard plain é ") })
	})
}

func TestSecurityTigerVNC(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real servers for long")
	}
	t.Parallel()
	const password = "Vnc0Pass"
	cert := testbed.NewCert(t, "127.0.0.1", "vnc.test")
	other := testbed.NewCert(t, "127.0.0.1")
	serve := func(types ...string) *testbed.Xvnc {
		x := testbed.StartXvnc(t, testbed.XvncOptions{Security: types, Password: password, Cert: cert})
		testbed.PaintWallpaper(t, &x.X)
		return x
	}
	secure, anonymous, old := serve("X509Vnc", "VncAuth"), serve("TLSVnc", "VncAuth"), serve("VncAuth")
	pinned := trust.Policy{Fingerprint: cert.Fingerprint}
	for i, c := range []struct {
		name   string
		server *testbed.Xvnc
		cfg    Config
		want   error // nil: a session
	}{
		{"authority", secure, Config{Password: password, TLS: trust.Policy{Roots: cert.Pool}}, nil},
		{"authority and name", secure, Config{Password: password, TLS: trust.Policy{Roots: cert.Pool, ServerName: "vnc.test"}}, nil},
		{"fingerprint", secure, Config{Password: password, TLS: pinned}, nil},
		{"wrong password", secure, Config{Password: "wrong", TLS: pinned}, desktop.ErrAuth},
		{"wrong fingerprint", secure, Config{Password: password, TLS: trust.Policy{Fingerprint: other.Fingerprint}}, desktop.ErrCertificate},
		{"wrong authority", secure, Config{Password: password, TLS: trust.Policy{Roots: other.Pool}}, desktop.ErrCertificate},
		{"wrong name", secure, Config{Password: password, TLS: trust.Policy{Roots: cert.Pool, ServerName: "else.test"}}, desktop.ErrCertificate},
		{"system's authorities", secure, Config{Password: password}, desktop.ErrCertificate},
		{"certificate although plaintext is allowed", secure, Config{Password: password, AllowPlaintext: true}, desktop.ErrCertificate},
		{"no password", secure, Config{TLS: pinned}, desktop.ErrAuth},
		{"anonymous TLS", anonymous, Config{Password: password, TLS: pinned}, desktop.ErrSecurity},
		{"plaintext beside anonymous TLS", anonymous, Config{Password: password, AllowPlaintext: true}, nil},
		{"plaintext", old, Config{Password: password, AllowPlaintext: true}, nil},
		{"plaintext, wrong password", old, Config{Password: "wrong", AllowPlaintext: true}, desktop.ErrAuth},
		{"plaintext not allowed", old, Config{Password: password}, desktop.ErrSecurity},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == nil {
				r := dial(t, c.server.Addr, c.cfg)
				if err := r.Send(desktop.PointerEvent{Pos: image.Pt(500+i, 500)}); err != nil {
					t.Fatal(err)
				}
				r.wantPicture(t, &c.server.X)
				return
			}
			select {
			case err := <-begin(t, c.server.Addr, c.cfg).done:
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				if strings.Contains(err.Error(), string(c.cfg.Password)) && c.cfg.Password != "" {
					t.Fatalf("the password is in the error: %v", err)
				}
			case <-time.After(patience):
				t.Fatal("no error")
			}
		})
	}
}

// TestTargetVanishes: a cut line ends the session at once.
func TestTargetVanishes(t *testing.T) {
	t.Parallel()
	s := testbed.StartXvnc(t, testbed.XvncOptions{})
	line := testbed.StartFaultProxy(t, s.Addr)
	for _, c := range []struct {
		name string
		end  func()
	}{
		{"line cut", line.Cut},
		{"server killed", func() { s.Kill() }},
	} {
		line.Resume()
		r := dial(t, line.Addr, plaintext)
		c.end()
		select {
		case err := <-r.done:
			if !errors.Is(err, desktop.ErrTargetGone) {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the session goes on", c.name)
		}
	}
}
