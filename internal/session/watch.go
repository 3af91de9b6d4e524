package session

import (
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
)

// joined is somebody who watches another person's session.
type joined struct {
	viewer Viewer
	since  time.Time
}

// beganWatching records that v watches somebody else, and shows it to them where they are to know.
func (s *Session) beganWatching(v Viewer) {
	if v.Person.ID == s.cfg.Owner.ID {
		return
	}
	_ = s.record(recording.WatchEvent{Actor: v.Person.Name, Viewer: v.ID, Announced: v.Announced})
	s.watching = append(s.watching, joined{v, time.Now()})
	if v.Announced {
		s.showWatchers()
	}
}

// stoppedWatching takes beganWatching back.
func (s *Session) stoppedWatching(v Viewer) {
	before := len(s.watching)
	s.watching = slices.DeleteFunc(s.watching, func(j joined) bool { return j.viewer.ID == v.ID })
	if v.Announced && len(s.watching) != before {
		s.showWatchers()
	}
}

// showWatchers shows who is to be announced, each person once.
func (s *Session) showWatchers() {
	list := []Watcher{}
	for _, j := range s.watching {
		known := slices.ContainsFunc(list, func(w Watcher) bool { return w.Person.ID == j.viewer.Person.ID })
		if j.viewer.Announced && !known {
			list = append(list, Watcher{j.viewer.Person, j.since})
		}
	}
	s.door.SetWatchers(list)
}
