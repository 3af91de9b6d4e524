package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// figures are what one stretch of one or several sessions of a gateway cost.
type figures struct {
	sessions            int
	length              time.Duration
	workerCPU, serveCPU time.Duration // of all workers together
	frames              float64       // of all sessions together
	recorded            float64       // bytes
	worker, serve       memory        // of all workers together
	machine             time.Duration // CPU of all processes there are, the gateway's with them
}

// sample watches the sessions of one gateway for a time.
func sample(desktops []*benchDesktop, length time.Duration) figures {
	b, gateway := desktops[0].b, desktops[0].gateway
	b.Helper()
	f := figures{sessions: len(desktops)}
	count := func(sign float64) {
		f.machine += time.Duration(sign) * busyTime(b)
		f.serveCPU += time.Duration(sign) * cpuTime(b, gateway.cmd.Process.Pid)
		for _, d := range desktops {
			f.workerCPU += time.Duration(sign) * cpuTime(b, d.worker)
			f.frames += sign * d.frames()
			f.recorded += sign * d.recorded()
		}
	}
	count(-1)
	began := time.Now()
	time.Sleep(length)
	f.length = time.Since(began)
	count(1)
	f.serve = memoryOf(b, gateway.cmd.Process.Pid)
	for _, d := range desktops {
		f.worker = f.worker.plus(memoryOf(b, d.worker))
	}
	return f
}

// cores is all CPU of the gateway.
func (f figures) cores() float64 { return (f.workerCPU + f.serveCPU).Seconds() / f.length.Seconds() }

// report tells the CPU of all sessions together, frames, recorded bytes and memory of one of them.
func (f figures) report(b *testing.B) {
	seconds, sessions := f.length.Seconds(), float64(f.sessions)
	b.ReportMetric(f.cores(), "cores")
	b.ReportMetric(f.workerCPU.Seconds()/seconds, "worker-cores")
	b.ReportMetric(f.serveCPU.Seconds()/seconds, "serve-cores")
	b.ReportMetric(f.machine.Seconds()/seconds-f.cores(), "other-cores") // targets, viewers, and whatever else there is
	if f.frames > 0 {
		b.ReportMetric(float64(f.workerCPU.Microseconds())/1000/f.frames, "cpu-ms/frame")
	}
	b.ReportMetric(f.frames/seconds/sessions, "frames/s")
	b.ReportMetric(f.recorded/seconds*60/1e6/sessions, "recorded-MB/min")
	b.ReportMetric(f.worker.resident/sessions, "worker-MB")
	b.ReportMetric(f.worker.anonymous/sessions, "worker-anon-MB")
	b.ReportMetric(f.serve.resident, "serve-MB")
	b.ReportMetric(f.serve.anonymous, "serve-anon-MB")
	b.ReportMetric(0, "ns/op") // a stretch of time was measured, not operations
}

// frames returns the pictures the session's encoder made so far.
func (d *benchDesktop) frames() float64 {
	var s struct {
		Frames float64 `json:"frames"`
	}
	d.gateway.call("GET", "/sessions/"+d.session.ID, nil, 200, &s)
	return s.Frames
}

// recorded returns the size of the session's recording on disk, where it is within a second. Of a file that is in the spool and
// already in the store, one counts.
func (d *benchDesktop) recorded() float64 {
	sizes := map[string]int64{}
	err := filepath.WalkDir(d.gateway.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(path, d.session.ID) {
			return nil // gone, uploaded
		}
		if info, err := e.Info(); err == nil {
			sizes[e.Name()] = max(sizes[e.Name()], info.Size())
		}
		return nil
	})
	require.NoError(d.b, err)
	require.NotEmpty(d.b, sizes, "no recording")
	total := int64(0)
	for _, n := range sizes {
		total += n
	}
	return float64(total)
}

// cpuTime returns the CPU time a process has used, of threads that ended too.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	var t unix.Timespec
	const scheduled = 2 // CPUCLOCK_SCHED: nanoseconds, where /proc has hundredths of a second
	require.NoError(b, unix.ClockGettime(int32(^pid)<<3|scheduled, &t))
	return time.Duration(t.Nano())
}

// busyTime returns the CPU time all processes of the machine have used.
func busyTime(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	require.NoError(b, err)
	first, _, _ := strings.Cut(string(stat), "\n") // cpu user nice system idle iowait irq softirq …
	ticks := 0
	for i, field := range strings.Fields(first)[1:8] {
		if i == 3 || i == 4 {
			continue
		}
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on every Linux architecture Go runs on
}

// memory is what a process has, in MB of 1000 KB.
type memory struct {
	resident  float64
	anonymous float64 // of it what no file backs: the pages of the program's file all workers share
}

func (m memory) plus(n memory) memory {
	return memory{m.resident + n.resident, m.anonymous + n.anonymous}
}

func memoryOf(b *testing.B, pid int) memory {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	field := func(name string) float64 {
		_, rest, ok := strings.Cut(string(status), "\n"+name+":")
		require.True(b, ok, "no %s", name)
		kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		require.NoError(b, err)
		return kb * 1024 / 1e6
	}
	return memory{field("VmRSS"), field("RssAnon")}
}
