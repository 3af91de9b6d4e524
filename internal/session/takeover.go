package session

import (
	"context"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// TakeOver gives by's viewer the desktop's keyboard and pointer, also of a frozen session, until Release or until that viewer goes. The
// person who had control keeps their claim: their acts are refused meanwhile, and control returns to them.
//
// viewer is an id; empty takes the one of by's that came last. When another supervisor has taken over, from must be set: then it is
// taken from them. It returns a Refusal: RefusedNotWatching, RefusedHasControl, RefusedTaken, RefusedConnecting, RefusedNotRecorded,
// RefusedEnded.
func (s *Session) TakeOver(ctx context.Context, by Person, viewer string, from bool) error {
	return s.change(ctx, func() error {
		i := s.viewerOf(by, viewer)
		switch over := s.status.Control; {
		case s.status.State == StateConnecting:
			return RefusedConnecting
		case s.unrecorded:
			return RefusedNotRecorded
		case i < 0:
			return RefusedNotWatching
		case s.arbiter.holder.ID == s.viewers[i].ID:
			return RefusedHasControl
		case over.Viewer != "" && over.Person.ID != by.ID && !from:
			return RefusedTaken
		}
		before := s.arbiter.holder
		s.dropControl(before)
		v := &s.viewers[i]
		s.setRole(before.ID, RoleView)
		v.Role = RoleControl
		s.arbiter.holder = *v
		s.status.Control = Control{Viewer: v.ID, Person: v.Person, Since: time.Now()}
		_ = s.record(recording.ControlEvent{Actor: v.Person.Name, Action: "taken_over", Viewer: v.ID, From: before.Person.Name})
		s.log.Warn("session taken over", "by", v.Person.Name, "from", before.Person.Name)
		s.controlChanged()
		s.viewersChanged()
		return nil
	})
}

// Release gives back the control that by has taken over. It returns a Refusal: RefusedNotTaken, RefusedTaken when it is another's,
// RefusedEnded.
func (s *Session) Release(ctx context.Context, by Person) error {
	return s.change(ctx, func() error {
		switch over := s.status.Control; {
		case over.Viewer == "":
			return RefusedNotTaken
		case over.Person.ID != by.ID:
			return RefusedTaken
		}
		s.setRole(s.status.Control.Viewer, RoleView)
		s.giveBack()
		s.viewersChanged()
		return nil
	})
}

// giveBack ends a take-over: control returns to who claims it.
func (s *Session) giveBack() {
	over := s.status.Control
	s.dropControl(s.arbiter.holder)
	s.status.Control = Control{}
	if s.claim.ID != "" {
		s.arbiter.holder = s.claim
		s.setRole(s.claim.ID, RoleControl)
		_ = s.record(recording.ControlEvent{Actor: s.claim.Person.Name, Action: "returned", Viewer: s.claim.ID, From: over.Person.Name})
	}
	s.log.Info("session given back", "by", over.Person.Name)
	s.controlChanged()
}

// controlChanged shows and tells who has taken over.
func (s *Session) controlChanged() {
	s.showQuestion()
	s.door.SetControl(s.status.Control)
	s.cfg.Observer.StatusChanged(s.status)
}

// viewerOf finds by's viewer of that id, or the last of by's; -1 when there is none.
func (s *Session) viewerOf(by Person, id string) int {
	found := -1
	for i, v := range s.viewers {
		if v.Person.ID == by.ID && (id == "" || v.ID == id) {
			found = i
		}
	}
	return found
}

func (s *Session) setRole(id string, role Role) {
	if i := s.viewerIndex(id); i >= 0 {
		s.viewers[i].Role = role
	}
}
