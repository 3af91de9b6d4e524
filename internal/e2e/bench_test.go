package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDesktop shows a 1920×1080 desktop to Chromium through the real gateway and measures what that costs: CPU of the worker and
// of serve in cores, what arrives at the viewer by each lane, memory, the size of the recording; then, while the workload goes on and a
// square flips in a corner, the time from a change on the target to its pixel in the page. The desktop is TigerVNC's, under xrdp/
// that of a real xrdp.
//
//	go test ./internal/e2e -run '^$' -bench Desktop -benchtime 1x
//	go test ./internal/e2e -run '^$' -bench Desktop/xrdp/scroll$ -benchtime 1x
func BenchmarkDesktop(b *testing.B) {
	benchmarkDesktop(b, tigerVNC, workloads...)
	b.Run("typing-long", func(b *testing.B) { // long enough for the key pictures a recording has each minute
		for b.Loop() {
			measure(b, tigerVNC, workloadNamed("typing"), 150*time.Second)
		}
	})
	b.Run("xrdp", func(b *testing.B) {
		benchmarkDesktop(b, xrdp, append(slices.Clip(workloads), fastScroll)...)
	})
}

func benchmarkDesktop(b *testing.B, target benchTarget, loads ...workload) {
	for _, w := range loads {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				measure(b, target, w, 10*time.Second)
			}
		})
	}
	b.Run("connect", func(b *testing.B) { // from the click to the picture
		for b.Loop() {
			measureConnect(b, target, 5)
		}
	})
	b.Run("first-frame", func(b *testing.B) { // the same without the browser
		for b.Loop() {
			measureFirstFrame(b, target, 7)
		}
	})
}

// measure watches a workload for a length of time, then with the flipping square beside it.
func measure(b *testing.B, target benchTarget, w workload, length time.Duration) {
	const settling, flipping = 3 * time.Second, 10 * time.Second
	seconds := int((settling + length + flipping).Seconds()) + 10
	d := newBenchDesktop(b, target)
	seen := d.browse(d.session.ID, seconds+30)
	seen.firstPicture()
	w.start(b, d.display, seconds)
	time.Sleep(settling) // past the start of programs and the first refinement
	began := time.Now()
	f := sample([]*benchDesktop{d}, length)
	time.Sleep(time.Second) // the browser's word for it
	lanes := seen.lanes(began, began.Add(f.length))

	flips := d.beacon(int(flipping.Seconds()), 200*time.Millisecond, 3)()
	time.Sleep(500 * time.Millisecond) // the last flip is shown
	var took delays
	took.add(flips, seen.sightings())

	if !w.still {
		require.Positive(b, f.frames, "no pictures were made")
		require.Positive(b, lanes.Video+lanes.Patches, "nothing came to the browser")
		require.Positive(b, f.recorded, "nothing was recorded")
	}
	f.report(b)
	lanes.report(b)
	took.report(b)
}

// measureConnect clicks on Connect in a fresh Chromium and waits for the first picture, several times. An xrdp has the
// desktop already and gives it back, as it does after a person's lunch.
func measureConnect(b *testing.B, target benchTarget, times int) {
	d := newBenchDesktop(b, target)
	d.gateway.terminate(d.session.ID)
	var took []time.Duration
	for range times {
		w := d.browse("connect=Desk 1", 1)
		took = append(took, w.firstPicture())
		w.close()
	}
	reportTimes(b, took)
}
