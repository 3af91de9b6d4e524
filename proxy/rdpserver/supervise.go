package rdpserver

import (
	"image"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Freeze is what the session's own person sees in place of the desktop.
type Freeze struct {
	Text string
	// Still is the desktop as it was, blurred, of whatever size.
	Still *image.RGBA
}

// TakenOver is who has taken the desktop's keyboard and pointer; the zero value: nobody.
type TakenOver struct {
	Viewer string // id, of this door or another
	By     string // name
}

// Message is a text for the session's own person.
type Message struct {
	ID   string
	From string // name; empty: the gateway
	Text string
}

// maxTold bounds the messages that wait to be clicked away.
const maxTold = 16

// SetFreeze stops the pictures of the viewers of the session's own person, and shows them f instead; nil lets them go on.
func (s *Server) SetFreeze(f *Freeze) { s.supervise(func() { s.freeze = f }) }

// SetTakenOver lets the acts of that viewer alone through, and tells the others.
func (s *Server) SetTakenOver(o TakenOver) { s.supervise(func() { s.over = o }) }

// SetWatchers shows the session's own person who watches, by name.
func (s *Server) SetWatchers(names []string) { s.supervise(func() { s.watched = names }) }

// ShowMessage shows a text to the session's own person until it is clicked away.
func (s *Server) ShowMessage(m Message) {
	s.supervise(func() {
		if len(s.told) == maxTold {
			s.told = s.told[1:]
		}
		s.told = append(s.told, m)
	})
}

// supervise changes what is shown over the viewers' pictures.
func (s *Server) supervise(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.decorateAll()
}

// decorateAll needs mu.
func (s *Server) decorateAll() {
	for _, v := range s.viewers {
		if v.conn != nil {
			s.decorate(v)
		}
	}
}

// decorate brings what lies over a viewer's picture in line with what there is to say. It needs mu.
func (s *Server) decorate(v *viewer) {
	owner := v.info.Person.ID == s.cfg.Owner
	var lines []string
	say := func(parts ...string) { lines = append(lines, strings.Join(parts, "")) }
	if v.notice != "" {
		say(v.notice)
	}
	if owner {
		for _, m := range s.told {
			from := m.From
			if from == "" {
				from = "The gateway"
			}
			say(from, ": ", m.Text, " (Click here when you have read it.)")
		}
		if len(s.watched) > 0 {
			say("Watching: ", strings.Join(s.watched, ", "), ".")
		}
	}
	if s.over.Viewer != "" && s.over.Viewer != v.info.ID {
		say(s.over.By, " has taken over keyboard and pointer.")
	}
	if s.state == SessionFrozen && (s.freeze == nil || !owner) {
		say(s.message)
	}
	if s.ending.Message != "" {
		say(s.ending.Message, " The session ends at ", s.ending.Deadline.Format("15:04:05"), ".")
	}
	if owner {
		v.conn.SetFreeze(s.freeze)
	}
	v.conn.setPrompt(s.promptFor(v))
	v.conn.SetBanner(strings.Join(lines, "\n"))
}

// dismiss takes what a pointer does on the banner while there are messages: a click acknowledges the oldest. It tells whether the
// event was for the banner.
func (v *viewer) dismiss(p desktop.PointerEvent) bool {
	s := v.s
	s.mu.Lock()
	pressed := p.Buttons &^ v.buttons
	v.buttons = p.Buttons
	if v.clicked != 0 { // the rest of a click on the banner is no business of the desktop
		if p.Buttons&v.clicked == 0 {
			v.clicked = 0
		}
		s.mu.Unlock()
		return true
	}
	if pressed == 0 || len(s.told) == 0 || v.info.Person.ID != s.cfg.Owner || p.Pos.Y >= v.conn.BannerHeight() {
		s.mu.Unlock()
		return false
	}
	v.clicked = pressed
	id, info := s.told[0].ID, v.info
	s.told = s.told[1:]
	s.decorateAll()
	s.mu.Unlock()
	s.cfg.Handler.Acknowledged(info, id)
	return true
}
