package e2e

import (
	"fmt"
	"image"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// exactSize is a desktop that fits a window at 1:1.
var exactSize = image.Pt(1200, 700)

// exactDesk is a TigerVNC desktop with small coloured text, shown at 1:1 in Chromium.
type exactDesk struct {
	t  *testing.T
	x  *testbed.Xvnc
	g  *gateway
	b  *browser
	id string

	changes *changes // of the desktop
}

const toolbarHeight = 44 // CSS pixels above the desktop

func startExactDesk(t *testing.T) *exactDesk {
	t.Helper()
	requireConsole(t)
	testbed.Require(t, "openbox", "xterm", "ffplay", testbed.Python)
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: exactSize})
	testbed.OpenBox(t, x.Display)
	testbed.PaintWallpaper(t, &x.X)
	// 8-pixel text in all colours, on all colours.
	colours := `for b in 0 1 2 3 4 5 6 7; do for f in 0 1 2 3 4 5 6 7; do printf "\033[3${f};4${b}mcolour $f on $b\033[0m "; done; echo; done; ` +
		`ls -la --color=always /etc | head -40; exec sleep 1d`
	background(t, x.Display, "xterm", "-fn", "5x8", "-geometry", "110x50+20+30", "-e", "sh", "-c", colours)
	background(t, x.Display, "xterm", "-fa", "Monospace", "-fs", "6", "-geometry", "90x30+640+30", "-e", "sh", "-c", colours)
	g := startGateway(t, fmt.Sprintf("targets:\n  - {id: desk, name: Desk, protocol: vnc, address: %q, tls: {mode: \"off\"}}\n", x.Addr))
	d := newExactDesk(t, x, g, openBrowser(t, g))
	d.b.do("viewport", nil, "width", exactSize.X, "height", exactSize.Y+toolbarHeight)
	d.id = d.b.connect("Desk")
	d.b.mouse(exactSize.X-1, exactSize.Y-1, "") // the pointer is a part of what is seen
	return d
}

func newExactDesk(t *testing.T, x *testbed.Xvnc, g *gateway, b *browser) *exactDesk {
	return &exactDesk{t: t, x: x, g: g, b: b, changes: readChanges(t, x.Display, "changes.py")}
}

// seen returns what the browser's window shows of the desktop, pixel by pixel.
func (b *browser) seen() *image.RGBA {
	b.t.Helper()
	var file string
	b.do("seen", &file)
	return decodePNG(b.t, file)
}

// differing counts the pixels in which two pictures of a size differ, and returns what holds them all.
func differing(a, b *image.RGBA) (n int, where image.Rectangle) {
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				n++
				where = where.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return n, where
}

// requireExact waits until the window shows the desktop exactly. Screenshots take their time: the desktop must be at rest.
func (d *exactDesk) requireExact(after string) {
	d.t.Helper()
	began := time.Now()
	for {
		got, want := d.b.seen(), d.x.Screenshot(d.t)
		require.Equal(d.t, want.Rect.Size(), got.Rect.Size(), "the desktop is not shown at 1:1")
		n, where := differing(got, want)
		if n == 0 {
			d.t.Logf("exact %v after %s", time.Since(began).Round(time.Millisecond), after)
			return
		}
		if time.Since(began) > patience {
			d.b.screenshot("inexact")
			var cover struct{ Tiles, Pixels int }
			d.b.do("exact", &cover)
			require.Fail(d.t, "not exact", "after %s: %d of %d pixels differ, in %v; %d of %d under tiles", after, n, exactSize.X*exactSize.Y, where, cover.Tiles, cover.Pixels)
		}
	}
}

// TestExact works on the desktop in each way that goes another way through the lanes; at rest the browser's window must show
// each time what the target's own screenshot does, pixel by pixel.
func TestExact(t *testing.T) {
	d := startExactDesk(t)
	d.requireExact("the first picture")
	d.requireExactAfterWork()
	d.b.screenshot("exact")
	d.b.silent()
}

// requireExactAfterWork types, scrolls, drags a window and plays a video, and requires the window to be exact after each; it logs how soon.
func (d *exactDesk) requireExactAfterWork() {
	d.t.Helper()
	for _, w := range []struct {
		name  string
		start func(*testing.T)
	}{
		{"typing", func(stop *testing.T) {
			terminal(stop, d.x.Display, "60x12+400+420", "typing", "lines.py type 8", 3)
		}},
		{"scrolling", func(stop *testing.T) {
			terminal(stop, d.x.Display, "100x40+100+60", "scroll", "lines.py scroll 10 3", 3)
		}},
		{"dragging", func(stop *testing.T) {
			background(stop, d.x.Display, "xterm", "-fn", "5x8", "-geometry", "80x24+300+300", "-T", "dragged", "-e", "sh", "-c", "ls -la --color=always /etc | head -23; exec sleep 1d")
			time.Sleep(time.Second)
			background(stop, d.x.Display, testbed.Python, script("mover.py"), "dragged", "3", "30")
		}},
		{"video", func(stop *testing.T) {
			background(stop, d.x.Display, "ffplay", "-v", "error", "-an", "-sn", "-loop", "0", "-framedrop", "-noborder",
				"-left", "200", "-top", "150", "-x", "600", "-y", "340", clip(stop))
		}},
	} {
		require.True(d.t, d.t.Run(w.name, func(t *testing.T) { // what draws ends with it
			w.start(t)
			time.Sleep(4 * time.Second)
		}))
		d.requireRest(w.name)
	}
}
