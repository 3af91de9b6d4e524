package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// BenchmarkDesktop shows a 1920×1080 desktop to Chromium through the real gateway and measures what that costs: CPU of the
// worker and of serve in cores, CPU of the worker for each picture, what arrives at the viewer, the time from a change on the
// target to its pixel in the page, memory, and the size of the recording. The desktop is TigerVNC's, under xrdp/ that of a
// real xrdp.
//
//	go test ./internal/e2e -run '^$' -bench Desktop -benchtime 1x
//	go test ./internal/e2e -run '^$' -bench Desktop/xrdp/scroll$ -benchtime 1x
func BenchmarkDesktop(b *testing.B) {
	benchmarkDesktop(b, tigerVNC, workloads...)
	b.Run("typing-long", func(b *testing.B) { // long enough for the key pictures a recording has each minute
		for b.Loop() {
			measure(b, tigerVNC, workloadNamed("typing"), 155)
		}
	})
	b.Run("xrdp", func(b *testing.B) { benchmarkDesktop(b, xrdp, append(slices.Clip(workloads), fastScroll)...) })
}

func benchmarkDesktop(b *testing.B, target benchTarget, loads ...workload) {
	const seconds = 20
	for _, w := range loads {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				measure(b, target, w, seconds)
			}
		})
	}
	b.Run("connect", func(b *testing.B) { // from the click to the picture
		for b.Loop() {
			measureConnect(b, target, 7)
		}
	})
	b.Run("latency", func(b *testing.B) { // nothing but the beacon changes
		for b.Loop() {
			measureLatency(b, target, seconds)
		}
	})
}

// BenchmarkViewers tells what another viewer costs while text scrolls.
func BenchmarkViewers(b *testing.B) {
	scroll := workloadNamed("scroll")
	for _, viewers := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(viewers), func(b *testing.B) {
			for b.Loop() {
				d := newBenchDesktop(b, tigerVNC)
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

func measure(b *testing.B, target benchTarget, w workload, seconds int) {
	d := newBenchDesktop(b, target)
	seen := d.browse(d.session.ID, seconds+30)
	seen.firstPicture()
	w.start(b, d.display, seconds)
	time.Sleep(3 * time.Second) // past the start of programs and the first refinement
	began := time.Now()
	f := d.sample(time.Duration(seconds-5) * time.Second)
	time.Sleep(time.Second) // the browser's word for it
	f.report(b)
	seen.lanes(began, began.Add(f.length)).report(b)
}

// measureConnect clicks on Connect in a fresh Chromium and waits for the first picture, several times. An xrdp has the
// desktop already and gives it back, as it does after a person's lunch.
func measureConnect(b *testing.B, target benchTarget, times int) {
	d := newBenchDesktop(b, target)
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
func measureLatency(b *testing.B, target benchTarget, seconds int) {
	d := newBenchDesktop(b, target)
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
	stats []laneStats
}

// laneStats are what a browser has received up to a time.
type laneStats struct {
	At                               float64 // unix time in ms
	Video, Patches, Messages, Frames float64 // bytes, bytes, messages of the patch lane, pictures
}

// lanes returns what came between two times, as close to them as was looked.
func (w *watcher) lanes(from, to time.Time) laneStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := func(t time.Time) laneStats {
		i, _ := slices.BinarySearchFunc(w.stats, t, func(s laneStats, t time.Time) int { return cmp.Compare(s.At, float64(t.UnixMilli())) })
		require.Less(w.b, i, len(w.stats), "the browser told nothing after %v", t)
		return w.stats[i]
	}
	a, b := at(from), at(to)
	return laneStats{b.At - a.At, b.Video - a.Video, b.Patches - a.Patches, b.Messages - a.Messages, b.Frames - a.Frames}
}

// report tells what came a second, At being how long it was.
func (s laneStats) report(b *testing.B) {
	b.ReportMetric(s.Video/s.At, "video-KB/s") // bytes a millisecond
	b.ReportMetric(s.Patches/s.At, "patch-KB/s")
	b.ReportMetric(s.Messages/s.At*1000, "patch-messages/s")
	b.ReportMetric(s.Frames/s.At*1000, "decoded/s")
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
			Stats  *laneStats
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		if m.First != nil {
			w.first <- time.Duration(m.After * float64(time.Millisecond))
			continue
		}
		w.mu.Lock()
		if m.Stats != nil {
			w.stats = append(w.stats, *m.Stats)
			w.mu.Unlock()
			continue
		}
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
