package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestIdle(t *testing.T) {
	limited := func(r *rig) { r.cfg.IdleLimit, r.cfg.IdleWarning = 10*time.Minute, time.Minute }
	t.Run("nobody does anything", func(t *testing.T) {
		inActive(t, func(r *rig) {
			time.Sleep(9*time.Minute - time.Millisecond)
			r.want(r.take("door"))
			time.Sleep(time.Millisecond)
			synctest.Wait()
			r.want(r.take("door"), "door ends idle in 1m0s")
			time.Sleep(time.Minute - time.Millisecond)
			r.running()
			time.Sleep(time.Millisecond)
			r.end(EndIdle)
		}, limited)
	})
	t.Run("a key takes the warning back", func(t *testing.T) {
		inActive(t, func(r *rig) {
			time.Sleep(9*time.Minute + 30*time.Second)
			r.press(key('a', true))
			r.want(r.take("door"), "door ends idle in 1m0s", "door goes on")
			time.Sleep(9 * time.Minute)
			synctest.Wait()
			r.want(r.take("door"), "door ends idle in 1m0s")
			time.Sleep(time.Minute)
			r.end(EndIdle)
		}, limited)
	})
	t.Run("somebody moves now and then", func(t *testing.T) {
		inActive(t, func(r *rig) {
			for i := range 20 {
				time.Sleep(8 * time.Minute)
				r.press(pointer(i, i, 0))
			}
			r.running()
			r.want(r.take("door"))
		}, limited)
	})
	t.Run("one who watches is no hand", func(t *testing.T) {
		inActive(t, func(r *rig) {
			r.s.ViewerJoined(bob)
			for range 9 {
				time.Sleep(time.Minute)
				r.refused(RefusedControl, bob, key('a', true))
			}
			time.Sleep(time.Minute)
			r.end(EndIdle)
		}, limited)
	})
	t.Run("a short limit warns at its half", func(t *testing.T) {
		inActive(t, func(r *rig) {
			time.Sleep(30 * time.Second)
			synctest.Wait()
			r.want(r.take("door"), "door ends idle in 30s")
			time.Sleep(30 * time.Second)
			r.end(EndIdle)
		}, func(r *rig) { r.cfg.IdleLimit, r.cfg.IdleWarning = time.Minute, time.Minute })
	})
}

func TestAnnounce(t *testing.T) {
	limited := func(r *rig) { r.cfg.IdleLimit, r.cfg.IdleWarning = 10*time.Minute, time.Minute }
	inActive(t, func(r *rig) {
		announce := func(e Ending) {
			if err := r.s.Announce(r.t.Context(), e); err != nil {
				t.Error(err)
			}
		}
		closing := Ending{NewEnd(EndWindowClosed, ""), time.Now().Add(10 * time.Minute)}
		announce(closing)
		announce(closing) // nothing new
		r.want(r.take(), "record ending window_closed 10m0s: The time this desktop may be used is over.", "door ends window_closed in 10m0s")
		// The end that comes first is shown.
		time.Sleep(9*time.Minute + time.Second)
		synctest.Wait()
		r.want(r.take("door"))
		closing.Deadline = closing.Deadline.Add(time.Hour)
		announce(closing)
		r.want(r.take("door"), "door ends idle in 59s")
		r.press(key('a', true))
		r.want(r.take("door"), "door ends window_closed in 1h0m59s")
		announce(Ending{})
		r.want(r.take(), "record ending", "door goes on")
		r.running()
		r.s.Terminate(Person{}, NewEnd(EndWindowClosed, ""))
		synctest.Wait()
		if err := r.s.Announce(r.t.Context(), closing); err != RefusedEnded { //nolint:errorlint // itself
			t.Errorf("announced after the end: %v", err)
		}
		if err := r.s.Permit(r.t.Context(), true, true); err != RefusedEnded { //nolint:errorlint // itself
			t.Errorf("permitted after the end: %v", err)
		}
	}, limited)
}

// TestPermit: the clipboard is closed and opened while the session runs, each way by itself.
func TestPermit(t *testing.T) {
	inActive(t, func(r *rig) {
		permit := func(to, from bool) {
			if err := r.s.Permit(r.t.Context(), to, from); err != nil {
				t.Error(err)
			}
		}
		permit(false, true)
		r.refused(RefusedClipboard, ann, desktop.ClipboardText{Text: "in"})
		r.take()
		r.s.ClipboardFromTarget("out")
		synctest.Wait()
		r.want(r.take(), "record clipboard ann from_target out", "door clipboard out")
		permit(true, false)
		r.press(desktop.ClipboardText{Text: "in"})
		r.want(r.take("send"), "send clipboard {Text:in}")
		r.s.ClipboardFromTarget("out")
		synctest.Wait()
		r.want(r.take("door"))
		permit(true, true)
		r.s.ClipboardFromTarget("again")
		synctest.Wait()
		r.want(r.take("door"), "door clipboard again")
	})
}
