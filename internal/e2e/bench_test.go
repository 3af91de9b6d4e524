package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
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
	start func(b *testing.B, display string, seconds int)
}

var workloads = []workload{
	{"idle", func(*testing.B, string, int) {}},
	{"typing", func(b *testing.B, display string, seconds int) {
		terminal(b, display, "80x24+100+100", "typing", "lines.py type 8", seconds)
	}},
	{"scroll", func(b *testing.B, display string, seconds int) {
		terminal(b, display, "140x50+80+80", "scroll", "lines.py scroll 10 3", seconds)
	}},
	{"drag", func(b *testing.B, display string, seconds int) {
		background(b, display, "xterm", "-fa", "Monospace", "-fs", "11", "-geometry", "80x24+300+300", "-T", "dragged",
			"-e", "sh", "-c", "ls -la --color=always /etc | head -23; exec sleep 1d")
		time.Sleep(time.Second) // until the window is there to be found
		background(b, display, python, script("mover.py"), "dragged", strconv.Itoa(seconds), "30")
	}},
	{"video", func(b *testing.B, display string, seconds int) {
		background(b, display, "ffplay", "-v", "error", "-an", "-sn", "-loop", "0", "-framedrop", "-noborder",
			"-left", "480", "-top", "300", clip(b))
	}},
}

func workloadNamed(name string) workload {
	return workloads[slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })]
}

// BenchmarkDesktop shows a 1920×1080 TigerVNC desktop to Chromium through the real gateway and measures what that
// costs: CPU of the worker and of serve in cores, CPU of the worker for each picture, what arrives at the viewer, the time from a
// change on the target to its pixel in the page, memory, and the size of the recording.
//
//	go test ./internal/e2e -run '^$' -bench Desktop -benchtime 1x
func BenchmarkDesktop(b *testing.B) {
	seconds := 20
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				measure(b, w, seconds)
			}
		})
	}
	b.Run("typing-long", func(b *testing.B) { // long enough for the key pictures a recording has each minute
		for b.Loop() {
			measure(b, workloadNamed("typing"), 155)
		}
	})
	b.Run("connect", func(b *testing.B) { // from the click to the picture
		for b.Loop() {
			measureConnect(b, 7)
		}
	})
	b.Run("latency", func(b *testing.B) { // nothing but the beacon changes
		for b.Loop() {
			measureLatency(b, seconds)
		}
	})
}

// BenchmarkViewers tells what another viewer costs while text scrolls.
func BenchmarkViewers(b *testing.B) {
	scroll := workloadNamed("scroll")
	for _, viewers := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(viewers), func(b *testing.B) {
			for b.Loop() {
				d := newBenchDesktop(b)
				for range viewers {
					d.gateway.watch(d.session.ID, "view")
				}
				scroll.start(b, d.display, 20)
				time.Sleep(2 * time.Second)
				d.sample(10 * time.Second).report(b)
			}
		})
	}
}

type benchDesktop struct {
	b       *testing.B
	display string
	gateway *gateway
	session session
	worker  int
}

func newBenchDesktop(b *testing.B) *benchDesktop {
	b.Helper()
	testbed.Require(b, "Xvnc", "xterm", "openbox", "ffplay", python)
	x := testbed.StartXvnc(b, testbed.XvncOptions{Size: image.Pt(1920, 1080)})
	testbed.PaintWallpaper(b, &x.X)
	testbed.OpenBox(b, x.Display)
	for i, command := range []string{"ls -la --color=always /etc", "ls -la /usr/bin"} {
		background(b, x.Display, "xterm", "-fa", "Monospace", "-fs", "10", "-geometry", fmt.Sprintf("80x24+1240+%d", 40+480*i),
			"-e", "sh", "-c", command+" | head -23; exec sleep 1d")
	}
	time.Sleep(2 * time.Second) // the terminals have drawn
	g := startGateway(b, fmt.Sprintf("targets:\n  - {id: desk, name: Desk, protocol: vnc, address: %q, tls: {mode: \"off\"}}\n", x.Addr))
	d := &benchDesktop{b: b, display: x.Display, gateway: g}
	d.session = g.connect("desk")
	d.worker = g.workerPID(d.session.ID)
	return d
}

func measure(b *testing.B, w workload, seconds int) {
	d := newBenchDesktop(b)
	d.browse(d.session.ID, seconds+30).firstPicture()
	w.start(b, d.display, seconds)
	time.Sleep(3 * time.Second) // past the start of programs and the first refinement
	d.sample(time.Duration(seconds-5) * time.Second).report(b)
}

// measureConnect clicks on Connect in a fresh Chromium and waits for the first picture, several times.
func measureConnect(b *testing.B, times int) {
	d := newBenchDesktop(b)
	d.gateway.terminate(d.session.ID)
	var took []float64
	for range times {
		w := d.browse("connect=Desk", 1)
		took = append(took, w.firstPicture().Seconds())
		w.close()
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "s-median")
	b.ReportMetric(took[len(took)-1], "s-worst")
	b.ReportMetric(0, "ns/op")
}

// measureLatency flips the beacon and looks for its colours in the page.
func measureLatency(b *testing.B, seconds int) {
	d := newBenchDesktop(b)
	seen := d.browse(d.session.ID, seconds+15)
	seen.firstPicture()
	beacon := exec.Command(python, script("beacon.py"), strconv.Itoa(seconds), "0.25")
	beacon.Env = append(os.Environ(), "DISPLAY="+d.display)
	out, err := beacon.Output()
	require.NoError(b, err)
	time.Sleep(500 * time.Millisecond)
	var delays []float64
	missed := 0
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	changes := make([]sighting, len(lines))
	for i, line := range lines {
		var number, ns int64
		_, err := fmt.Sscan(line, &number, &changes[i].colour, &ns)
		require.NoError(b, err)
		changes[i].at = time.Unix(0, ns)
	}
	for i, c := range changes {
		until := c.at.Add(2 * time.Second)
		if i+1 < len(changes) {
			until = changes[i+1].at
		}
		if at, ok := seen.colour(c.colour, c.at, until.Add(100*time.Millisecond)); ok {
			delays = append(delays, float64(at.Sub(c.at).Microseconds())/1000)
		} else {
			missed++
			b.Logf("change %d of %d, to colour %d, was not seen", i+1, len(changes), c.colour)
		}
	}
	require.NotEmpty(b, delays, "no change was seen in the browser")
	slices.Sort(delays)
	b.ReportMetric(delays[len(delays)/2], "ms-p50")
	b.ReportMetric(delays[len(delays)*95/100], "ms-p95")
	b.ReportMetric(float64(missed), "missed")
	b.ReportMetric(float64(len(changes)), "changes")
	b.ReportMetric(0, "ns/op")
}

// figures are what one stretch of a session cost.
type figures struct {
	length                  time.Duration
	workerCPU, serveCPU     time.Duration
	frames, bytes, recorded float64
	workerRSS, serveRSS     float64 // MB
}

func (d *benchDesktop) sample(length time.Duration) figures {
	b := d.b
	b.Helper()
	serve := d.gateway.cmd.Process.Pid
	w0, s0, r0 := cpuTime(b, d.worker), cpuTime(b, serve), d.gateway.recording(d.session.ID).Bytes
	f0, b0 := d.counters()
	began := time.Now()
	time.Sleep(length)
	f1, b1 := d.counters()
	return figures{
		length:    time.Since(began),
		workerCPU: cpuTime(b, d.worker) - w0, serveCPU: cpuTime(b, serve) - s0,
		frames: f1 - f0, bytes: b1 - b0, recorded: float64(d.gateway.recording(d.session.ID).Bytes - r0),
		workerRSS: residentMB(b, d.worker), serveRSS: residentMB(b, serve),
	}
}

func (f figures) report(b *testing.B) {
	seconds := f.length.Seconds()
	b.ReportMetric(f.workerCPU.Seconds()/seconds, "worker-cores")
	b.ReportMetric(f.serveCPU.Seconds()/seconds, "serve-cores")
	if f.frames > 0 {
		b.ReportMetric(float64(f.workerCPU.Milliseconds())/f.frames, "cpu-ms/frame")
	}
	b.ReportMetric(f.frames/seconds, "frames/s")
	b.ReportMetric(f.bytes/seconds/1000, "KB/s")
	b.ReportMetric(f.recorded/seconds*3600/1e6, "recorded-MB/h")
	b.ReportMetric(f.workerRSS, "worker-MB")
	b.ReportMetric(f.serveRSS, "serve-MB")
	b.ReportMetric(0, "ns/op") // a stretch of time was measured, not operations
}

// counters returns the pictures and bytes the session's encoder made so far.
func (d *benchDesktop) counters() (frames, bytes float64) {
	var s struct {
		Frames float64 `json:"frames"`
		Bytes  float64 `json:"bytes"`
	}
	d.gateway.call("GET", "/sessions/"+d.session.ID, nil, 200, &s)
	return s.Frames, s.Bytes
}

// cpuTime returns the user and system time a process has used.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux architecture Go runs on
}

func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			require.NoError(b, err)
			return n / 1000
		}
	}
	require.Fail(b, "no VmRSS")
	return 0
}

// A sighting is a colour of the beacon at a time.
type sighting struct {
	colour int
	at     time.Time
}

// watcher is Chromium with a script that reads the page's pixels.
type watcher struct {
	b     *testing.B
	close func()
	first chan time.Duration // from the beginning to the picture; capacity 1
	mu    sync.Mutex
	seen  []sighting
}

// browse shows a session in Chromium for some seconds, or a new one: see watch.mjs.
func (d *benchDesktop) browse(session string, seconds int) *watcher {
	b := d.b
	b.Helper()
	testbed.Require(b, "node")
	w := &watcher{b: b, first: make(chan time.Duration, 1)}
	cmd := exec.Command("node", "bench/watch.mjs", d.gateway.url, "admin", session, strconv.Itoa(seconds))
	cmd.Dir = "../../web"
	cmd.Env = append(os.Environ(), "VITRINE_PASSWORD="+adminPassword, "VITRINE_CHROMIUM="+testbed.Chromium(b))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.read(bufio.NewScanner(out))
	}()
	w.close = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // Playwright closes its browser
		<-done
		_ = cmd.Wait()
	})
	b.Cleanup(w.close)
	return w
}

func (w *watcher) read(lines *bufio.Scanner) {
	for lines.Scan() {
		var m struct {
			First  *float64
			After  float64
			Colour int
			At     float64
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		if m.First != nil {
			w.first <- time.Duration(m.After * float64(time.Millisecond))
			continue
		}
		w.mu.Lock()
		w.seen = append(w.seen, sighting{m.Colour, unixMilli(m.At)})
		w.mu.Unlock()
	}
}

func unixMilli(ms float64) time.Time { return time.UnixMicro(int64(ms * 1000)) }

// firstPicture waits for it and returns how long it took.
func (w *watcher) firstPicture() time.Duration {
	w.b.Helper()
	select {
	case took := <-w.first:
		return took
	case <-time.After(60 * time.Second):
		require.Fail(w.b, "no picture in the browser")
		return 0
	}
}

// colour returns when colour was first seen between from and to.
func (w *watcher) colour(colour int, from, to time.Time) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearchFunc(w.seen, from, func(s sighting, t time.Time) int { return cmp.Compare(s.at.UnixNano(), t.UnixNano()) })
	for ; i < len(w.seen) && w.seen[i].at.Before(to); i++ {
		if w.seen[i].colour == colour {
			return w.seen[i].at, true
		}
	}
	return time.Time{}, false
}

// python is Debian's own, which has the Xlib bindings.
const python = "/usr/bin/python3"

func script(name string) string {
	path, err := filepath.Abs(filepath.Join("../../testdata/workloads", name))
	if err != nil {
		panic(err) // the working directory is gone
	}
	return path
}

// terminal runs a workload script in an xterm until the benchmark ends.
func terminal(b *testing.B, display, geometry, title, command string, seconds int) {
	b.Helper()
	name, arguments, _ := strings.Cut(command, " ")
	background(b, display, "xterm", "-fa", "Monospace", "-fs", "11", "-geometry", geometry, "-T", title,
		"-e", fmt.Sprintf("%s %s %s %d; exec sleep 1d", python, script(name), arguments, seconds+10))
}

// background starts a program on a display and ends it with the benchmark.
func background(b *testing.B, display, name string, args ...string) {
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
func clip(b *testing.B) string {
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
