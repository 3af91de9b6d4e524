package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

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
	b.ReportMetric((s.Video+s.Patches)/s.At, "KB/s") // bytes a millisecond
	b.ReportMetric(s.Video/s.At, "video-KB/s")
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

// sightings returns what was seen of the beacon so far.
func (w *watcher) sightings() []sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}
