package session

import (
	"context"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// idle watches how long there was no input.
type idle struct {
	last  time.Time   // when there was some, or the desktop came
	timer *time.Timer // for the warning or the end, whichever is next
	end   Ending      // once people are warned
}

// beginIdle lets the idle limit run from now on.
func (s *Session) beginIdle() {
	if s.cfg.IdleLimit <= 0 {
		return
	}
	s.idle.last = time.Now()
	s.idle.timer = time.AfterFunc(s.cfg.IdleLimit-s.idleWarning(), func() { s.loop.post(s.checkIdle) })
}

// idleWarning is how long before the end people are warned: at most half the limit, or they would always be.
func (s *Session) idleWarning() time.Duration {
	return min(max(0, s.cfg.IdleWarning), s.cfg.IdleLimit/2)
}

// busy notes that somebody did something.
func (s *Session) busy() {
	s.idle.last = time.Now()
	if s.idle.end.Code != "" {
		s.idle.end = Ending{}
		s.showEnding()
		s.idle.timer.Reset(s.cfg.IdleLimit - s.idleWarning())
	}
}

// checkIdle warns, ends, or looks again when there can be a reason to.
func (s *Session) checkIdle() {
	if s.isEnding() {
		return
	}
	if s.held != nil || s.question != nil {
		s.busy() // nobody can do anything, and what is to be looked into must not go away
	}
	deadline := s.idle.last.Add(s.cfg.IdleLimit)
	left := time.Until(deadline)
	switch warning := s.idleWarning(); {
	case left <= 0:
		s.end(NewEnd(EndIdle, ""))
	case left <= warning:
		if s.idle.end.Code == "" {
			s.idle.end = Ending{NewEnd(EndIdle, ""), deadline}
			s.showEnding()
		}
		s.idle.timer.Reset(left)
	default:
		s.idle.timer.Reset(left - warning)
	}
}

// Announce shows the people in the session that it is going to end, which is for the caller to do. The zero value takes
// that back. It returns RefusedEnded when it has ended.
func (s *Session) Announce(ctx context.Context, e Ending) error {
	return s.change(ctx, func() error {
		s.announced = e
		s.showEnding()
		return nil
	})
}

// showEnding shows the end that comes first, and records it.
func (s *Session) showEnding() {
	next := s.announced
	if i := s.idle.end; i.Code != "" && (next.Code == "" || i.Deadline.Before(next.Deadline)) {
		next = i
	}
	if next == s.shown {
		return
	}
	s.shown = next
	var left time.Duration
	if next.Code != "" {
		left = max(0, time.Until(next.Deadline))
	}
	_ = s.record(recording.EndingEvent{Reason: string(next.Code), Message: next.Message, InMillis: left.Milliseconds()})
	s.door.SetEnding(next)
	s.log.Info("session end foreseen", "code", next.Code, "in", left)
}

// Permit changes which ways the clipboard may go from now on. It returns RefusedEnded when the session has ended.
func (s *Session) Permit(ctx context.Context, toTarget, fromTarget bool) error {
	return s.change(ctx, func() error {
		s.arbiter.policy.ClipboardToTarget, s.arbiter.policy.ClipboardFromTarget = toTarget, fromTarget
		if !fromTarget {
			s.clipboard.stop() // what waits for the rate is not let through any more
		}
		return nil
	})
}
