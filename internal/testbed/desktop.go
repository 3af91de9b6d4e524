package testbed

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// xterms counts the terminals of this process, so that each has a title of its own.
var xterms atomic.Int64

// XTerm opens a terminal of 80×24 characters at the top left that runs a shell script, waits until it shows,
// and gives it the keyboard.
func XTerm(t TB, display, script string) *Process {
	t.Helper()
	Require(t, "xterm", "xdotool")
	title := fmt.Sprintf("testbed-%d-%d", os.Getpid(), xterms.Add(1))
	p := start(t, spawn{
		name: "xterm",
		args: []string{"-geometry", "80x24+0+0", "-T", title, "-e", "sh", "-c", script},
		env:  []string{"DISPLAY=" + display, "LC_ALL=C.UTF-8"},
		calm: true,
	})
	var window string
	Eventually(t, startTimeout, "an xterm on "+display, func() bool {
		out, err := try(display, "xdotool", "search", "--onlyvisible", "--name", "^"+title+"$")
		window = strings.TrimSpace(out)
		return err == nil && window != "" || !p.Alive()
	})
	if window == "" {
		t.Fatalf("testbed: xterm ended: %s", p.Output())
	}
	Run(t, display, "xdotool", "windowfocus", "--sync", window)
	return p
}

// Type presses the keys that write text, on the display itself.
func Type(t TB, display, text string) {
	t.Helper()
	Require(t, "xdotool")
	Run(t, display, "xdotool", "type", "--delay", "15", "--", text)
}

// ClipboardSet puts text on the display's clipboard.
func ClipboardSet(t TB, display, text string) {
	t.Helper()
	Require(t, "xclip")
	file := filepath.Join(t.TempDir(), "clipboard")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	start(t, spawn{ // stays to serve the text until somebody else owns the clipboard
		name: "xclip",
		args: []string{"-quiet", "-selection", "clipboard", "-i", file},
		env:  []string{"DISPLAY=" + display, "LC_ALL=C.UTF-8"},
		calm: true,
	})
	Eventually(t, startTimeout, "the clipboard of "+display, func() bool { return ClipboardGet(t, display) == text })
}

// ClipboardGet returns the text on the display's clipboard, "" when there is none.
func ClipboardGet(t TB, display string) string {
	t.Helper()
	Require(t, "xclip")
	text, err := try(display, "xclip", "-selection", "clipboard", "-t", "UTF8_STRING", "-o")
	if err != nil {
		return "" // nobody owns it, or its owner has no text
	}
	return text
}

// OpenBox starts a window manager, so that windows have frames and can be moved.
func OpenBox(t TB, display string) *Process {
	t.Helper()
	Require(t, "openbox", "xprop")
	p := start(t, spawn{name: "openbox", args: []string{"--sm-disable"}, env: []string{"DISPLAY=" + display}})
	Eventually(t, startTimeout, "a window manager on "+display, func() bool {
		out, err := try(display, "xprop", "-root", "_NET_SUPPORTING_WM_CHECK")
		return err == nil && strings.Contains(out, "window id")
	})
	return p
}

// PaintWallpaper covers the screen with a picture of many colours, the same each time.
func PaintWallpaper(t TB, x *X) {
	t.Helper()
	PaintRoot(t, x, Wallpaper(x.Size(t)))
}

// PaintRoot covers the screen, behind all windows, with a picture of its size.
func PaintRoot(t TB, x *X, want *image.RGBA) {
	t.Helper()
	Require(t, "display")
	file := filepath.Join(t.TempDir(), "root.png")
	if err := writePNG(file, want); err != nil {
		t.Fatalf("testbed: %v", err)
	}
	// ImageMagick's display exits with 1 after painting a root window: the screen tells the truth.
	_, failed := try(x.Display, "display", "-window", "root", file)
	if at := want.Rect.Max.Sub(image.Pt(1, 1)); x.Screenshot(t).RGBAAt(at.X, at.Y) != want.RGBAAt(at.X, at.Y) {
		t.Fatalf("testbed: the picture does not show on %s: %v", x.Display, failed)
	}
}

func writePNG(file string, img image.Image) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	err = png.Encode(f, img)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Wallpaper returns the picture that PaintWallpaper shows: two slow gradients and a little noise.
func Wallpaper(size image.Point) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	noise := uint32(1)
	for y := range size.Y {
		for x := range size.X {
			noise = noise*1664525 + 1013904223
			n := int(noise >> 30)
			img.SetRGBA(x, y, color.RGBA{
				R: uint8(40 + 120*x/size.X + n), G: uint8(60 + 90*y/size.Y + n),
				B: uint8(90 + 100*(x+y)/(size.X+size.Y) + n), A: 0xff,
			})
		}
	}
	return img
}
