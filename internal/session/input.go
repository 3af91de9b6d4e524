package session

import (
	"context"
	"errors"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Input lets one act of v through to the target, or refuses it with a Refusal. It waits for a bounded time while the
// target takes nothing or acts come too fast; calls for one viewer are not concurrent with each other.
func (s *Session) Input(ctx context.Context, v Viewer, in desktop.Input) error {
	var stalled <-chan time.Time
	for paid := false; ; paid = true {
		var d verdict
		if err := s.loop.do(ctx, func() { d = s.decide(v, in, paid) }); err != nil {
			return err
		}
		var rested <-chan time.Time
		switch {
		case d.wait > 0:
			rested = time.After(d.wait)
		case d.freed == nil:
			return d.err
		case stalled == nil:
			stalled = time.After(stallTimeout)
		}
		select {
		case <-rested:
		case <-d.freed:
		case <-stalled:
			s.Terminate(Person{}, NewEnd(EndTargetTimeout, "it takes no input"))
			return RefusedStalled
		case <-s.ending:
			return RefusedEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// decide is a task of the loop.
func (s *Session) decide(v Viewer, in desktop.Input, paid bool) verdict {
	var d verdict
	switch err := s.barred(v); {
	case errors.Is(err, RefusedFrozen), errors.Is(err, RefusedTakenOver):
		d.err = err
	case err != nil:
		return verdict{err: err}
	default:
		d = s.arbiter.decide(v, in, paid)
		if d.err == nil {
			s.busy()
		}
	}
	s.inputs.Store(s.arbiter.passed)
	if r := Refusal(""); errors.As(d.err, &r) && !s.arbiter.isMotion(in) {
		s.rejections.note(v.Person.Name, what(in), string(r))
	}
	return d
}

// barred says why nobody, or v, may act at the moment; nil when nothing but the Arbiter's rules are in the way. In a session that a
// supervisor has frozen only who has taken over may, and who is asked why may not before they have answered.
func (s *Session) barred(v Viewer) error {
	over := s.status.Control.Viewer
	switch {
	case s.isEnding():
		return RefusedEnded
	case s.status.State == StateConnecting:
		return RefusedConnecting
	case s.unrecorded:
		return RefusedNotRecorded
	case s.linkLost, s.held != nil && (over == "" || over != v.ID), s.question != nil && s.question.Person.ID == v.Person.ID:
		return RefusedFrozen
	case over != "" && over != v.ID && s.claim.ID == v.ID:
		return RefusedTakenOver
	}
	return nil
}

// what names a kind of input in the recording.
func what(in desktop.Input) string {
	switch in.(type) {
	case desktop.KeyEvent:
		return "key"
	case desktop.TextInput:
		return "text"
	case desktop.LockKeys:
		return "locks"
	case desktop.PointerEvent:
		return "pointer"
	case desktop.WheelEvent:
		return "wheel"
	case desktop.ClipboardText:
		return "clipboard"
	}
	return "input"
}

// send brings what was let through to the target, one after the other, until the queue is closed and empty or ctx ends.
func (s *Session) send(ctx context.Context) {
	for {
		in, request := s.queue.next(ctx)
		switch {
		case request != nil:
			request.answer <- s.resizeTarget(request.size)
		case in == nil:
			return
		default:
			s.sendOne(in)
		}
	}
}

func (s *Session) sendOne(in desktop.Input) {
	err := s.source.Send(in)
	if err == nil || errors.Is(err, desktop.ErrNotConnected) { // then the source's end says why
		return
	}
	s.loop.post(func() {
		s.log.Warn("input not taken by the target", "what", what(in), "error", err)
		s.rejections.note("", what(in), "The desktop did not take it.")
	})
}

func (s *Session) resizeTarget(size image.Point) error {
	r, ok := s.source.(desktop.Resizer)
	if !ok {
		return desktop.ErrUnsupported
	}
	return r.Resize(size)
}

// Resize asks the target for another size, for v. The error's text is for the person.
func (s *Session) Resize(ctx context.Context, v Viewer, size image.Point) error {
	err := s.change(ctx, func() error {
		if err := s.barred(v); err != nil {
			return err
		}
		switch {
		case s.arbiter.holder.ID != v.ID:
			return RefusedControl
		case s.cfg.Policy.ViewOnly:
			return RefusedViewOnly
		case desktop.CheckSize(size) != nil:
			return RefusedSize
		}
		s.asked = v.Person.Name
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.ask(ctx, size); err != nil {
		s.log.Debug("size refused", "error", err)
		return RefusedSize
	}
	return nil
}

// ask hands a request for another size to the sender and waits until it is on its way.
func (s *Session) ask(ctx context.Context, size image.Point) error {
	request := &resizeRequest{size, make(chan error, 1)}
	s.queue.ask(request)
	timer := time.NewTimer(resizeTimeout)
	defer timer.Stop()
	select {
	case err := <-request.answer:
		return err
	case <-timer.C:
		return desktop.ErrTimeout
	case <-s.ending:
		return RefusedEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wish asks for the configured size once the desktop is there.
func (s *Session) wish(ctx context.Context) {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	if s.cfg.Size == (image.Point{}) {
		return
	}
	for range wishTries {
		err := s.ask(ctx, s.cfg.Size)
		if err == nil {
			return
		}
		if !errors.Is(err, desktop.ErrUnsupported) {
			s.log.Debug("wished size not asked for", "error", err)
			return
		}
		select {
		case <-time.After(wishInterval):
		case <-ctx.Done():
			return
		}
	}
	s.log.Info("desktop cannot take the wished size", "width", s.cfg.Size.X, "height", s.cfg.Size.Y)
}
