package session

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// TestRecordedBeforeSent: every kind of act is in the recording before it is on its way.
func TestRecordedBeforeSent(t *testing.T) {
	inActive(t, func(r *rig) {
		r.press(
			key('a', true), key('a', false), desktop.TextInput{Text: "né"}, pointer(3, 4, 0), pointer(3, 4, desktop.ButtonLeft),
			pointer(9, 9, desktop.ButtonLeft), desktop.WheelEvent{Pos: image.Pt(5, 5), DY: -2}, pointer(9, 9, desktop.ButtonRight),
			desktop.ClipboardText{Text: "copied"}, desktop.LockKeys{Caps: true},
		)
		got := r.take()
		want := []string{
			"record key ann a true", "send key",
			"record key ann a false", "send key",
			"record text ann né", "send text",
			"send pointer", // motion is seen in the pictures
			"record pointer ann down 1 at 3,4", "send pointer",
			"send pointer",
			"record wheel ann 0,-2 at 5,5", "send wheel {Pos:(5,5) Buttons:1",
			"record pointer ann up 4 at 9,9", "record pointer ann down 4 at 9,9", "send pointer",
			"record clipboard ann to_target copied", "send clipboard",
			"send locks {Caps:true", // what it changes is in the keys that follow
		}
		// Acts overtake nothing: recorded in order, sent in order, and none is sent before it is recorded.
		for _, kind := range []string{"record", "send"} {
			g := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return !strings.HasPrefix(l, kind) })
			w := slices.DeleteFunc(slices.Clone(want), func(l string) bool { return !strings.HasPrefix(l, kind) })
			if !slices.EqualFunc(g, w, strings.HasPrefix) {
				t.Errorf("%s:\n  %s\nwant\n  %s", kind, strings.Join(g, "\n  "), strings.Join(w, "\n  "))
			}
		}
		sends, records := 0, 0
		for _, l := range got {
			switch {
			case strings.HasPrefix(l, "record key"), strings.HasPrefix(l, "record text"), strings.HasPrefix(l, "record clipboard"):
				records++
			case strings.HasPrefix(l, "send key"), strings.HasPrefix(l, "send text"), strings.HasPrefix(l, "send clipboard"):
				sends++
			}
			if sends > records {
				t.Fatalf("sent before it was recorded: %q", got)
			}
		}
		if n := r.s.Stats().InputEvents; n != 10 {
			t.Errorf("%d acts counted, want 10", n)
		}
	})
}

// TestUnrecordedIsNotSent: the act that could not be recorded is not done, nor any after it.
func TestUnrecordedIsNotSent(t *testing.T) {
	for _, in := range []desktop.Input{
		key('a', true),
		desktop.TextInput{Text: "rm -rf"},
		pointer(1, 1, desktop.ButtonLeft),
		desktop.WheelEvent{DY: 1},
		desktop.ClipboardText{Text: "secret"},
	} {
		inActive(t, func(r *rig) {
			r.recorder.breakWith(recording.ErrOverflow)
			r.refused(RefusedNotRecorded, ann, in)
			r.refused(RefusedNotRecorded, ann, key('b', true))
			r.end(EndRecordingFailed)
		})
	}
}

func TestWhoMayAct(t *testing.T) {
	t.Run("before the desktop is there nobody", func(t *testing.T) {
		inRig(t, func(r *rig) {
			r.s.ViewerJoined(ann)
			r.refused(RefusedConnecting, ann, key('a', true))
			if err := r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)); !errors.Is(err, RefusedConnecting) {
				t.Errorf("resize: %v", err)
			}
		})
	})
	t.Run("the one in control", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ViewerJoined(bob)
			r.refused(RefusedControl, bob, key('a', true))
			r.refused(RefusedControl, bob, desktop.LockKeys{Caps: true})
			r.refused(RefusedControl, as(bob, RoleControl), key('a', true)) // what a door claims does not count
			r.refused(RefusedControl, Viewer{}, key('a', true))
			r.press(key('a', true))
		})
	})
	t.Run("nobody when the target is for viewing", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.refused(RefusedViewOnly, ann, key('a', true))
			r.refused(RefusedViewOnly, ann, desktop.ClipboardText{Text: "x"})
			if err := r.s.Resize(r.t.Context(), ann, image.Pt(640, 480)); !errors.Is(err, RefusedViewOnly) {
				t.Errorf("resize: %v", err)
			}
		}, func(r *rig) { r.cfg.Policy.ViewOnly = true })
	})
	t.Run("nobody after the one in control left", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ViewerLeft(ann, "closed")
			r.refused(RefusedControl, ann, key('a', true))
			r.refused(RefusedControl, Viewer{}, key('a', true))
		})
	})
}

// TestTakeover: whoever loses control lets go of everything, last pressed first, before the other begins.
func TestTakeover(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.ViewerJoined(bob)
		ctrl, alt := key(0xffe3, true), desktop.KeyEvent{Keysym: 0xffe9, Scancode: 0x38, Down: true}
		r.press(ctrl, alt, key('x', true), key('x', false), pointer(7, 8, desktop.ButtonLeft|desktop.ButtonRight))
		r.take()
		r.s.RoleChanged(as(bob, RoleControl))
		synctest.Wait()
		got := r.take()
		want := []string{
			"viewers ann control, bob control",
			"record key ann Alt_L false", "record key ann Control_L false", "record pointer ann up 0 at 7,8",
			"record control released ann", "record control taken bob",
		}
		r.want(slices.DeleteFunc(slices.Clone(got), func(l string) bool { return strings.HasPrefix(l, "send") }), want...)
		r.want(slices.DeleteFunc(got, func(l string) bool { return !strings.HasPrefix(l, "send") }),
			"send key {Keysym:65513 Scancode:56 Down:false}", "send key {Keysym:65507 Scancode:0 Down:false}", "send pointer {Pos:(7,8) Buttons:0}")
		r.refused(RefusedControl, ann, ctrl)
		// A key that goes up after its holder lost control is nobody's.
		r.refused(RefusedControl, ann, key(0xffe3, false))
		if err := r.s.Input(r.t.Context(), as(bob, RoleControl), key('b', true)); err != nil {
			t.Error(err)
		}
	})
}

// TestMotionIsGivenUp: while the target takes nothing, motion piles up to one event, the latest.
func TestMotionIsGivenUp(t *testing.T) {
	inActive(t, func(r *rig) {
		r.target.stuck.Lock()
		for i := range 5000 {
			if err := r.s.Input(r.t.Context(), ann, pointer(i%800, 10, 0)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		r.target.stuck.Unlock()
		synctest.Wait()
		sent := r.take("send")
		if len(sent) != 2 || sent[1] != "send pointer {Pos:(199,10) Buttons:0}" {
			t.Errorf("%d sent, the last %q", len(sent), sent[len(sent)-1])
		}
	})
}

// TestKeysAreNotLost: while the target takes nothing the caller waits; all arrives, in order, once it does.
func TestKeysAreNotLost(t *testing.T) {
	inActive(t, func(r *rig) {
		const n = 3 * queueItems
		r.target.stuck.Lock()
		typed := make(chan error, 1)
		go func() {
			for i := range n {
				in := key(rune(0x4e00+i/2), i%2 == 0)
				if err := r.s.Input(r.t.Context(), ann, in); err != nil {
					typed <- err
					return
				}
			}
			typed <- nil
		}()
		time.Sleep(stallTimeout / 2)
		if got := len(r.take("record key")); got > queueItems+2 {
			t.Errorf("%d keys were let through to a target that takes none", got)
		}
		r.target.stuck.Unlock()
		if err := <-typed; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		sent := r.take("send")
		if len(sent) != n {
			t.Fatalf("%d of %d keys arrived", len(sent), n)
		}
		for i, line := range sent {
			if want := fmt.Sprintf("send key {Keysym:%d Scancode:0 Down:%v}", 0x4e00+i/2, i%2 == 0); line != want {
				t.Fatalf("key %d: %s, want %s", i, line, want)
			}
		}
	})
}

// TestStalled: a target that takes no input for long has ended, whatever else it does.
func TestStalled(t *testing.T) {
	inActive(t, func(r *rig) {
		r.target.stuck.Lock()
		var err error
		began := time.Now()
		for i := 0; err == nil; i++ {
			began = time.Now()
			err = r.s.Input(r.t.Context(), ann, key(rune(0x4e00+i), true))
			if err == nil {
				err = r.s.Input(r.t.Context(), ann, key(rune(0x4e00+i), false))
			}
		}
		if !errors.Is(err, RefusedStalled) || time.Since(began) < stallTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		synctest.Wait()
		r.target.stuck.Unlock()
		r.end(EndTargetTimeout)
	})
}

// TestInputGivenUp: the caller's own end and the session's let a waiting act go.
func TestInputGivenUp(t *testing.T) {
	for _, by := range []string{"caller", "session"} {
		inActive(t, func(r *rig) {
			r.target.stuck.Lock()
			defer r.target.stuck.Unlock()
			ctx, cancel := context.WithCancel(r.t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				for i := 0; ; i++ {
					if err := r.s.Input(ctx, ann, key(rune(0x4e00+i/2), i%2 == 0)); err != nil {
						result <- err
						return
					}
				}
			}()
			time.Sleep(time.Second)
			want := error(RefusedEnded)
			if by == "caller" {
				want = context.Canceled
				cancel()
			} else {
				r.s.Terminate(Person{}, End{})
			}
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("ended by the %s: %v", by, err)
			}
		})
	}
}

// TestRate: typing faster than any hand is slowed down, not lost; what nobody waits for is refused.
func TestRate(t *testing.T) {
	inActive(t, func(r *rig) {
		began := time.Now()
		const n = 10_000
		for i := range n {
			if err := r.s.Input(r.t.Context(), ann, key('a', i%2 == 0)); err != nil {
				t.Fatalf("key %d: %v", i, err)
			}
		}
		least := time.Duration(n/2-inputBurst) * time.Second / inputRate // letting go is free
		if took := time.Since(began); took < least {
			t.Errorf("%d acts in %v, want %v at least", n, took, least)
		}
		synctest.Wait()
		if sent := len(r.take("send")); sent != n {
			t.Errorf("%d of %d arrived", sent, n)
		}
	})
}

// TestRateOfMotion: motion never waits. What is too much of it is given up, and the pointer ends where it is.
func TestRateOfMotion(t *testing.T) {
	inActive(t, func(r *rig) {
		began := time.Now()
		for i := range 5000 {
			r.press(pointer(i%800, i%600, 0))
		}
		if time.Since(began) != 0 {
			t.Errorf("motion waited %v", time.Since(began))
		}
		if sent := len(r.take("send")); sent < inputBurst/2 || sent > inputBurst+1 {
			t.Errorf("%d of 5000 motions sent at once", sent)
		}
		// A click is where it is, however much motion there was.
		r.press(pointer(42, 43, desktop.ButtonLeft))
		r.want(r.take("send"), "send pointer {Pos:(42,43) Buttons:1}")
	})
}

// TestLongTextsCost: a text is as many key presses on the target, and counts as such.
func TestLongTextsCost(t *testing.T) {
	inActive(t, func(r *rig) {
		long := desktop.TextInput{Text: strings.Repeat("x", maxTextBytes)}
		began := time.Now()
		for range 100 {
			r.press(long)
		}
		acts := 100 * (1 + maxTextBytes/textBytesPerAct)
		if took, least := time.Since(began), time.Duration(acts-inputBurst)*time.Second/inputRate; took < least {
			t.Errorf("took %v, want %v at least", took, least)
		}
	})
}

// TestLettingGoIsFree: whatever the rate, a key that is down can go up at once.
func TestLettingGoIsFree(t *testing.T) {
	inActive(t, func(r *rig) {
		r.press(key('a', true), pointer(1, 1, desktop.ButtonLeft))
		for range inputBurst {
			r.press(desktop.WheelEvent{DY: 1})
		}
		began := time.Now()
		r.press(key('a', false), pointer(1, 1, 0))
		if time.Since(began) != 0 {
			t.Errorf("letting go waited %v", time.Since(began))
		}
	})
}

func TestMalformedInput(t *testing.T) {
	inActive(t, func(r *rig) {
		r.refused(RefusedTooLong, ann, desktop.TextInput{Text: strings.Repeat("x", maxTextBytes+1)})
		r.refused(RefusedMalformed, ann, desktop.TextInput{Text: "\xff"})
		r.refused(RefusedTooLong, ann, desktop.ClipboardText{Text: strings.Repeat("x", desktop.MaxClipboardBytes+1)})
		r.refused(RefusedMalformed, ann, desktop.ClipboardText{Text: "a\xc3"})
		r.refused(RefusedMalformed, ann, nil)
		r.take()
		r.press(pointer(-5, 99999, 0xff), desktop.WheelEvent{Pos: image.Pt(99999, -1), DX: 1000, DY: -1000})
		r.want(r.take("send"), "send pointer {Pos:(0,599) Buttons:31}", "send wheel {Pos:(799,0) Buttons:31 DX:16 DY:-16}")
		for i := range maxHeldKeys {
			r.press(key(rune(0x4e00+i), true))
		}
		r.refused(RefusedTooFast, ann, key('z', true))
		r.press(key(0x4e00, true)) // repeats are no more keys
		r.press(key(0x4e00, false), key('z', true))
	})
}

func TestClipboardToTarget(t *testing.T) {
	inActive(t, func(r *rig) {
		r.press(desktop.ClipboardText{Text: "for the desktop"})
		r.want(r.take(), "record clipboard ann to_target for the desktop", "send clipboard {Text:for the desktop}")
	})
	inActive(t, func(r *rig) {
		r.refused(RefusedClipboard, ann, desktop.ClipboardText{Text: "for the desktop"})
		r.press(key('a', true)) // the keyboard is another matter
	}, func(r *rig) { r.cfg.Policy.ClipboardToTarget = false })
	// Much of it waits, more of it is refused.
	inActive(t, func(r *rig) {
		long := desktop.ClipboardText{Text: strings.Repeat("x", desktop.MaxClipboardBytes)}
		half := desktop.ClipboardText{Text: long.Text[:desktop.MaxClipboardBytes/2]}
		r.press(long)
		began := time.Now()
		r.press(half)
		if took := time.Since(began); took < time.Second || took > maxClipboardDelay {
			t.Errorf("the second text went after %v", took)
		}
		r.refused(RefusedTooFast, ann, long)
	})
}

func TestClipboardFromTarget(t *testing.T) {
	inActive(t, func(r *rig) {
		r.s.ClipboardFromTarget("from the desktop")
		r.want(r.take(), "record clipboard ann from_target from the desktop", "door clipboard from the desktop")
		r.s.ClipboardFromTarget("\xff")
		r.s.ClipboardFromTarget(strings.Repeat("x", desktop.MaxClipboardBytes+1))
		r.want(r.take("door"))
		r.recorder.breakWith(recording.ErrOverflow)
		r.s.ClipboardFromTarget("unrecorded")
		r.want(r.take("door clipboard"))
	})
	t.Run("forbidden", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ClipboardFromTarget("from the desktop")
			r.want(r.take(), "record rejected  clipboard x0: Text may not be taken from this desktop.")
		}, func(r *rig) { r.cfg.Policy.ClipboardFromTarget = false })
	})
	t.Run("for nobody", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ViewerJoined(bob)
			r.s.ViewerLeft(ann, "closed")
			r.take()
			r.s.ClipboardFromTarget("from the desktop")
			r.want(r.take())
		})
	})
	t.Run("a flood", func(t *testing.T) {
		inActive(t, func(r *rig) {
			for i := range 2000 {
				r.s.ClipboardFromTarget(fmt.Sprintf("%04d", i) + strings.Repeat("x", 64<<10))
			}
			time.Sleep(time.Minute)
			passed := r.take("door clipboard")
			if len(passed) > 20 || !strings.HasPrefix(passed[len(passed)-1], "door clipboard 1999") {
				t.Errorf("%d texts passed on, the last %q", len(passed), passed[len(passed)-1])
			}
		})
	})
}

// TestRejections: refused input is in the recording, and cannot flood it.
func TestRejections(t *testing.T) {
	inActive(t, func(r *rig) {
		for range 1000 {
			_ = r.s.Input(r.t.Context(), bob, key('a', true))
		}
		_ = r.s.Input(r.t.Context(), bob, pointer(1, 1, desktop.ButtonLeft))
		for i := range 100 {
			_ = r.s.Input(r.t.Context(), bob, pointer(i, i, 0)) // somebody who watches moves the mouse all the time
		}
		r.s.Refused(bob, "message", "That is no message.")
		r.want(r.take("record"),
			"record rejected bob key x0: You do not control this desktop.", "record rejected bob pointer x0: You do not control this desktop.",
			"record rejected bob message x0: That is no message.")
		time.Sleep(rejectionWindow)
		synctest.Wait()
		r.want(r.take("record"), "record rejected bob key x999: You do not control this desktop.")
		time.Sleep(rejectionWindow)
		_ = r.s.Input(r.t.Context(), bob, key('a', true))
		r.want(r.take("record"), "record rejected bob key x0: You do not control this desktop.")
		// Many kinds are one kind.
		for i := range 1000 {
			r.s.Refused(bob, "message", fmt.Sprintf("Number %d.", i))
		}
		if n := len(r.take("record")); n > maxRejections+1 {
			t.Errorf("%d events", n)
		}
		_ = r.s.Input(r.t.Context(), bob, key('a', true))
		r.s.Terminate(Person{}, End{})
		r.end(EndTerminated)
		r.want(r.take("record rejected bob key"), "record rejected bob key x1: You do not control this desktop.")
	})
}

func TestTargetRefusesInput(t *testing.T) {
	inActive(t, func(r *rig) {
		r.target.set(fmt.Errorf("vncclient: %w", desktop.ErrUnsupported), nil)
		r.press(desktop.TextInput{Text: "😀"})
		r.want(r.take(), "record text ann 😀", "record rejected  text x0: The desktop did not take it.")
		r.target.set(desktop.ErrNotConnected, nil)
		r.press(key('a', true))
		r.want(r.take(), "record key ann a true") // the target's end will say why
	})
}

func TestResize(t *testing.T) {
	inActive(t, func(r *rig) {
		ask := func(v Viewer, w, h int) error { return r.s.Resize(r.t.Context(), v, image.Pt(w, h)) }
		if err := ask(ann, 640, 480); !errors.Is(err, RefusedSize) {
			t.Errorf("a target that cannot: %v", err)
		}
		r.target.set(nil, nil)
		r.take()
		if err := ask(ann, 640, 480); err != nil {
			t.Error(err)
		}
		r.want(r.take("resize"), "resize (640,480)")
		if err := ask(bob, 640, 480); !errors.Is(err, RefusedControl) {
			t.Errorf("bob: %v", err)
		}
		for _, size := range []image.Point{{}, {-1, 5}, {1, 1}, {1 << 20, 1 << 20}} {
			if err := ask(ann, size.X, size.Y); !errors.Is(err, RefusedSize) {
				t.Errorf("%v: %v", size, err)
			}
		}
		// While the target takes nothing only the latest wish is kept.
		r.target.stuck.Lock()
		r.press(key('a', true))
		r.take()
		results := make(chan error, 3)
		for i := range 3 {
			go func() { results <- ask(ann, 1000+i, 700) }()
			time.Sleep(time.Millisecond)
		}
		r.target.stuck.Unlock()
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		r.want(r.take("resize"), "resize (1002,700)")
		r.target.stuck.Lock()
		r.press(key('b', true))
		began := time.Now()
		if err := ask(ann, 900, 700); !errors.Is(err, RefusedSize) || time.Since(began) != resizeTimeout {
			t.Errorf("a target that is stuck: %v after %v", err, time.Since(began))
		}
		r.target.stuck.Unlock()
	})
}

// TestWish: the size asked for at the start is asked again while the target does not know yet that it can.
func TestWish(t *testing.T) {
	wish := func(r *rig) { r.cfg.Size = image.Pt(1280, 720) }
	inActive(t, func(r *rig) {
		time.Sleep(3 * wishInterval)
		r.target.set(nil, nil)
		time.Sleep(time.Minute)
		asked := r.take("resize")
		if len(asked) < 3 || len(asked) > 5 || asked[0] != "resize (1280,720)" {
			t.Errorf("%q", asked)
		}
	}, wish)
	inActive(t, func(r *rig) {
		time.Sleep(time.Hour)
		if n := len(r.take("resize")); n < wishTries-2 || n > wishTries {
			t.Errorf("asked %d times", n)
		}
		r.running()
	}, wish)
}

// TestBell: the bell of a desktop nobody sees is not rung.
func TestBell(t *testing.T) {
	inRig(t, func(r *rig) {
		r.take()
		r.s.Bell()
		r.want(r.take("door"))
		connected(r)
		r.take()
		r.s.Bell()
		r.want(r.take(), "door bell")
	})
}
