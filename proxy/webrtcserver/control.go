package webrtcserver

import "fmt"

// add registers a connecting viewer.
func (s *Server) add(v *viewer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return ErrClosed
	case s.viewers[v.id] != nil:
		return fmt.Errorf("webrtc: viewer %q exists", v.id)
	case len(s.viewers) >= s.cfg.MaxViewers:
		return fmt.Errorf("%w: %d, at most %d", ErrTooManyViewers, len(s.viewers), s.cfg.MaxViewers)
	case v.wants == RoleControl && !s.mayControl(v):
		return fmt.Errorf("%w: %s", ErrControlTaken, s.control.person.Name)
	}
	s.viewers[v.id] = v
	if s.freeze != nil && v.owns() {
		s.cfg.Video.HoldViewer(v.sink, true)
	}
	return nil
}

// remove forgets a viewer that never joined.
func (s *Server) remove(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewers[v.id] == v {
		delete(s.viewers, v.id)
	}
	s.cfg.Video.HoldViewer(v.sink, false) // which is forgotten with it
}

// mayControl reports whether v may have control: it is free, or the same person's. It needs mu.
func (s *Server) mayControl(v *viewer) bool {
	return s.control == nil || s.control.person.ID == v.person.ID
}

// join makes a viewer that has connected one of the session. If it asked for control it gets it now, not with
// its offer: an offer that never connects takes nothing from the page that works.
func (s *Server) join(v *viewer) {
	s.acting.Lock()
	defer s.acting.Unlock()

	s.mu.Lock()
	v.joined = true
	previous := s.control
	wins := v.wants == RoleControl && s.mayControl(v)
	s.mu.Unlock()

	if wins && previous != nil {
		previous.releaseHeld()
		previous.claims.Store(false)
	}
	s.mu.Lock()
	if wins {
		s.control = v
		v.claims.Store(true)
		s.assign("Control was taken over in another window.")
	}
	s.mu.Unlock()
	if wins && previous != nil {
		s.cfg.Handler.RoleChanged(previous.info())
	}
	v.log.Info("viewer joined", "person", v.person.Name, "role", v.info().Role, "address", v.address)
	s.cfg.Handler.ViewerJoined(v.info())
}

// Yield takes control away from the viewer that has it, if one has, for somebody who came by another door.
func (s *Server) Yield(message string) {
	s.acting.Lock()
	defer s.acting.Unlock()
	s.mu.Lock()
	v := s.control
	s.control = nil
	s.mu.Unlock()
	if v == nil {
		return
	}
	v.releaseHeld()
	v.control.Store(false)
	s.tell(v, encode(roleReply{T: "role", Role: RoleView, Message: message}))
	s.cfg.Handler.RoleChanged(v.info())
}

// leave ends what join began.
func (s *Server) leave(v *viewer, reason error) {
	s.acting.Lock()
	defer s.acting.Unlock()

	v.releaseHeld()
	s.mu.Lock()
	v.joined = false
	delete(s.viewers, v.id)
	info := v.info()
	if s.control == v {
		s.control = nil
	}
	v.control.Store(false)
	s.mu.Unlock()
	v.claims.Store(false)
	v.log.Info("viewer left", "person", v.person.Name, "role", info.Role, "reason", reason.Error())
	s.cfg.Handler.ViewerLeft(info, reason.Error())
}
