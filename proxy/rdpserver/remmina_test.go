package rdpserver

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestRemmina lets Remmina show the desktop, once with bitmaps and once with H.264, and looks for it in its window.
func TestRemmina(t *testing.T) {
	if testing.Short() {
		t.Skip("a real client")
	}
	testbed.Require(t, "remmina", "dbus-run-session")
	size := image.Pt(640, 480)
	for _, c := range []struct {
		name  string
		depth int // Remmina's: 32 bits, or 65 for H.264
	}{{"bitmaps", 32}, {"video", 65}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, size, nil)
			r.draw(image.Point{}, noisy(size))
			screen := testbed.StartXvfb(t, image.Pt(1024, 800))
			testbed.OpenBox(t, screen.Display)
			home := t.TempDir()
			profile := filepath.Join(home, "c.remmina")
			require.NoError(t, os.WriteFile(profile, fmt.Appendf(nil, `[remmina]
name=vitrine
protocol=RDP
server=%s
username=alice
password=.
ignore-tls-errors=1
cert_ignore=1
security=tls
colordepth=%d
resolution_mode=2
resolution_width=%d
resolution_height=%d
viewmode=1
scale=0
disablepasswordstoring=0
`, r.addr, c.depth, size.X, size.Y), 0o600))
			cmd := exec.Command("dbus-run-session", "remmina", "-c", profile)
			cmd.Env = append(os.Environ(), "DISPLAY="+screen.Display, "HOME="+home, "GDK_BACKEND=x11", "NO_AT_BRIDGE=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out := &output{}
			cmd.Stdout, cmd.Stderr = out, out
			require.NoError(t, cmd.Start())
			t.Cleanup(func() {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait()
				if t.Failed() {
					t.Log(out.String())
				}
			})
			want := crop(r.picture(), image.Rect(0, 0, 500, 400)) // the window shows as much as fits
			require.True(t, eventually(20*time.Second, func() bool { return find(grab(t, screen.Display), want) }), "the desktop is not in Remmina's window")
		})
	}
}

// grab is a screen's picture, of screens that xwd gives 24 bits a pixel of.
func grab(t *testing.T, display string) *image.RGBA {
	t.Helper()
	img, err := png.Decode(strings.NewReader(testbed.Run(t, display, "import", "-window", "root", "-depth", "8", "png24:-")))
	require.NoError(t, err)
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	return out
}

// find tells whether a picture lies somewhere in another.
func find(in, want *image.RGBA) bool {
	w, h := want.Bounds().Dx(), want.Bounds().Dy()
	row := want.Pix[(h/2)*want.Stride : (h/2)*want.Stride+4*w]
	for y := h / 2; y <= in.Bounds().Dy()-h+h/2; y++ {
		for x := 0; x <= in.Bounds().Dx()-w; x++ {
			at := in.PixOffset(x, y)
			if string(in.Pix[at:at+4*w]) == string(row) && differ(crop(in, image.Rect(x, y-h/2, x+w, y-h/2+h)), want, 0) == 0 {
				return true
			}
		}
	}
	return false
}
