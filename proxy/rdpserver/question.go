package rdpserver

import (
	"strings"
	"time"
	"unicode"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// Question is what the viewer in control is asked before the session goes on.
type Question struct {
	ID     string
	Viewer string    // id of the one who may answer, of this door or another; empty: none at the moment
	Text   string    // for people
	Held   bool      // something waits for the answer
	Until  time.Time // zero: for ever
}

// maxAnswer bounds an answer, in characters.
const maxAnswer = 500

// answer is the line on which a viewer says why. It is written at its end only.
type answer struct {
	line    []rune
	problem string // with what was sent
	control bool   // is held
	mark    rune   // of a dead key, which waits for its letter; 0: none
}

// SetQuestion asks the viewer who may answer, on a line over the picture; nil: nothing is asked any more.
func (s *Server) SetQuestion(q *Question) {
	s.supervise(func() {
		if q == nil || s.question == nil || s.question.ID != q.ID || s.question.Viewer != q.Viewer {
			s.answer = answer{}
		}
		s.question = q
	})
}

// answers takes what the viewer does who is asked. It tells whether the event was for that.
func (v *viewer) answers(in desktop.Input) bool {
	s := v.s
	s.mu.Lock()
	q := s.question
	if q == nil || q.Viewer != v.info.ID {
		s.mu.Unlock()
		return false
	}
	reason, refuse, done := s.answer.take(in)
	s.decorate(v)
	info := v.info
	s.mu.Unlock()
	if !done {
		return true
	}
	if err := s.cfg.Handler.Answered(info, q.ID, reason, refuse); err != nil {
		s.supervise(func() {
			if s.question == q {
				s.answer.problem = err.Error()
			}
		})
	}
	return true
}

// take takes an event. done tells that it is the answer: a reason, or that there is none and nothing is to be done.
func (a *answer) take(in desktop.Input) (reason string, refuse, done bool) {
	switch in := in.(type) {
	case desktop.TextInput:
		a.write(in.Text)
	case desktop.KeyEvent:
		switch in.Keysym {
		case keyboard.ControlL, keyboard.ControlR:
			a.control = in.Down
			return "", false, false
		}
		if in.Down {
			return a.key(in.Keysym)
		}
	}
	return "", false, false
}

func (a *answer) key(k desktop.Keysym) (reason string, refuse, done bool) {
	switch k {
	case keyboard.Return, keyboard.KPEnter:
		reason = strings.TrimSpace(string(a.line))
		if a.problem = ""; reason == "" {
			a.problem = "Write a reason first."
		}
		return reason, false, reason != ""
	case keyboard.Escape:
		return "", true, true
	case keyboard.BackSpace:
		if a.control {
			a.line = nil
		}
		a.line = a.line[:max(len(a.line)-1, 0)]
		return "", false, false
	}
	if mark, ok := keyboard.Dead(k); ok {
		a.mark = mark
		return "", false, false
	}
	r, ok := keyboard.Rune(k)
	switch {
	case !ok || a.control:
	case a.mark != 0:
		a.write(keyboard.Compose(a.mark, r))
		a.mark = 0
	default:
		a.write(string(r))
	}
	return "", false, false
}

func (a *answer) write(text string) {
	for _, r := range text {
		if len(a.line) < maxAnswer && r != unicode.ReplacementChar && unicode.IsPrint(r) {
			a.line, a.problem = append(a.line, r), ""
		}
	}
}

// promptFor is what is shown to a viewer of the question. It needs mu.
func (s *Server) promptFor(v *viewer) prompt {
	q := s.question
	if q == nil || q.Viewer != v.info.ID {
		return prompt{}
	}
	p := prompt{text: q.Text, line: string(s.answer.line), problem: s.answer.problem, hint: "Enter: go on. Esc: close."}
	if q.Held {
		p.hint = "Enter: go on, and it is done. Esc: it is not done."
	}
	if !q.Until.IsZero() {
		p.hint += " Time to answer: until " + q.Until.Format("15:04:05") + "."
	}
	return p
}
