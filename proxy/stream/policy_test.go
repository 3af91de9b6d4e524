package stream

import (
	"testing"
	"time"
)

func TestPolicy(t *testing.T) {
	type step struct {
		after  time.Duration // since the step before
		blocks int
		patch  bool
		lag    time.Duration // of the video
		within bool          // what is in motion
	}
	one := audience{lanes: 1, room: 1}
	const lag, ms = 200 * time.Millisecond, time.Millisecond
	for _, c := range []struct {
		name     string
		audience audience
		steps    []step
	}{
		{"a letter", one, []step{{0, 2, true, lag, false}}},
		{"as large as small may be", one, []step{{0, 96, true, lag, false}}},
		{"one block more", one, []step{{0, 97, false, 0, false}}},
		{"a letter in motion", one, []step{{0, 2000, false, 0, false}, {99 * ms, 2, false, 0, true}, {1 * ms, 2, true, lag, true}}},
		{"a letter beside motion", one, []step{{0, 2000, false, 0, false}, {50 * ms, 2, true, 0, false}}},
		{"a letter beside motion on a full link", audience{lanes: 1}, []step{{0, 2000, false, 0, false}, {50 * ms, 2, false, 0, false}}},
		{"motion goes on", one, []step{{0, 2000, false, 0, false}, {33 * ms, 1500, false, 0, true}, {99 * ms, 2, false, 0, true}}},
		{"nobody but the recorder", audience{}, []step{{0, 2, false, lag, false}, {0, 97, false, 0, false}}},
		{"a plain viewer alone", audience{plain: 1}, []step{{0, 2, false, 0, false}}},
		{"a plain viewer beside", audience{lanes: 1, room: 1, plain: 1}, []step{{0, 2, true, 0, false}}},
		{"the link is full", audience{lanes: 2}, []step{{0, 2, false, 0, false}}},
		{"one of two links is full", audience{lanes: 2, room: 1}, []step{{0, 2, true, lag, false}}},
		{"many small changes at once", one, []step{
			{0, 96, true, lag, false}, {0, 96, true, lag, false}, {0, 96, true, lag, false}, {0, 96, true, lag, false}, {0, 96, false, 0, false},
		}},
		{"as many over time", one, []step{
			{0, 96, true, lag, false}, {64 * ms, 96, true, lag, false}, {64 * ms, 96, true, lag, false}, {64 * ms, 96, true, lag, false}, {64 * ms, 96, true, lag, false},
		}},
		{"small changes again after motion", one, []step{{0, 8000, false, 0, false}, {100 * ms, 50, true, lag, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := defaultPolicy
			now := epoch
			for i, s := range c.steps {
				now = now.Add(s.after)
				got := p.change(now, s.blocks, s.within, c.audience)
				if want := (route{s.patch, now.Add(s.lag)}); got != want {
					t.Errorf("step %d: patch %t, video after %v; want %t, %v", i, got.patch, got.video.Sub(now), s.patch, s.lag)
				}
			}
		})
	}
}

func TestPolicyEager(t *testing.T) {
	p := defaultPolicy
	const large = 500
	if !p.eager(epoch, large) {
		t.Error("not eager before any motion")
	}
	p.change(epoch, large, false, audience{})
	if p.eager(epoch.Add(99*time.Millisecond), large) {
		t.Error("eager in motion")
	}
	if !p.eager(epoch.Add(99*time.Millisecond), 2) {
		t.Error("not eager for a letter in motion")
	}
	if !p.eager(epoch.Add(100*time.Millisecond), large) {
		t.Error("not eager after motion")
	}
}

func TestPolicyStill(t *testing.T) {
	p := defaultPolicy
	check := func(when string, now time.Time, after time.Duration, until time.Time) {
		t.Helper()
		if gotAfter, gotUntil := p.still(now); gotAfter != after || !gotUntil.Equal(until) {
			t.Errorf("%s: %v until %v, want %v until %v", when, gotAfter, gotUntil, after, until)
		}
	}
	check("at rest", epoch, p.rest, time.Time{})
	p.change(epoch, 500, false, audience{})
	end := epoch.Add(p.motion)
	check("in motion", end.Add(-1), p.restInMotion, end)
	check("after motion", end, p.rest, time.Time{})
}
