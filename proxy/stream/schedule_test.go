package stream

import (
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testSchedule() *schedule {
	return &schedule{
		interval: 33 * time.Millisecond, idrInterval: 300 * time.Millisecond, refineAfter: 250 * time.Millisecond, refineGap: 100 * time.Millisecond,
		quality: quality{sharp: 14, motion: 22, intra: 18, coarsest: 38},
		bucket:  bucket{rate: 8e6, last: epoch}, blocks: 8160,
	}
}

func TestBucket(t *testing.T) {
	b := &bucket{rate: 8e6, last: epoch} // holds 2.4 Mbit
	if at := b.belowAt(1); at.After(epoch) {
		t.Errorf("empty, yet full until %v", at)
	}
	b.pour(epoch, 600_000) // 4.8 Mbit
	if p := b.pressure(epoch); p != 1 {
		t.Errorf("pressure %v when it overflows", p)
	}
	if at := b.belowAt(1); at.Sub(epoch) != 300*time.Millisecond {
		t.Errorf("below its brim after %v, want 300 ms", at.Sub(epoch))
	}
	if at := b.belowAt(0.5); at.Sub(epoch) != 450*time.Millisecond {
		t.Errorf("half full after %v, want 450 ms", at.Sub(epoch))
	}
	if p := b.pressure(epoch.Add(450 * time.Millisecond)); p < 0.49 || p > 0.51 {
		t.Errorf("pressure %v, want a half", p)
	}
	b.setRate(epoch.Add(300*time.Millisecond), 1_000_000)
	if at := b.belowAt(0).Sub(epoch); at != 2700*time.Millisecond {
		t.Errorf("empty after %v at the lower rate, want 2.7 s", at)
	}
	b.drain(epoch.Add(time.Hour))
	if b.level != 0 {
		t.Errorf("%v bits left after an hour", b.level)
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(s *schedule)
		changed int
		idr     bool
		qp      int
		large   bool
	}{
		{"small change of a sharp picture", func(s *schedule) { s.lastQP = 14 }, 4, false, 14, false},
		{"as large as small may be", func(s *schedule) { s.lastQP = 14 }, 255, false, 14, false},
		{"large change", func(s *schedule) { s.lastQP = 14 }, 256, false, 22, true},
		{"small change soon after a large one", func(s *schedule) { s.lastQP, s.lastLarge = 22, epoch.Add(-100*time.Millisecond) }, 4, false, 22, false},
		{"small change later", func(s *schedule) { s.lastQP, s.lastLarge = 22, epoch.Add(-250*time.Millisecond) }, 4, false, 14, false},
		{"no change, coarse, and still for long enough", func(s *schedule) { s.lastQP, s.lastLarge = 36, epoch.Add(-time.Second) }, 0, false, 28, false},
		{"no change, coarse, not yet", func(s *schedule) { s.lastQP, s.lastLarge = 22, epoch.Add(-time.Millisecond) }, 0, false, 0, false},
		{"no change, coarse, no room", func(s *schedule) { s.lastQP = 22; s.bucket.level = 2e6 }, 0, false, 0, false},
		{"no change, step too early", func(s *schedule) { s.lastQP, s.lastFiner = 22, epoch.Add(-50*time.Millisecond) }, 0, false, 0, false},
		{"no change, sharp", func(s *schedule) { s.lastQP = 14 }, 0, false, 0, false},
		{"IDR", func(s *schedule) { s.lastQP = 14 }, 0, true, 18, true},
		{"IDR on a slow link", func(s *schedule) { s.lastQP = 14; s.bucket.rate = 2e6 }, 0, true, 38, true},
		{"IDR on a full link", func(s *schedule) { s.lastQP = 14; s.bucket.level = 2.4e6 }, 0, true, 38, true},
		{"large change on a full link", func(s *schedule) { s.lastQP = 14; s.bucket.level = 2.4e6 }, 4000, false, 38, true},
		{"large change on a link hardly used", func(s *schedule) { s.lastQP = 14; s.bucket.level = 0.6e6 }, 4000, false, 22, true},
		{"large change, hardly coarser than allowed", func(s *schedule) { s.lastQP = 25 }, 4000, false, 25, true},
		{"large change, much coarser than needed", func(s *schedule) { s.lastQP = 26 }, 4000, false, 22, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testSchedule()
			c.prepare(s)
			if qp, large := s.plan(epoch, c.changed, c.idr); qp != c.qp || large != c.large {
				t.Errorf("QP %d, large %t; want %d, %t", qp, large, c.qp, c.large)
			}
		})
	}
}

func TestNext(t *testing.T) {
	never := time.Duration(-1)
	for _, c := range []struct {
		name    string
		prepare func(s *schedule)
		demand  demand
		after   time.Duration // since epoch; never for the zero time; 0 for at once
	}{
		{"first picture", func(*schedule) {}, demand{}, 0},
		{"still and sharp", func(s *schedule) { s.lastQP = 14 }, demand{}, never},
		{"change after stillness", func(s *schedule) { s.lastQP, s.lastFrame = 14, epoch.Add(-time.Second) }, demand{dirty: true}, 0},
		{"change in a burst", func(s *schedule) { s.lastQP, s.lastFrame = 14, epoch }, demand{dirty: true}, 33 * time.Millisecond},
		{"change on an overfull link", func(s *schedule) { s.lastQP, s.lastFrame = 14, epoch; s.bucket.level = 4e6 }, demand{dirty: true}, 200 * time.Millisecond},
		{"change on a hopeless link", func(s *schedule) { s.lastQP, s.lastFrame = 14, epoch; s.bucket.level = 4e9 }, demand{dirty: true}, time.Second},
		{"IDR", func(s *schedule) { s.lastQP = 14 }, demand{idr: true}, 0},
		{"IDR soon after another", func(s *schedule) { s.lastQP, s.lastIDR = 14, epoch }, demand{idr: true}, 300 * time.Millisecond},
		{"change does not wait for the IDR", func(s *schedule) { s.lastQP, s.lastIDR = 14, epoch }, demand{idr: true, dirty: true}, 0},
		{"refinement", func(s *schedule) { s.lastQP, s.lastLarge, s.lastFrame = 22, epoch, epoch }, demand{}, 250 * time.Millisecond},
		{"refinement before a later IDR", func(s *schedule) { s.lastQP, s.lastIDR, s.lastLarge = 22, epoch, epoch }, demand{idr: true}, 250 * time.Millisecond},
		{"second step of refinement", func(s *schedule) { s.lastQP, s.lastFiner = 20, epoch }, demand{}, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testSchedule()
			c.prepare(s)
			at := s.next(c.demand)
			switch {
			case c.after == never:
				if !at.IsZero() {
					t.Errorf("at %v, want never", at)
				}
			case at.IsZero():
				t.Error("never")
			case max(at.Sub(epoch), 0) != c.after:
				t.Errorf("after %v, want %v", at.Sub(epoch), c.after)
			}
		})
	}
}

// TestFlow has large changes come at a pace for some seconds: what flows is coarser after the first, and sharper again after stillness.
func TestFlow(t *testing.T) {
	for _, c := range []struct {
		gap  time.Duration
		want int
	}{{33 * time.Millisecond, 24}, {80 * time.Millisecond, 24}, {81 * time.Millisecond, 22}} {
		s := testSchedule()
		now := epoch
		large := func() int {
			qp, large := s.plan(now, 1000, false)
			if !large {
				t.Fatal("not large")
			}
			s.made(now, qp, 100, false, large)
			return qp
		}
		for ; now.Before(epoch.Add(time.Second)); now = now.Add(c.gap) {
			if qp := large(); qp != 22 {
				t.Fatalf("every %v: %d after %v, want 22", c.gap, qp, now.Sub(epoch))
			}
		}
		for range 10 {
			if qp := large(); qp != c.want {
				t.Errorf("every %v: %d after a second, want %d", c.gap, qp, c.want)
			}
			now = now.Add(c.gap)
		}
		for range 5 {
			now = now.Add(time.Second)
			if qp, _ := s.plan(now, 0, false); qp > 0 {
				s.made(now, qp, 100, false, false)
			}
		}
		if qp := large(); qp != 22 {
			t.Errorf("every %v: %d after stillness, want 22", c.gap, qp)
		}
	}
}

func TestLoad(t *testing.T) {
	const interval = 32 * time.Millisecond
	now := epoch
	l := &load{}
	for _, c := range []struct {
		name string
		n    int
		took time.Duration
		want h264.Preset
		gap  time.Duration // interval when zero
	}{
		{name: "light", n: 30, took: time.Millisecond, want: h264.Veryfast},
		{name: "two heavy pictures", n: 2, took: 20 * time.Millisecond, want: h264.Veryfast},
		{name: "a third", n: 1, took: 20 * time.Millisecond, want: h264.Superfast},
		{name: "still heavy", n: 3, took: 10 * time.Millisecond, want: h264.Ultrafast},
		{name: "no faster one", n: 10, took: 10 * time.Millisecond, want: h264.Ultrafast},
		{name: "within the budget", n: 100, took: 4 * time.Millisecond, want: h264.Ultrafast},
		{name: "light for a while", n: 14, took: time.Millisecond, want: h264.Ultrafast},
		{name: "light for long", n: 1, took: time.Millisecond, want: h264.Superfast},
		{name: "interrupted", n: 1, took: 5 * time.Millisecond, want: h264.Superfast},
		{name: "counts anew", n: 14, took: time.Millisecond, want: h264.Superfast},
		{name: "light again", n: 1, took: time.Millisecond, want: h264.Veryfast},
		{name: "few heavy pictures", n: 10, took: 20 * time.Millisecond, want: h264.Veryfast, gap: 100 * time.Millisecond},
		{name: "few that come later by one", n: 10, took: 33 * time.Millisecond, want: h264.Ultrafast, gap: 200 * time.Millisecond},
		{name: "after a pause", n: 1, took: time.Millisecond, want: h264.Veryfast, gap: 2 * time.Second},
	} {
		var got h264.Preset
		for range c.n {
			now = now.Add(max(c.gap, interval))
			got = l.observe(now, c.took, interval)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
