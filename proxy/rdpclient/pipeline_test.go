package rdpclient

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// gnome starts a desktop that sends its picture through the graphics pipeline alone, and a client of it.
func gnome(t *testing.T, o testbed.GNOMEOptions, size image.Point) (*testbed.GNOME, *link) {
	t.Helper()
	g := testbed.StartGNOME(t, o)
	cfg := Config{
		Username: g.Username, Password: desktop.Secret(g.Password), TLS: pinned(g.Cert), Security: SecurityNLA, Size: size,
	}
	cfg.Clipboard.ToTarget, cfg.Clipboard.FromTarget = true, true
	l := start(t, g.Addr, cfg)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the server:\n%s", g.Output())
		}
	})
	l.connected()
	return g, l
}

var pipelineFrames = regexp.MustCompile(`msg="graphics pipeline" version=(\S+) frames=(\d+) ignored=(\d+)`)

// piped ends the client and checks that its picture came through the pipeline, in least frames or more.
func (l *link) piped(least int) {
	l.t.Helper()
	l.stop()
	found := pipelineFrames.FindStringSubmatch(l.log.String())
	if found == nil {
		l.t.Fatal("no graphics pipeline was opened")
	}
	if n, _ := strconv.Atoi(found[2]); n < least || found[3] != "0" {
		l.t.Errorf("%s frames, %s messages ignored, want %d and none", found[2], found[3], least)
	}
	l.t.Logf("version %s, %s frames", found[1], found[2])
}

// fidget moves the pointer, which is no part of the picture: mutter now and then keeps a change back until there is
// another one.
func (l *link) fidget() error {
	return errors.Join(l.Send(desktop.PointerEvent{Pos: image.Pt(300, 300)}), l.Send(desktop.PointerEvent{Pos: image.Pt(301, 301)}))
}

// showsLively waits for a picture.
func (l *link) showsLively(want *image.RGBA) {
	l.t.Helper()
	l.shows(40, func() *image.RGBA {
		if err := l.fidget(); err != nil {
			l.t.Fatal(err)
		}
		return want
	})
	l.t.Logf("%v: %.1f dB", want.Bounds().Max, psnr(l.picture(), want))
}

// poster is a picture that is nothing like the wallpaper: hard edges, full colours, fine lines and letters' worth of noise.
func poster(size image.Point) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for i := range 48 {
		at := image.Pt(37*i*11%size.X, 53*i*7%size.Y)
		c := color.RGBA{R: uint8(i * 37), G: uint8(i * 91), B: uint8(i * 151), A: 0xff}
		draw.Draw(img, image.Rectangle{Min: at, Max: at.Add(image.Pt(90, 70))}, image.NewUniform(c), image.Point{}, draw.Src)
	}
	for y := size.Y / 2; y < size.Y/2+64; y += 4 {
		for x := 0; x < size.X; x += 2 {
			img.SetRGBA(x, y, color.RGBA{A: 0xff})
		}
	}
	return img
}

// TestPipelineGNOME shows the desktop of gnome-remote-desktop, a server that knows nothing but the graphics pipeline,
// and works on it.
func TestPipelineGNOME(t *testing.T) {
	realServers(t)
	size := image.Pt(1024, 768)
	g, l := gnome(t, testbed.GNOMEOptions{Size: size}, size)
	var shown *testbed.Process
	show := func(img *image.RGBA) {
		next := g.Picture(t, img)
		l.showsLively(img)
		if shown != nil {
			shown.Stop()
		}
		shown = next
	}
	wallpaper := testbed.Wallpaper(size)
	show(wallpaper)
	show(poster(size))
	// A small change redraws a few tiles.
	draw.Draw(wallpaper, image.Rect(301, 203, 420, 305), image.NewUniform(color.RGBA{R: 200, G: 30, B: 90, A: 0xff}), image.Point{}, draw.Src)
	show(wallpaper)
	shown.Stop()

	out := filepath.Join(t.TempDir(), "typed")
	testbed.XTerm(t, g.Display, "cat >"+out)
	at := image.Pt(200, 200)
	l.sends(desktop.PointerEvent{Pos: at}, desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonLeft}, desktop.PointerEvent{Pos: at})
	// The desktop has no keyboard before the first key, and loses what comes until its programs know that.
	testbed.Eventually(t, patience, "a key", func() bool {
		l.types("\n")
		time.Sleep(200 * time.Millisecond)
		return read(out) != ""
	})
	l.types("GNOME #1 {x}|<y>\n")
	testbed.Eventually(t, patience, "the text typed", func() bool { return strings.HasSuffix(read(out), "\nGNOME #1 {x}|<y>\n") })

	testbed.ClipboardSet(t, g.Display, "from GNOME: Grüße 日本\n")
	testbed.Eventually(t, patience, "text of the target", func() bool { return l.observer.has("clipboard from GNOME: Grüße 日本\n") })
	l.sends(desktop.ClipboardText{Text: "to GNOME: Grüße 日本\n"})
	testbed.Eventually(t, patience, "text on the target", func() bool {
		return testbed.ClipboardGet(t, g.Display) == "to GNOME: Grüße 日本\n"
	})
	l.piped(4)
}

// TestPipelineGNOMEResize gives a desktop other sizes while it is shown.
func TestPipelineGNOMEResize(t *testing.T) {
	realServers(t)
	for range 5 {
		if resizesGNOME(t) {
			return
		}
		t.Log("the server ended itself: once more")
	}
	t.Error("the server ended itself each time")
}

// resizesGNOME reports whether the server lived through it: gnome-remote-desktop 43 now and then aborts when its picture takes
// another size, because it has not sent the last one of the size before.
func resizesGNOME(t *testing.T) bool {
	t.Helper()
	size := image.Pt(1024, 768)
	g, l := gnome(t, testbed.GNOMEOptions{Extend: true}, size)
	aborted := func() bool {
		return !g.Alive() && strings.Contains(g.Output(), "grd_rdp_buffer_pool_resize_buffers: assertion failed")
	}
	for _, size := range []image.Point{size, image.Pt(1280, 720), image.Pt(800, 600)} {
		testbed.Eventually(t, patience, "display control", func() bool { return l.Resize(size) == nil })
		want := testbed.Wallpaper(size)
		var picture *testbed.Process
		testbed.Eventually(t, patience, "a picture of the new size", func() bool {
			_ = l.fidget() // an error means that the server has ended
			if picture == nil && l.fb.Size() == size {
				picture = g.Picture(t, want)
			}
			time.Sleep(100 * time.Millisecond)
			return aborted() || psnr(l.picture(), want) >= 40
		})
		if aborted() {
			return false
		}
		t.Logf("%v: %.1f dB", size, psnr(l.picture(), want))
		picture.Stop()
	}
	l.piped(3)
	return true
}

// TestPipelineFreeRDP shows what FreeRDP's half of a server sends, in every version of the protocol that it is offered.
func TestPipelineFreeRDP(t *testing.T) {
	realServers(t)
	size := testbed.EGFXSize
	sent := poster(size)
	draw.Draw(sent, image.Rect(0, 0, size.X/2, size.Y), testbed.Wallpaper(size), image.Point{}, draw.Src)
	for _, set := range egfx.ClientCaps() {
		t.Run(set.Version.String(), func(t *testing.T) {
			e := testbed.StartEGFX(t, uint32(set.Version), sent)
			l := start(t, e.Addr, Config{TLS: pinned(e.Cert)})
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("log of the server:\n%s", e.Output())
				}
			})
			l.connected()
			l.shows(40, func() *image.RGBA { return e.Shown })
			got := l.picture()
			t.Logf("%.1f dB", psnr(got, e.Shown))
			for y := range size.Y {
				for x := range size.X {
					if g, w := got.RGBAAt(x, y), e.Shown.RGBAAt(x, y); g != w && (y < 192 || y >= 384) {
						l.keep("got", got)
						t.Fatalf("pixel %d,%d is %v, want %v", x, y, g, w)
					}
				}
			}
			testbed.Eventually(t, patience, "the acknowledgements", func() bool {
				return strings.Contains(e.Output(), "acknowledged 5, 5 in all\n")
			})
			l.piped(5)
		})
	}
}
