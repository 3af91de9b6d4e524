package e2e

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkSessions scrolls text in several sessions of one gateway at once, each a desktop of 1920×1080 with a player that
// decodes nothing while the time runs. A square flips on each once a second. The players' pictures are decoded afterwards, to find
// out when a flip was there: at egress, that is.
//
//	go test ./internal/e2e -run '^$' -bench 'Sessions/^8$' -benchtime 1x
func BenchmarkSessions(b *testing.B) {
	for _, sessions := range []int{1, 2, 4, 8, 12} {
		b.Run(strconv.Itoa(sessions), func(b *testing.B) {
			for b.Loop() {
				measureSessions(b, sessions)
			}
		})
	}
}

func measureSessions(b *testing.B, sessions int) {
	const seconds = 10
	desktops := newBenchDesktops(b, tigerVNC, sessions)
	var players []*player
	for _, d := range desktops {
		p := d.gateway.playBy(&player{keeps: true}, nil, d.session.ID, "control")
		p.picture(b, time.Time{})
		players = append(players, p)
	}
	var flips []func() []sighting
	for i, d := range desktops {
		workloadNamed("scroll").start(b, d.display, seconds+15)
		flips = append(flips, d.beacon(seconds+5, time.Second, i))
	}
	time.Sleep(5 * time.Second) // past the start of programs
	began := time.Now()
	f := sample(desktops, seconds*time.Second)
	flipped := make([][]sighting, sessions)
	for i, wait := range flips {
		flipped[i] = slices.DeleteFunc(wait(), func(s sighting) bool { return s.at.Before(began) })
	}
	time.Sleep(500 * time.Millisecond) // the last flip is shown
	asked := 0
	for _, p := range players {
		asked += p.asked()
		p.close()
	}
	var took delays
	for i, p := range players { // decoding takes CPU
		took.add(flipped[i], p.sightings(b))
	}
	f.report(b)
	require.Positive(b, f.frames, "nothing was shown")
	took.report(b)
	b.ReportMetric(float64(asked), "idrs-asked") // for pictures lost
}

// BenchmarkViewers tells what another viewer costs while text scrolls.
func BenchmarkViewers(b *testing.B) {
	var alone []float64 // cores with one viewer
	for _, viewers := range []int{1, 4, 8} {
		b.Run(strconv.Itoa(viewers), func(b *testing.B) {
			for b.Loop() {
				f := measureViewers(b, viewers)
				if viewers == 1 {
					alone = append(alone, f.cores())
				} else if len(alone) > 0 {
					one := slices.Sorted(slices.Values(alone))[len(alone)/2]
					b.ReportMetric((f.cores()-one)/float64(viewers-1), "cores/viewer")
				}
			}
		})
	}
}

func measureViewers(b *testing.B, viewers int) figures {
	const seconds = 10
	d := newBenchDesktop(b, tigerVNC)
	var watching []*viewer
	for range viewers {
		watching = append(watching, d.gateway.watch(d.session.ID, "view"))
	}
	workloadNamed("scroll").start(b, d.display, seconds+5)
	time.Sleep(3 * time.Second) // past the start of programs
	before := make([]int64, viewers)
	for i, v := range watching {
		before[i] = v.packets.Load()
	}
	f := sample([]*benchDesktop{d}, seconds*time.Second)
	f.report(b)
	require.Positive(b, f.frames, "nothing was shown")
	for i, v := range watching {
		require.Greater(b, v.packets.Load(), before[i], "viewer %d saw nothing", i+1)
	}
	return f
}

// measureFirstFrame asks for a session and waits until a player, which knows its way already, has the first picture whole.
func measureFirstFrame(b *testing.B, target benchTarget, times int) {
	d := newBenchDesktop(b, target)
	end := func(id string) {
		d.gateway.terminate(id)
		d.gateway.ended(id, patience)
	}
	end(d.session.ID)
	var took []time.Duration
	for range times {
		began := time.Now()
		s := d.connect()
		p := d.gateway.playBy(&player{hasty: true}, nil, s.ID, "control")
		p.picture(b, began)
		took = append(took, p.since(began)[0].at.Sub(began))
		p.close()
		end(s.ID)
	}
	reportTimes(b, took)
}

// reportTimes tells how long something took that was done several times.
func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds(), "s-median")
	b.ReportMetric(took[len(took)-1].Seconds(), "s-worst")
	b.ReportMetric(0, "ns/op")
}
