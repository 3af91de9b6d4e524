package e2e

import (
	"fmt"
	"image"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// A workload draws on a target's display for some seconds, independent of the gateway.
type workload struct {
	name  string
	still bool // nothing changes
	start func(b *testing.B, display string, seconds int)
}

var workloads = []workload{
	{"idle", true, func(*testing.B, string, int) {}},
	{"typing", false, func(b *testing.B, display string, seconds int) {
		terminal(b, display, "80x24+100+100", "typing", "lines.py type 8", seconds)
	}},
	{"scroll", false, func(b *testing.B, display string, seconds int) {
		terminal(b, display, "140x50+80+80", "scroll", "lines.py scroll 10 3", seconds)
	}},
	{"drag", false, func(b *testing.B, display string, seconds int) {
		background(b, display, "xterm", "-fa", "Monospace", "-fs", "11", "-geometry", "80x24+300+300", "-T", "dragged",
			"-e", "sh", "-c", "ls -la --color=always /etc | head -23; exec sleep 1d")
		time.Sleep(time.Second) // until the window is there to be found
		background(b, display, testbed.Python, script("mover.py"), "dragged", strconv.Itoa(seconds), "30")
	}},
	{"video", false, func(b *testing.B, display string, seconds int) {
		background(b, display, "ffplay", "-v", "error", "-an", "-sn", "-loop", "0", "-framedrop", "-noborder",
			"-left", "480", "-top", "300", clip(b))
	}},
}

// fastScroll is what the goals for targets that speak RDP speak of.
var fastScroll = workload{"fast-scroll", false, func(b *testing.B, display string, seconds int) {
	terminal(b, display, "140x50+80+80", "scroll", "lines.py scroll 20 3", seconds)
}}

func workloadNamed(name string) workload {
	return workloads[slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })]
}

type benchDesktop struct {
	b       *testing.B
	display string
	gateway *gateway
	target  string
	session session
	worker  int
}

// benchTarget starts a desktop of 1920×1080 pixels. settings are those of the gateway's target, besides its names; screen
// waits for the desktop, which some targets have only once somebody has signed in.
type benchTarget func(b *testing.B) (settings string, screen func() *testbed.X)

var benchSize = image.Pt(1920, 1080)

func tigerVNC(b *testing.B) (settings string, screen func() *testbed.X) {
	testbed.Require(b, "openbox")
	x := testbed.StartXvnc(b, testbed.XvncOptions{Size: benchSize})
	testbed.OpenBox(b, x.Display)
	return fmt.Sprintf("protocol: vnc, address: %q, tls: {mode: \"off\"}", x.Addr), func() *testbed.X { return &x.X }
}

func xrdp(b *testing.B) (settings string, screen func() *testbed.X) {
	cert := testbed.NewCert(b, "127.0.0.1")
	x := testbed.StartXRDP(b, testbed.XRDPOptions{Cert: cert}) // with a window manager
	return fmt.Sprintf("protocol: rdp, address: %q, username: %q, password: %q, tls: {mode: pin, fingerprint: %x}",
		x.Addr, x.Username, x.Password, cert.Fingerprint), func() *testbed.X { return x.Session(b) }
}

// newBenchDesktop starts a desktop and a gateway, connects them, and makes the desktop look like one.
func newBenchDesktop(b *testing.B, target benchTarget) *benchDesktop {
	b.Helper()
	return newBenchDesktops(b, target, 1)[0]
}

// newBenchDesktops starts several, all of one gateway.
func newBenchDesktops(b *testing.B, target benchTarget, sessions int) []*benchDesktop {
	b.Helper()
	testbed.Require(b, "xterm", "ffplay", testbed.Python)
	_, door := nativeDoor(b)
	config, screens := door+"targets:\n", make([]func() *testbed.X, sessions)
	for i := range sessions {
		var settings string
		settings, screens[i] = target(b)
		config += fmt.Sprintf("  - {id: desk%d, name: Desk %[1]d, %s}\n", i+1, settings)
	}
	g := startGateway(b, config)
	desktops := make([]*benchDesktop, sessions)
	for i, screen := range screens {
		desktops[i] = connectBenchDesktop(b, g, fmt.Sprintf("desk%d", i+1), screen)
	}
	time.Sleep(2 * time.Second) // the terminals have drawn
	return desktops
}

func connectBenchDesktop(b *testing.B, g *gateway, id string, screen func() *testbed.X) *benchDesktop {
	b.Helper()
	d := &benchDesktop{b: b, gateway: g, target: id}
	d.session = d.connect()
	x := screen()
	require.Equal(b, benchSize, x.Size(b))
	d.display, d.worker = x.Display, g.workerPID(d.session.ID)
	testbed.PaintWallpaper(b, x)
	for i, command := range []string{"ls -la --color=always /etc", "ls -la /usr/bin"} {
		background(b, x.Display, "xterm", "-fa", "Monospace", "-fs", "10", "-geometry", fmt.Sprintf("80x24+1240+%d", 40+480*i),
			"-e", "sh", "-c", command+" | head -23; exec sleep 1d")
	}
	return d
}

// connect asks for a session.
func (d *benchDesktop) connect() (s session) {
	d.b.Helper()
	wish := map[string]any{"target_id": d.target, "width": benchSize.X, "height": benchSize.Y}
	d.gateway.call("POST", "/sessions", wish, http.StatusCreated, &s)
	return s
}

func script(name string) string {
	path, err := filepath.Abs(filepath.Join("../../testdata/workloads", name))
	if err != nil {
		panic(err) // the working directory is gone
	}
	return path
}

// terminal runs a workload script in an xterm until the benchmark ends.
func terminal(b testing.TB, display, geometry, title, command string, seconds int) {
	b.Helper()
	name, arguments, _ := strings.Cut(command, " ")
	background(b, display, "xterm", "-fa", "Monospace", "-fs", "11", "-geometry", geometry, "-T", title,
		"-e", fmt.Sprintf("%s %s %s %d; exec sleep 1d", testbed.Python, script(name), arguments, seconds+10))
}

// background starts a program on a display and ends it with the benchmark.
func background(b testing.TB, display, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display, "SDL_VIDEODRIVER=x11", "SDL_RENDER_DRIVER=software", "SDL_FRAMEBUFFER_ACCELERATION=0")
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
}

var clipOnce sync.Once

// clip makes a moving picture of a quarter of 1920×1080 at 30 frames a second.
func clip(b testing.TB) string {
	b.Helper()
	path := filepath.Join(os.TempDir(), "vitrine-bench-clip.mp4")
	clipOnce.Do(func() {
		out, err := exec.Command("ffmpeg", "-y", "-v", "error", "-f", "lavfi",
			"-i", "mandelbrot=s=960x540:r=30:start_scale=1.5:end_scale=0.02:end_pts=240", "-t", "8",
			"-vf", "noise=alls=2:allf=t,format=yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-crf", "22", path).CombinedOutput()
		require.NoError(b, err, "%s", out)
	})
	return path
}
