package e2e

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// desk is a real server with what a test needs of its desktop. What is nil cannot be had of it.
type desk struct {
	settings string // of the target, besides its names
	password string
	// arrange is called when the desktop shows; it may put things onto it.
	arrange func()
	// screen is what the desktop shows, by its own word.
	screen func() *image.RGBA
	// typing opens a terminal, if arrange has not, that writes what is typed into a file, and returns that.
	typing func() string
	// clicking opens a window that tells what the mouse does to it, at its place, in these words.
	clicking func() (told, click, wheel string)
	at       image.Point // in that window, and in the terminal
	// x is the X server behind it, once arrange was called.
	x func() *testbed.X
	// display is the X display that has the clipboard; "" for none.
	display func() string
	resizes bool
	// still says that screen tells only what shows until typing opens a window.
	still bool
	// again says that a line may be typed again: on a busy machine the target's terminal does not always get the first as it was typed.
	again  bool
	before *image.RGBA // the desktop when typing began, or at first where it is still
}

// focus clicks into the terminal and waits until what is typed comes into its file: where the desktop gives it the keyboard a moment after
// the click, the first keys are nobody's.
func (d *desk) focus(b *browser, file string) {
	b.t.Helper()
	b.mouse(d.at.X, d.at.Y, "left")
	testbed.Eventually(b.t, patience, "the keyboard in the terminal", func() bool {
		b.press("Enter")
		return read(file) != ""
	})
}

// park puts the pointer where pictures are not compared.
func (d *desk) park(b *browser) {
	b.t.Helper()
	size := d.screen().Rect.Size()
	b.mouse(size.X-1, size.Y-1, "")
}

func vncDesk(t *testing.T) *desk {
	t.Helper()
	x := testbed.StartXvnc(t, testbed.XvncOptions{Security: []string{"VncAuth"}, Password: "Vnc0Pass"})
	d := xDesk(t, func() *testbed.X { return &x.X }, filepath.Join(t.TempDir(), "typed"))
	d.settings = fmt.Sprintf(`address: %q, password: Vnc0Pass, tls: {mode: "off"}`, x.Addr)
	d.password = "Vnc0Pass"
	return d
}

func xrdpDesk(t *testing.T, session string) *desk {
	t.Helper()
	x := testbed.StartXRDP(t, testbed.XRDPOptions{Session: session})
	var screen *testbed.X
	d := xDesk(t, func() *testbed.X { return screen }, filepath.Join(x.Home, "typed"))
	d.settings = fmt.Sprintf("address: %q, username: %s, password: %q, tls: {mode: verify, ca_file: %s}, rdp: {keyboard_layout: en-US}",
		x.Addr, x.Username, x.Password, filepath.Join(x.Home, "../etc/cert.pem"))
	d.password, d.resizes = x.Password, true
	arrange := d.arrange
	d.arrange = func() {
		screen = x.Session(t)
		arrange()
	}
	d.display = func() string { return screen.Display }
	return d
}

func shadowDesk(t *testing.T, nla bool) *desk {
	t.Helper()
	s := testbed.StartShadow(t, testbed.ShadowOptions{NLA: nla})
	d := xDesk(t, func() *testbed.X { return s.Screen }, filepath.Join(t.TempDir(), "typed"))
	d.settings = fmt.Sprintf("address: %q, tls: {mode: pin, fingerprint: %x}", s.Addr, s.Cert.Fingerprint)
	if nla {
		d.password = s.Password
		d.settings += fmt.Sprintf(", username: %s, password: %q, rdp: {security: nla}", s.Username, s.Password)
	}
	return d
}

// xDesk is a desktop on an X display, which others take part in without RDP.
func xDesk(t *testing.T, screen func() *testbed.X, typed string) *desk {
	t.Helper()
	return &desk{
		at: image.Pt(200, 200), x: screen,
		arrange: func() {
			testbed.PaintWallpaper(t, screen())
			testbed.XTerm(t, screen().Display, "cat >"+typed)
		},
		screen: func() *image.RGBA { return screen().Screenshot(t) },
		typing: func() string { return typed },
		clicking: func() (string, string, string) {
			told := filepath.Join(t.TempDir(), "told")
			testbed.XTerm(t, screen().Display, `stty raw -echo; printf '\033[?1000h\033[?1006h'; exec cat >`+told)
			return told, "\x1b[<0;", "\x1b[<65;"
		},
	}
}

func westonDesk(t *testing.T) *desk {
	t.Helper()
	testbed.Require(t, "weston-eventdemo", "stdbuf")
	w := testbed.StartWeston(t, testbed.WestonOptions{})
	dir := t.TempDir()
	typed, told, ready := filepath.Join(dir, "typed"), filepath.Join(dir, "told"), filepath.Join(dir, "ready")
	var terminal *testbed.Process
	return &desk{
		settings: fmt.Sprintf("address: %q, tls: {mode: pin, fingerprint: %x}", w.Addr, w.Cert.Fingerprint),
		arrange:  func() {},
		screen:   func() *image.RGBA { return w.Wallpaper },
		at:       image.Pt(512, 384), still: true, // wherever the compositor puts windows, which are large

		typing: func() string {
			terminal = w.Terminal(t, "touch "+ready+"; sed -u /./q >"+typed+"; exec sleep 1d")
			testbed.Eventually(t, patience, "a terminal", func() bool { _, err := os.Stat(ready); return err == nil })
			return typed
		},
		clicking: func() (string, string, string) {
			terminal.Stop() // a click on it would bring it to the front for good
			w.Start(t, "sh", "-c", "exec stdbuf -oL weston-eventdemo -w 1024 -h 768 --log-focus --log-button --log-axis >"+told)
			testbed.Eventually(t, patience, "the window of events", func() bool { return read(told) != "" })
			return told, "button", "axis"
		},
	}
}

func gnomeDesk(t *testing.T) *desk {
	t.Helper()
	n := testbed.StartGNOME(t, testbed.GNOMEOptions{})
	picture := testbed.Wallpaper(image.Pt(1024, 768))
	cover := n.Picture(t, picture)
	typed := filepath.Join(t.TempDir(), "typed")
	d := xDesk(t, func() *testbed.X { return &testbed.X{Display: n.Display} }, typed)
	d.settings = fmt.Sprintf("address: %q, username: %s, password: %q, tls: {mode: pin, fingerprint: %x}",
		n.Addr, n.Username, n.Password, n.Cert.Fingerprint)
	d.password, d.still, d.again = n.Password, true, true
	d.arrange = func() {}
	d.screen = func() *image.RGBA { return picture }
	var terminal *testbed.Process
	d.typing = func() string {
		cover.Stop()
		terminal = testbed.XTerm(t, n.Display, "cat >"+typed)
		return typed
	}
	clicking := d.clicking
	d.clicking = func() (string, string, string) {
		terminal.Stop() // the compositor may put a second window below or beside it
		return clicking()
	}
	return d
}
