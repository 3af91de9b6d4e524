package session

import (
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// ViewerJoined tells that somebody began to watch, perhaps with control.
func (s *Session) ViewerJoined(v Viewer) {
	s.loop.post(func() {
		if s.viewerIndex(v.ID) >= 0 {
			return
		}
		claims := v.Role == RoleControl
		if s.status.Control.Viewer != "" {
			v.Role = RoleView
		}
		s.viewers = append(s.viewers, v)
		s.viewersChanged()
		_ = s.record(recording.ViewerJoinEvent{Actor: v.Person.Name, Viewer: v.ID, Role: string(v.Role), Address: v.Address})
		s.beganWatching(v)
		if claims {
			s.claimed(v)
		}
	})
}

// RoleChanged tells that a viewer won or lost control, by its own door's rules. Who has taken over keeps it.
func (s *Session) RoleChanged(v Viewer) {
	s.loop.post(func() {
		i := s.viewerIndex(v.ID)
		over := s.status.Control.Viewer != ""
		if i < 0 || (s.claim.ID == v.ID) == (v.Role == RoleControl) && (over || s.viewers[i].Role == v.Role) {
			return
		}
		if !over {
			s.viewers[i].Role = v.Role
			s.viewersChanged()
		}
		if v.Role == RoleControl {
			s.claimed(v)
		} else {
			s.unclaimed(v)
		}
	})
}

// ViewerLeft tells that a viewer is gone, and why.
func (s *Session) ViewerLeft(v Viewer, reason string) {
	s.loop.post(func() {
		i := s.viewerIndex(v.ID)
		if i < 0 {
			return
		}
		v = s.viewers[i]
		s.viewers = slices.Delete(s.viewers, i, i+1)
		if s.told {
			s.viewersChanged()
			s.checkAlone()
			return
		}
		s.unclaimed(v)
		if s.status.Control.Viewer == v.ID {
			s.giveBack()
		}
		s.viewersChanged()
		s.recordLeave(v, reason)
		s.stoppedWatching(v)
		s.checkAlone()
	})
}

// Refused tells of something a viewer sent that was malformed or not allowed.
func (s *Session) Refused(v Viewer, what, why string) {
	s.loop.post(func() { s.rejections.note(v.Person.Name, what, why) })
}

func (s *Session) recordLeave(v Viewer, reason string) {
	_ = s.record(recording.ViewerLeaveEvent{Actor: v.Person.Name, Viewer: v.ID, Role: string(v.Role), Reason: reason})
}

// claimed notes that v has control by its door. It is v's in fact unless somebody has taken over.
func (s *Session) claimed(v Viewer) {
	s.claim = v
	if s.status.Control.Viewer == "" {
		s.takeControl(v)
	}
}

// unclaimed takes claimed back.
func (s *Session) unclaimed(v Viewer) {
	if s.claim.ID == v.ID {
		s.claim = Viewer{}
	}
	if s.status.Control.Viewer != v.ID {
		s.dropControl(v)
	}
}

// takeControl makes v the one whose acts count. Whoever had control lets go first.
func (s *Session) takeControl(v Viewer) {
	s.dropControl(s.arbiter.holder)
	s.arbiter.holder = v
	_ = s.record(recording.ControlEvent{Actor: v.Person.Name, Action: "taken", Viewer: v.ID})
	s.showQuestion()
}

// dropControl releases what v holds down and its control, if it has it.
func (s *Session) dropControl(v Viewer) {
	if v.ID == "" || s.arbiter.holder.ID != v.ID {
		return
	}
	s.arbiter.releaseAll()
	s.arbiter.holder = Viewer{}
	_ = s.record(recording.ControlEvent{Actor: v.Person.Name, Action: "released", Viewer: v.ID})
	s.showQuestion()
}

// viewerIndex finds a viewer that has joined, or returns -1.
func (s *Session) viewerIndex(id string) int {
	return slices.IndexFunc(s.viewers, func(v Viewer) bool { return v.ID == id })
}

func (s *Session) viewersChanged() {
	s.viewing.Store(int64(len(s.viewers)))
	s.cfg.Observer.ViewersChanged(slices.Clone(s.viewers))
	s.watchOrphan()
}

// watchOrphan lets the orphan timeout run while nobody watches a desktop that is there.
func (s *Session) watchOrphan() {
	if s.orphan != nil {
		s.orphan.Stop()
		s.orphan = nil
	}
	if s.cfg.OrphanTimeout <= 0 || len(s.viewers) > 0 || s.status.State == StateConnecting || s.isEnding() {
		return
	}
	s.orphan = time.AfterFunc(s.cfg.OrphanTimeout, func() {
		s.loop.post(func() {
			if len(s.viewers) == 0 { // else somebody came while the timer fired
				s.end(NewEnd(EndOrphaned, ""))
			}
		})
	})
}

// checkAlone notices that the last viewer has heard the end.
func (s *Session) checkAlone() {
	if s.leaving && len(s.viewers) == 0 {
		s.leaving = false
		close(s.alone)
	}
}
