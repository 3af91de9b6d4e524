package stream

import (
	"context"
	"errors"
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestFirstPictureDoesNotWait(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		start := time.Now()
		c := &collector{}
		r.serve(r.ctx, c, 8, DropToIDR)
		synctest.Wait()
		units := c.got()
		if len(units) != 1 || !units[0].IDR || units[0].Seq != 1 || time.Since(start) != 0 {
			t.Fatalf("got %d units after %v", len(units), time.Since(start))
		}
		if units[0].Width != 640 || units[0].Height != 480 {
			t.Fatalf("size %d×%d", units[0].Width, units[0].Height)
		}
	})
}

func TestStillnessMakesNoPictures(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 8, DropToIDR)
		r.settle()
		before := len(c.got())
		r.pass(time.Hour)
		if after := len(c.got()); after != before {
			t.Fatalf("%d pictures in an hour of stillness", after-before)
		}
	})
}

func TestNobodyWatchesNothingIsEncoded(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		for i := range 10 {
			r.paint(whole, byte(i))
			r.pass(time.Second)
		}
		if n := len(r.log.all()); n != 0 {
			t.Fatalf("%d pictures for nobody", n)
		}
		c := &collector{}
		r.serve(r.ctx, c, 8, DropToIDR)
		synctest.Wait()
		units := c.got()
		if len(units) != 1 || units[0].Data[0] != 9 {
			t.Fatalf("the first sink got %d units", len(units))
		}
		if units[0].Changed != units[0].PTS {
			t.Errorf("changed at %v, before anyone watched at %v", units[0].Changed, units[0].PTS)
		}
	})
}

// TestChangeAfterStillness: at once, sharp, and with the time it was seen.
func TestChangeAfterStillness(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 8, DropToIDR)
		r.settle()
		before, now := len(c.got()), r.hub.clock()
		r.paint(tiny, 77)
		synctest.Wait()
		units := c.got()[before:]
		if len(units) != 1 {
			t.Fatalf("%d units at once, want 1", len(units))
		}
		au := units[0]
		if au.IDR || au.Refine || au.Data[0] != 77 || au.PTS != now || au.Changed != now {
			t.Fatalf("unit %+v at %v", au, now)
		}
		r.pass(time.Minute)
		if n := len(c.got()) - before; n != 1 {
			t.Fatalf("%d pictures for one small change, want 1: it was sharp from the start", n)
		}
	})
}

// TestBurst: paced to the cap, and the last state is shown.
func TestBurst(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.FPSCap = 20 }, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		before := len(c.got())
		for i := range 101 { // 1 s of a change each 10 ms
			r.paint(tiny, byte(100+i))
			if i < 100 {
				r.pass(10 * time.Millisecond)
			}
		}
		r.pass(time.Second)
		units := c.got()[before:]
		if len(units) < 20 || len(units) > 22 {
			t.Errorf("%d pictures in a second at 20 a second", len(units))
		}
		for i := 1; i < len(units); i++ {
			if d := units[i].PTS - units[i-1].PTS; d < 50*time.Millisecond {
				t.Errorf("pictures %v apart, cap is 50 ms", d)
			}
		}
		if last := units[len(units)-1]; last.Data[0] != 200 || last.Refine {
			t.Errorf("last picture shows %d, want 200", last.Data[0])
		}
	})
}

// TestRefine: a large change is coded coarsely and sharpened once, in steps.
func TestRefine(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.MotionQP = 22 }, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		before := len(r.log.all())
		r.paint(whole, 50)
		changed := time.Now()
		r.pass(time.Hour)
		frames, units := r.log.all()[before:], c.got()[before:]
		if len(frames) != 2 {
			t.Fatalf("%d pictures, want the change and one refinement", len(frames))
		}
		if frames[0].qp != 22 || frames[0].changed != 40*30 || units[0].Refine {
			t.Errorf("change: %+v", frames[0])
		}
		if d := frames[1].at.Sub(changed); frames[1].qp != 14 || frames[1].changed != 0 || !units[1].Refine || d != 250*time.Millisecond {
			t.Errorf("refinement after %v: %+v", d, frames[1])
		}
	})
}

// TestRefineWhileTyping: small changes neither put off sharpening the rest, nor bring it forward.
func TestRefineWhileTyping(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.MotionQP = 22 }, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		before := len(r.log.all())
		r.paint(whole, 50)
		start := time.Now()
		for i := range 8 {
			r.pass(100 * time.Millisecond)
			r.paint(tiny, byte(i))
		}
		r.pass(time.Second)
		for _, f := range r.log.all()[before:] {
			want := 22
			if f.at.Sub(start) >= 250*time.Millisecond {
				want = 14
			}
			if f.qp != want {
				t.Errorf("%v after the large change: QP %d, want %d", f.at.Sub(start), f.qp, want)
			}
		}
	})
}

// TestRefineInSteps: after congestion the picture is sharpened little by little.
func TestRefineInSteps(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		r.hub.SetTarget(1_000_000)
		r.log.mu.Lock()
		r.log.size = 40_000 // 320 kbit, more than the bucket holds
		r.log.mu.Unlock()
		for i := range 10 {
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		r.pass(10 * time.Second)
		frames := r.log.all()
		coarsest := 0
		for i, f := range frames {
			if f.changed == 0 && !f.idr {
				if step := frames[i-1].qp - f.qp; step > refineStep || step <= 0 {
					t.Errorf("refined from %d to %d", frames[i-1].qp, f.qp)
				}
			}
			coarsest = max(coarsest, f.qp)
		}
		if coarsest <= 30 || coarsest > 38 {
			t.Errorf("coarsest QP %d under congestion", coarsest)
		}
		if last := frames[len(frames)-1]; last.qp != 14 {
			t.Errorf("ends at QP %d", last.qp)
		}
	})
}

// TestTargetPaces: what is sent stays near the target.
func TestTargetPaces(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 600, DropToIDR)
		r.settle()
		r.hub.SetTarget(2_000_000)
		r.log.mu.Lock()
		r.log.size = 50_000 // whatever the quantiser: 400 kbit, so 5 a second fit
		r.log.mu.Unlock()
		before := r.hub.Stats().Bytes
		for i := range 300 {
			r.paint(whole, byte(i))
			r.pass(10 * time.Second / 300)
		}
		bits := 8 * (r.hub.Stats().Bytes - before)
		if bits < 15e6 || bits > 22e6 {
			t.Errorf("%d bits in 10 s at 2 Mbit/s", bits)
		}
	})
}

// TestStallIsBounded: however slow the target, something is shown every second.
func TestStallIsBounded(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.log.size = 5_000_000
		r.serve(r.ctx, c, 600, DropToIDR)
		r.settle()
		r.hub.SetTarget(1)
		r.paint(whole, 1)
		synctest.Wait()
		before := len(c.got())
		for i := range 100 {
			r.paint(whole, byte(i))
			r.pass(100 * time.Millisecond)
		}
		if n := len(c.got()) - before; n < 9 || n > 11 {
			t.Errorf("%d pictures in 10 s, want one a second", n)
		}
	})
}

func TestRequestIDRCoalesces(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		before := len(r.log.all())
		start := time.Now()
		for range 100 { // 1 s
			r.hub.RequestIDR()
			r.pass(10 * time.Millisecond)
		}
		r.pass(200 * time.Millisecond)
		var at []time.Duration
		for _, f := range r.log.all()[before:] {
			if f.idr {
				at = append(at, f.at.Sub(start))
			}
		}
		want := []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond, 900 * time.Millisecond}
		if len(at) < 4 || len(at) > 5 {
			t.Fatalf("IDRs at %v", at)
		}
		for i, w := range want {
			if d := at[i] - w; d < 0 || d > 40*time.Millisecond {
				t.Errorf("IDR %d at %v, want about %v", i, at[i], w)
			}
		}
	})
}

func TestLateJoinWhileStill(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		early, late := &collector{}, &collector{}
		r.serve(r.ctx, early, 64, DropToIDR)
		r.settle()
		before := len(early.got())
		r.serve(r.ctx, late, 64, DropToIDR)
		synctest.Wait()
		units := late.got()
		if len(units) != 1 || !units[0].IDR {
			t.Fatalf("late sink got %d units", len(units))
		}
		// Both get the very same unit.
		if e := early.got()[before:]; len(e) != 1 || e[0] != units[0] {
			t.Fatalf("early sink got %d units", len(e))
		}
	})
}

// TestLateJoinDuringMotion: nothing before the IDR, and no gap after.
func TestLateJoinDuringMotion(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		early, late := &collector{}, &collector{}
		r.serve(r.ctx, early, 600, DropToIDR)
		for i := range 60 {
			if i == 5 {
				r.serve(r.ctx, late, 600, DropToIDR)
			}
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		checkSequence(t, early.got())
		units := late.got()
		if len(units) < 40 {
			t.Fatalf("late sink got %d units", len(units))
		}
		checkSequence(t, units)
	})
}

// checkSequence wants an IDR first and then every unit, in order.
func checkSequence(t *testing.T, units []*h264.AccessUnit) {
	t.Helper()
	for i, au := range units {
		if i == 0 {
			if !au.IDR {
				t.Error("first unit is no IDR")
			}
			continue
		}
		prev := units[i-1]
		if au.Seq != prev.Seq+1 && !au.IDR {
			t.Errorf("unit %d follows %d and is no IDR", au.Seq, prev.Seq)
		}
		if au.PTS <= prev.PTS || au.Changed > au.PTS {
			t.Errorf("unit %d: PTS %v after %v, changed %v", au.Seq, au.PTS, prev.PTS, au.Changed)
		}
	}
}

func TestSlowSinkDropsToIDRAlone(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		fast, slow := &collector{}, &collector{gate: make(chan struct{})}
		r.serve(r.ctx, fast, 64, DropToIDR)
		r.serve(r.ctx, slow, 4, DropToIDR)
		synctest.Wait()
		for i := range 30 {
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		if n := len(fast.got()); n < 28 {
			t.Errorf("fast sink got %d units of 30", n)
		}
		stats := r.hub.Stats().Sinks
		if stats[0].Dropped != 0 || stats[1].Dropped == 0 || stats[1].Queued > 4 {
			t.Errorf("stats %+v", stats)
		}
		close(slow.gate)
		for i := range 30 {
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		r.pass(time.Second)
		units := slow.got()
		checkSequence(t, units)
		if units[len(units)-1] != fast.got()[len(fast.got())-1] {
			t.Error("the slow sink did not catch up")
		}
		s := r.hub.Stats().Sinks[1]
		if s.Delivered != uint64(len(units)) {
			t.Errorf("delivered %d, counted %d", len(units), s.Delivered)
		}
		if total := r.hub.Stats().Frames; s.Delivered+s.Dropped > total {
			t.Errorf("delivered %d and dropped %d of %d", s.Delivered, s.Dropped, total)
		}
	})
}

func TestFailEndsWithErrOverflow(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		viewer, recorder := &collector{}, &collector{gate: make(chan struct{})} // never opened
		r.serve(r.ctx, viewer, 64, DropToIDR)
		wait := r.serve(r.ctx, recorder, 4, Fail)
		for i := range 30 {
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		if err := wait(); !errors.Is(err, ErrOverflow) {
			t.Fatalf("Serve returned %v", err)
		}
		if n := len(r.hub.Stats().Sinks); n != 1 {
			t.Errorf("%d sinks left", n)
		}
		if n := len(viewer.got()); n < 28 {
			t.Errorf("viewer got %d units", n)
		}
	})
}

func TestServeReturnsTheSinksError(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		broken := errors.New("broken")
		if err := r.serve(r.ctx, &collector{err: broken}, 4, Fail)(); !errors.Is(err, broken) {
			t.Fatalf("Serve returned %v", err)
		}
	})
}

func TestServeReturnsTheCause(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		left := errors.New("viewer left")
		for _, c := range []*collector{{}, {gate: make(chan struct{})}} { // idle, and blocked in WriteUnit
			ctx, cancel := context.WithCancelCause(r.ctx)
			wait := r.serve(ctx, c, 4, DropToIDR)
			r.settle()
			cancel(left)
			if err := wait(); !errors.Is(err, left) {
				t.Errorf("Serve returned %v", err)
			}
		}
	})
}

func TestServeRefuses(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		for _, n := range []int{0, -1, MaxQueue + 1} {
			if err := r.hub.Serve(r.ctx, &collector{}, n, DropToIDR); err == nil {
				t.Errorf("queue of %d accepted", n)
			}
		}
		for range MaxSinks {
			r.serve(r.ctx, &collector{}, 1, DropToIDR)
		}
		synctest.Wait()
		if err := r.hub.Serve(r.ctx, &collector{}, 1, DropToIDR); err == nil {
			t.Error("one sink too many accepted")
		}
	})
}

func TestFreezeViewers(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		viewer, recorder, late := &collector{}, &collector{}, &collector{}
		r.serve(r.ctx, viewer, 64, DropToIDR)
		r.serve(r.ctx, recorder, 64, Fail)
		r.settle()
		r.hub.FreezeViewers(true)
		seen, recorded := len(viewer.got()), len(recorder.got())
		r.serve(r.ctx, late, 64, DropToIDR)
		for i := range 10 {
			r.paint(whole, byte(i))
			r.pass(100 * time.Millisecond)
		}
		if n := len(viewer.got()) - seen; n != 0 {
			t.Errorf("frozen viewer got %d units", n)
		}
		if n := len(late.got()); n != 0 {
			t.Errorf("viewer who joined while frozen got %d units", n)
		}
		if n := len(recorder.got()) - recorded; n < 10 {
			t.Errorf("recorder got %d units, want all", n)
		}
		r.settle()
		r.hub.FreezeViewers(false)
		r.pass(time.Second)
		for _, c := range []*collector{viewer, late} {
			units := c.got()
			checkSequence(t, units)
			if last := units[len(units)-1]; last.Data[0] != 9 {
				t.Errorf("after unfreezing the picture shows %d, want 9", last.Data[0])
			}
		}
		checkSequence(t, recorder.got())
	})
}

func TestResize(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 64, DropToIDR)
		r.settle()
		for _, size := range []image.Point{{801, 601}, {320, 200}, {640, 480}} {
			if err := r.fb.Resize(size); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			units := c.got()
			if au := units[len(units)-1]; !au.IDR || au.Width != size.X || au.Height != size.Y {
				t.Errorf("after resizing to %v: IDR %t, %d×%d", size, au.IDR, au.Width, au.Height)
			}
			r.pass(time.Second)
		}
		units := c.got()
		for i, au := range units {
			if au.Seq != uint64(i+1) {
				t.Errorf("unit %d has Seq %d", i, au.Seq)
			}
			if i > 0 && !au.IDR && (au.Width != units[i-1].Width || au.Height != units[i-1].Height) {
				t.Errorf("unit %d changes the size and is no IDR", au.Seq)
			}
		}
		r.stop()
		if len(r.log.opened) != 4 || r.log.closed != 4 {
			t.Errorf("%d encoders opened, %d closed", len(r.log.opened), r.log.closed)
		}
	})
}

// TestRunEndsWithTheLastPicture: what is pending when the Hub stops is encoded and delivered.
func TestRunEndsWithTheLastPicture(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.FPSCap = 1 }, func(r *rig) {
		c := &collector{}
		wait := r.serve(r.t.Context(), c, 64, Fail)
		r.settle()
		r.paint(tiny, 10)
		r.pass(time.Millisecond)
		r.paint(tiny, 11) // would wait for a second
		r.cancel(errTestOver)
		if err := wait(); err != nil {
			t.Fatalf("Serve returned %v", err)
		}
		units := c.got()
		if last := units[len(units)-1]; last.Data[0] != 11 {
			t.Errorf("last picture shows %d, want 11", last.Data[0])
		}
		r.stop()
		if r.runErr != nil {
			t.Errorf("Run returned %v", r.runErr)
		}
	})
}

func TestServeAfterTheEnd(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.stop()
		c := &collector{}
		if err := r.hub.Serve(r.t.Context(), c, 4, Fail); err != nil || len(c.got()) != 0 {
			t.Errorf("Serve returned %v after %d units", err, len(c.got()))
		}
	})
}

func TestRunOnce(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		synctest.Wait()
		if err := r.hub.Run(r.ctx); !errors.Is(err, ErrRunning) {
			t.Fatalf("second Run returned %v", err)
		}
	})
}

func TestRunReturnsTheEncodersError(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		broken := errors.New("broken")
		r.log.fail = broken
		wait := r.serve(r.ctx, &collector{}, 4, DropToIDR)
		synctest.Wait()
		if !errors.Is(r.runErr, broken) {
			t.Errorf("Run returned %v", r.runErr)
		}
		if err := wait(); err != nil {
			t.Errorf("Serve returned %v after Run ended", err)
		}
	})
}

func TestPresetFollowsLoad(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 600, DropToIDR)
		r.settle()
		r.log.mu.Lock()
		r.log.cpu = 20 * time.Millisecond
		r.log.mu.Unlock()
		for i := range 30 {
			r.paint(whole, byte(i))
			r.pass(time.Second / 30)
		}
		if got := r.hub.Stats().Preset; got != h264.Ultrafast {
			t.Errorf("under load: %v", got)
		}
		r.settle()
		r.log.mu.Lock()
		r.log.cpu = time.Millisecond
		r.log.mu.Unlock()
		for i := range 2 {
			r.paint(tiny, byte(i))
			r.pass(time.Second)
		}
		if got := r.hub.Stats().Preset; got != h264.Veryfast {
			t.Errorf("after stillness: %v", got)
		}
	})
}

func TestStats(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		c := &collector{}
		r.serve(r.ctx, c, 600, DropToIDR)
		r.settle()
		before := r.hub.Stats()
		for i := range 100 {
			r.paint(tiny, byte(i))
			r.pass(100 * time.Millisecond)
		}
		s := r.hub.Stats()
		if s.Frames-before.Frames != 100 || s.Bytes-before.Bytes != 100*100 || s.FPS < 9 || s.FPS > 10 || s.BitsPerSecond != s.FPS*800 {
			t.Errorf("stats %+v", s)
		}
		if s.Size != image.Pt(640, 480) || s.Target != 16_000_000 || s.QP != 14 || len(s.Sinks) != 1 || s.Sinks[0].Overflow != DropToIDR {
			t.Errorf("stats %+v", s)
		}
		r.pass(2 * time.Second)
		if s := r.hub.Stats(); s.FPS != 0 || s.BitsPerSecond != 0 {
			t.Errorf("still: %+v", s)
		}
	})
}

func TestNewHubRefuses(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		for name, change := range map[string]func(*HubConfig){
			"no framebuffer":      func(c *HubConfig) { c.Framebuffer = nil },
			"rate cap too high":   func(c *HubConfig) { c.FPSCap = 61 },
			"negative rate cap":   func(c *HubConfig) { c.FPSCap = -1 },
			"bit rate too low":    func(c *HubConfig) { c.MaxBitrate = 1000 },
			"sharp above motion":  func(c *HubConfig) { c.SharpQP = 30 },
			"floor below motion":  func(c *HubConfig) { c.CoarsestQP = 20 },
			"floor beyond bounds": func(c *HubConfig) { c.CoarsestQP = 50 },
			"negative time":       func(c *HubConfig) { c.RefineAfter = -1 },
		} {
			c := HubConfig{Framebuffer: r.fb}
			change(&c)
			if _, err := NewHub(c); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
}

// TestPlainViewerSeesEveryChange: beside a viewer with a patch lane and the recorder, one without gets each letter as it comes.
func TestPlainViewerSeesEveryChange(t *testing.T) {
	for _, plain := range []bool{true, false} {
		inBubble(t, func(c *HubConfig) { c.NewEncoder = newLumaEncoder }, func(r *rig) {
			recorder, v, player := &collector{}, newLaneViewer(), &collector{}
			r.serve(r.ctx, recorder, 600, Fail)
			r.serve(r.ctx, v, 600, DropToIDR)
			if plain {
				r.serve(r.ctx, player, 600, DropToIDR)
			}
			r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
			r.settle()
			before, patches := len(recorder.got()), r.hub.Stats().Patches
			var latest time.Duration
			for i := range 40 { // five seconds of typing
				r.paint(tiny, byte(100+i))
				drawn := r.hub.clock()
				synctest.Wait()
				for recorder.got()[len(recorder.got())-1].Data[0] != byte(100+i) && r.hub.clock() < drawn+125*time.Millisecond {
					r.pass(time.Millisecond)
				}
				latest = max(latest, r.hub.clock()-drawn)
				time.Sleep(drawn + 125*time.Millisecond - r.hub.clock())
			}
			r.pass(250 * time.Millisecond)
			units := len(recorder.got()) - before
			if last := recorder.got()[len(recorder.got())-1]; last.Data[0] != 139 {
				t.Errorf("the recording ends with %d", last.Data[0])
			}
			switch {
			case plain && (units != 40 || latest > 0):
				t.Errorf("%d units for 40 letters, up to %v late", units, latest)
			case !plain && (units < 18 || units > 26):
				t.Errorf("%d units for 40 letters whom patches show", units)
			}
			if n := r.hub.Stats().Patches - patches; n < 40 {
				t.Errorf("%d patches for 40 letters", n)
			}
		})
	}
}

// TestRecordingShowsLettersInTime: with nobody but the recorder, every letter is in it within 250 ms.
func TestRecordingShowsLettersInTime(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		recorder := &collector{}
		r.serve(r.ctx, recorder, 600, Fail)
		r.settle()
		for i := range 40 {
			drawn := r.hub.clock()
			r.paint(tiny, byte(100+i))
			r.pass(250 * time.Millisecond)
			last := recorder.got()[len(recorder.got())-1]
			if last.Data[0] != byte(100+i) || last.PTS > drawn+250*time.Millisecond {
				t.Fatalf("letter %d: the recording shows %d at %v", i, last.Data[0], last.PTS-drawn)
			}
		}
	})
}

// TestStarvedViewerAsksEverMoreRarely: a viewer whose link carries next to nothing costs the others few IDR pictures.
func TestStarvedViewerAsksEverMoreRarely(t *testing.T) {
	all := image.Rect(0, 0, 96, 96)
	small := func(c *HubConfig) { c.Framebuffer, _ = desktop.NewFramebuffer(all.Max) }
	inBubble(t, small, func(r *rig) {
		good, starved := &collector{}, &collector{gate: make(chan struct{})}
		r.serve(r.ctx, good, 60, DropToIDR)
		r.serve(r.ctx, starved, 10, DropToIDR)
		r.settle()
		before := r.hub.Stats().IDRs
		go func() { // a picture every second
			for r.ctx.Err() == nil {
				time.Sleep(time.Second)
				select {
				case starved.gate <- struct{}{}:
				default:
				}
			}
		}()
		for i := range 30 * 60 { // a minute of motion
			r.paint(all, byte(i))
			r.pass(time.Second / 30)
		}
		idrs := r.hub.Stats().IDRs - before
		if idrs < 4 || idrs > 12 {
			t.Errorf("%d IDR pictures in a minute for a viewer that cannot carry the stream", idrs)
		}
		if n := len(starved.got()); n < 6 {
			t.Errorf("it got %d pictures", n)
		}
		if s := r.hub.Stats().Sinks[0]; s.Dropped != 0 {
			t.Errorf("the other missed %d pictures", s.Dropped)
		}
		r.cancel(errTestOver)
		time.Sleep(2 * time.Second)
	})
}
