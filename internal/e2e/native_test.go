package e2e

import (
	"bytes"
	"fmt"
	"image"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// nativeDoor is an address for native clients and the setting that listens there.
func nativeDoor(t testing.TB) (addr, settings string) {
	t.Helper()
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(testbed.FreePort(t)))
	return addr, "native: {listen: '" + addr + "'}\n"
}

// rdpWindow is a real xfreerdp that fills a screen of its own.
type rdpWindow struct {
	t      testing.TB
	x      *testbed.X
	cmd    *exec.Cmd
	exited chan struct{}
}

// openRDP starts one on a screen.
func openRDP(t testing.TB, x *testbed.X, size image.Point, args ...string) *rdpWindow {
	t.Helper()
	testbed.Require(t, "xfreerdp", "xdotool")
	w := &rdpWindow{t: t, x: x, exited: make(chan struct{})}
	w.cmd = exec.Command("xfreerdp", append(args, "/cert:ignore", "-decorations", fmt.Sprintf("/size:%dx%d", size.X, size.Y))...)
	w.cmd.Env = append(os.Environ(), "DISPLAY="+x.Display, "HOME="+t.TempDir())
	var out bytes.Buffer
	w.cmd.Stdout, w.cmd.Stderr = &out, &out
	require.NoError(t, w.cmd.Start())
	go func() {
		defer close(w.exited)
		_ = w.cmd.Wait() // its code is looked at where it matters
	}()
	t.Cleanup(func() {
		w.close()
		if t.Failed() {
			t.Logf("xfreerdp: %s", out.String())
		}
	})
	return w
}

// openNative asks for a ticket for a desktop and opens it by the signed file, on a new screen.
func (g *gateway) openNative(t *testing.T, target string, size image.Point, args ...string) *rdpWindow {
	t.Helper()
	x := testbed.StartXvfb(t, size)
	testbed.OpenBox(t, x.Display)
	return openRDP(t, x, size, append([]string{g.rdpFile(target, size)}, args...)...)
}

// openByCommand opens a desktop by the command line that the console shows. Without /gfx it shows bitmaps, where a file makes xfreerdp offer
// the graphics pipeline.
func (g *gateway) openByCommand(t testing.TB, target string, size image.Point, more ...string) *rdpWindow {
	t.Helper()
	var ticket struct{ Command string }
	g.call("POST", "/native-tickets", map[string]any{"target_id": target}, 201, &ticket)
	words := strings.Fields(ticket.Command)
	require.Equal(t, "xfreerdp", words[0])
	args := slices.DeleteFunc(words[1:], func(w string) bool { return w == "/dynamic-resolution" || strings.HasPrefix(w, "/size:") })
	x := testbed.StartXvfb(t, size)
	testbed.OpenBox(t, x.Display)
	return openRDP(t, x, size, append(args, more...)...)
}

// rdpFile returns a file with a fresh ticket in it.
func (g *gateway) rdpFile(target string, size image.Point) string {
	g.t.Helper()
	var ticket struct {
		File     []byte
		FileName string `json:"file_name"`
	}
	g.call("POST", "/native-tickets", map[string]any{"target_id": target, "width": size.X, "height": size.Y}, 201, &ticket)
	path := filepath.Join(g.t.TempDir(), ticket.FileName)
	require.NoError(g.t, os.WriteFile(path, ticket.File, 0o600))
	return path
}

func (w *rdpWindow) close() {
	_ = w.cmd.Process.Signal(syscall.SIGCONT)
	_ = w.cmd.Process.Kill()
	<-w.exited
}

func (w *rdpWindow) signal(s syscall.Signal) {
	w.t.Helper()
	require.NoError(w.t, w.cmd.Process.Signal(s))
}

// code waits for its end and returns its exit code.
func (w *rdpWindow) code() int {
	w.t.Helper()
	select {
	case <-w.exited:
	case <-time.After(patience):
		w.t.Fatal("the client does not end")
	}
	return w.cmd.ProcessState.ExitCode()
}

// do has xdotool work on the window.
func (w *rdpWindow) do(args ...string) { testbed.Run(w.t, w.x.Display, "xdotool", args...) }

// shows waits until the window shows what the desktop's own screenshot does, pixel by pixel, and returns how long that took. Servers
// without a display draw the pointer into the picture, each its own: what is around pointer is left out.
func (w *rdpWindow) shows(desk *testbed.X, pointer image.Point, when string) time.Duration {
	w.t.Helper()
	around := image.Rect(-20, -20, 20, 20).Add(pointer)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got, want := w.x.Screenshot(w.t), desk.Screenshot(w.t)
		n, where := 0, image.Rectangle{}
		for i := 0; got.Rect == want.Rect && i < len(got.Pix); i += 4 {
			at := image.Pt(i/4%got.Rect.Dx(), i/4/got.Rect.Dx())
			if [3]byte(got.Pix[i:]) != [3]byte(want.Pix[i:]) && !at.In(around) {
				n++
				where = where.Union(image.Rectangle{Min: at, Max: at.Add(image.Pt(1, 1))})
			}
		}
		if got.Rect == want.Rect && n == 0 {
			return time.Since(began)
		}
		if time.Since(began) > patience {
			w.t.Fatalf("%s: %d pixels of %v differ, in %v", when, n, got.Rect, where)
		}
	}
}

// TestNativeClient opens a desktop by the console's signed file in a real xfreerdp, whose window must show what the target's own
// screenshot does, pixel by pixel; then breaks its connection, by whose cookie it comes back to the same session, and ends that.
func TestNativeClient(t *testing.T) {
	testbed.Require(t, "xfreerdp")
	size := image.Pt(1000, 700)
	desk := testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
	background(t, desk.Display, "xterm", "-geometry", "80x24+100+80", "-e", "sh", "-c", "ls -la --color=always /etc | head -22; exec sleep 1d")
	door, settings := nativeDoor(t)
	g := startGateway(t, settings+"targets:\n  - {id: desk, name: Desk, protocol: vnc, address: '"+desk.Addr+"', tls: {mode: 'off'}}\n")
	line := testbed.StartFaultProxy(t, door)
	client := g.openNative(t, "desk", size, "/v:"+line.Addr, "/gfx:AVC420", "+auto-reconnect", "/auto-reconnect-max-retries:5")
	pointer := size.Div(2) // nobody moves it
	client.shows(&desk.X, pointer, "at first")
	id := g.onlySession()

	before := g.session(id).Viewers
	require.Len(t, before, 1)
	line.Cut()
	line.Resume()
	require.Eventually(t, func() bool {
		now := g.session(id).Viewers
		return len(now) == 1 && now[0].ID != before[0].ID
	}, patience, 100*time.Millisecond, "it does not come back")
	client.shows(&desk.X, pointer, "after its connection broke")
	require.Equal(t, id, g.onlySession(), "the same session")

	g.terminate(id)
	require.Equal(t, 12, client.code(), "logged off: its own person ended it")
	require.Equal(t, "worker", g.sealed(id, patience).SealedBy)
	g.requireAlone()
}

// onlySession returns the id of the one session there is.
func (g *gateway) onlySession() string {
	g.t.Helper()
	var list struct{ Sessions []session }
	g.call("GET", "/sessions", nil, 200, &list)
	require.Len(g.t, list.Sessions, 1)
	return list.Sessions[0].ID
}

// lastLogged returns when serve wrote a line last.
func (g *gateway) lastLogged(message string) time.Time {
	g.t.Helper()
	lines := regexp.MustCompile(`(?m)^time=(\S+) .*msg="`+message+`"`).FindAllStringSubmatch(g.logs(), -1)
	require.NotEmpty(g.t, lines, message)
	at, err := time.Parse(time.RFC3339Nano, lines[len(lines)-1][1])
	require.NoError(g.t, err)
	return at
}

// TestNativeTogether watches one session in a browser, in two native clients and in a third that comes late, while it is recorded: all of
// them by one encoder. Clients that are stopped slow nobody, and are right again when they go on.
func TestNativeTogether(t *testing.T) {
	requireConsole(t)
	testbed.Require(t, "xfreerdp", testbed.Python)
	size := image.Pt(1000, 700)
	desk := testbed.StartXvnc(t, testbed.XvncOptions{Size: size})
	testbed.PaintWallpaper(t, &desk.X)
	_, settings := nativeDoor(t)
	g := startGateway(t, settings+"targets:\n  - {id: desk, name: Desk, protocol: vnc, address: '"+desk.Addr+"', tls: {mode: 'off'}}\n")
	b := openBrowser(t, g)
	id := b.connect("Desk")
	pointer := size.Sub(image.Pt(1, 1))
	b.mouse(pointer.X, pointer.Y, "")
	video := g.openNative(t, "desk", size, "/gfx:AVC420")
	plain := g.openByCommand(t, "desk", size)
	all := func(when string) {
		t.Helper()
		video.shows(&desk.X, pointer, when)
		plain.shows(&desk.X, pointer, when)
		b.shows("desktop", when, h264Tolerance, func() *image.RGBA { return desk.Screenshot(t) })
	}
	// Whoever joins last has control, and their pointer is where their screen has it.
	testbed.Eventually(t, patience, "both clients", func() bool { return len(g.session(id).Viewers) == 3 })
	plain.do("mousemove", strconv.Itoa(pointer.X), strconv.Itoa(pointer.Y))
	all("at first")

	// moves draws noise, far more than any buffer between here and a client holds, and ends with another picture than it began with.
	moves := func() {
		t.Helper()
		cmd := exec.Command(testbed.Python, script("noise.py"), "500", "400", "0.04", "3")
		cmd.Env = append(os.Environ(), "DISPLAY="+desk.Display)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		testbed.PaintWallpaper(t, &desk.X)
		background(t, desk.Display, "xterm", "-geometry", "60x15+100+80", "-e", "sh", "-c", "date +%N; exec sleep 1d")
	}
	browserSees := func(when string) {
		t.Helper()
		b.shows("desktop", when, h264Tolerance, func() *image.RGBA { return desk.Screenshot(t) })
	}
	for _, c := range []struct {
		name           string
		stopped, other *rdpWindow
	}{{"bitmaps", plain, video}, {"video", video, plain}} {
		frames := g.session(id).Frames
		c.stopped.signal(syscall.SIGSTOP)
		moves()
		c.other.shows(&desk.X, pointer, "while the client with "+c.name+" is stopped")
		browserSees("while the client with " + c.name + " is stopped")
		testbed.Eventually(t, patience, "pictures for the others", func() bool { return g.session(id).Frames > frames+10 })
		require.Len(t, g.session(id).Viewers, 3, "a stopped client is a viewer still")
		c.stopped.signal(syscall.SIGCONT)
		c.stopped.shows(&desk.X, pointer, "the client with "+c.name+" goes on")
	}

	late := g.openNative(t, "desk", size, "/gfx:AVC444")
	late.shows(&desk.X, pointer, "a late guest")
	shown := time.Now()
	t.Logf("a late guest had the whole picture %v after it was let in, as far as screenshots can tell", shown.Sub(g.lastLogged("native client in its session")))
	all("with a late guest")
	testbed.Eventually(t, patience, "the count of encoders", func() bool { return g.session(id).Encoders != 0 })
	require.Equal(t, 1, g.session(id).Encoders, "encoders, with a browser, three native clients and the recording")

	g.terminate(id)
	for _, w := range []*rdpWindow{video, plain, late} {
		require.Equal(t, 12, w.code())
	}
	require.Equal(t, "worker", g.sealed(id, patience).SealedBy)
	g.requireAlone()
}
