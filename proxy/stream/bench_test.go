package stream

import (
	"image"
	"syscall"
	"testing"
	"time"
)

// trace is a workload on a drawn desktop.
type trace struct {
	name string
	rate int // steps a second
	step func(s *screen, i int)
}

var traces = []trace{
	{"typing", 8, func(s *screen, _ int) { s.typeChar() }},
	{"caret", 2, func(s *screen, i int) { s.blink(i%2 == 0) }},
	{"scroll-1-line", 10, func(s *screen, _ int) { s.scroll(1) }},
	{"scroll-5-lines", 10, func(s *screen, _ int) { s.scroll(5) }},
	{"video-quarter", 30, func(s *screen, i int) { s.video(i) }},
}

// BenchmarkLoop drives the encode loop of a real Hub with the real encoder through a trace on a 1080p desktop, on a clock that
// jumps from step to step: everything from the framebuffer to the access unit is measured, waiting is not.
//
// cpu-ms/unit is CPU time of the process per access unit, drawing left out; KB/IDR an IDR picture with its refinement; MB/hour
// what a recording of that trace takes with an IDR picture once a minute.
func BenchmarkLoop(b *testing.B) {
	for _, tr := range traces {
		b.Run(tr.name, func(b *testing.B) { benchmarkTrace(b, tr) })
	}
}

func benchmarkTrace(b *testing.B, tr trace) {
	s := newScreen(b, image.Pt(1920, 1080))
	h, err := NewHub(HubConfig{Framebuffer: s.fb})
	if err != nil {
		b.Fatal(err)
	}
	l := &h.loop
	defer func() { _ = l.encoder.Close() }()
	now := time.Now()
	var bytes, idrBytes, idrs, units int
	var cpu time.Duration
	// advance makes every picture that is due before until.
	advance := func(until time.Time) {
		for {
			d := l.demand()
			at := l.schedule.next(d)
			if at.IsZero() || at.After(until) {
				now = until
				return
			}
			now = later(now, at)
			start := processCPU()
			au, err := l.code(now)
			if err != nil {
				b.Fatal(err)
			}
			took := processCPU() - start
			switch {
			case au == nil:
			case au.IDR:
				idrs, idrBytes = idrs+1, idrBytes+len(au.Data)
			default:
				units, bytes, cpu = units+1, bytes+len(au.Data), cpu+took
			}
		}
	}
	l.dirty = true
	advance(now.Add(5 * time.Second)) // first picture and its refinement
	idrBytes += bytes
	bytes, units, cpu = 0, 0, 0
	interval := time.Second / time.Duration(tr.rate)
	steps := 0
	for b.Loop() {
		tr.step(s, steps)
		steps++
		l.sawDamage()
		advance(now.Add(interval))
	}
	advance(now.Add(5 * time.Second))
	perUnit := float64(bytes) / float64(units)
	perSecond := float64(bytes) / (float64(steps) / float64(tr.rate))
	idr := float64(idrBytes) / float64(idrs)
	b.ReportMetric(perUnit, "bytes/unit")
	b.ReportMetric(cpu.Seconds()*1000/float64(units), "cpu-ms/unit")
	b.ReportMetric(float64(units)/(float64(steps)/float64(tr.rate)), "units/s")
	b.ReportMetric(idr/1000, "KB/IDR")
	b.ReportMetric((perSecond*3600+idr*60)/1e6, "MB/hour")
}

// processCPU returns the CPU time of the process.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
