package session

import (
	"time"

	"golang.org/x/time/rate"
)

// throttle bounds how often a target's word is passed on. What comes too fast waits, and only the latest of it. The loop
// owns it.
type throttle struct {
	limiter *rate.Limiter
	post    func(fn func()) // runs fn in the loop
	pending func()
	timer   *time.Timer
}

func newThrottle(l *rate.Limiter, post func(func())) *throttle {
	return &throttle{limiter: l, post: post}
}

// offer runs fn now, or later unless another comes before that. cost is at most the limiter's burst.
func (t *throttle) offer(cost int, fn func()) {
	if t.pending == nil {
		wait := t.limiter.ReserveN(time.Now(), cost).Delay()
		if wait == 0 {
			fn()
			return
		}
		t.timer = time.AfterFunc(wait, func() {
			t.post(func() {
				if fn := t.pending; fn != nil {
					t.pending = nil
					fn()
				}
			})
		})
	}
	t.pending = fn
}

// stop drops what is waiting.
func (t *throttle) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.pending = nil
}
