package session

import (
	"cmp"
	"context"
	"image"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// Freeze stops the session for its own person, until Resume: their input is refused, what is held down is released, and instead of
// pictures they see a blurred one of this moment and why. The target, the recording and those who watch go on, and a supervisor who has
// taken over, or does so then, may act. by without a name is the gateway, by a rule; why without a code is EndFrozen. It takes the place
// of a freeze that waits for a justification.
//
// It returns a Refusal: RefusedConnecting, RefusedFrozenBefore, RefusedNotRecorded, RefusedEnded.
func (s *Session) Freeze(ctx context.Context, by Person, why End) error {
	if why.Code == "" {
		why.Code = EndFrozen
	}
	why.Message = cut(cmp.Or(why.Message, why.Code.Message()), maxFreezeText)
	still := s.cfg.Framebuffer.Blurred() // here, because it takes a while
	return s.change(ctx, func() error { return s.hold(by, why, still) })
}

// hold is the part of Freeze that the loop does.
func (s *Session) hold(by Person, why End, still *image.RGBA) error {
	switch {
	case s.status.State == StateConnecting:
		return RefusedConnecting
	case s.unrecorded:
		return RefusedNotRecorded
	case s.held != nil && (s.question == nil || !s.question.froze):
		return RefusedFrozenBefore
	}
	if s.question != nil { // it cannot be answered away any more
		if s.answered(by, recording.AnswerWithdrawn, "", false) != nil {
			return RefusedNotRecorded
		}
	}
	if s.status.Control.Viewer == "" {
		s.arbiter.releaseAll()
	}
	s.shift(by, why, still)
	return nil
}

// Resume lets a session go on that Freeze stopped, or a rule that asks why: what was held back is not done then. It returns a Refusal: RefusedNotFrozen, RefusedConnecting, RefusedNotRecorded,
// RefusedEnded.
func (s *Session) Resume(ctx context.Context, by Person) error {
	return s.change(ctx, func() error {
		switch {
		case s.status.State == StateConnecting:
			return RefusedConnecting
		case s.unrecorded:
			return RefusedNotRecorded
		case s.held == nil:
			return RefusedNotFrozen
		}
		if s.question != nil {
			if s.answered(by, recording.AnswerWithdrawn, "", false) != nil {
				return RefusedNotRecorded
			}
		}
		return s.unfreeze(by)
	})
}

// unfreeze is the part of Resume that is done.
func (s *Session) unfreeze(by Person) error {
	if s.record(recording.ResumeEvent{Actor: by.Name}) != nil {
		return RefusedNotRecorded
	}
	s.held, s.status.Frozen = nil, nil
	if s.linkLost {
		s.freeze(NewEnd(EndTargetReconnecting, ""))
	} else if err := s.resume(); err != nil {
		return err
	}
	s.door.SetFreeze(nil)
	s.busy() // nobody could do anything meanwhile
	return nil
}

// cut shortens a text to most bytes.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
