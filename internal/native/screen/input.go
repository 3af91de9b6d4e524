package screen

import (
	"image"
	"strings"
	"unicode"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// most is how many characters fit into a field.
func (f *field) most() int {
	if f.Max > 0 {
		return f.Max
	}
	return maxField
}

// clean is text as a field holds it.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// modifier keeps which modifiers are held.
func (s *Screen) modifier(k desktop.KeyEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch k.Keysym {
	case keyShiftL, keyShiftR:
		s.shift = k.Down
	case keyControlL, keyControlR:
		s.control = k.Down
	}
}

// key takes a key that went down, or repeats. s.mu is held.
func (s *Screen) key(k desktop.KeyEvent) {
	s.caretOn = true
	switch k.Keysym {
	case keyEscape, keyTab, keyBackTab, keyEnter, keyKPEnter:
	default:
		if s.form.Busy {
			return
		}
	}
	switch k.Keysym {
	case keyTab:
		if s.shift {
			s.move(-1)
		} else {
			s.move(1)
		}
	case keyBackTab:
		s.move(-1)
	case keyEnter, keyKPEnter:
		s.enter()
	case keyEscape:
		if n := len(s.form.Links); n > 0 {
			s.act(s.form.Links[n-1].ID)
		}
	case keyUp:
		s.choose(-1)
	case keyDown:
		s.choose(1)
	case keyPageUp:
		s.choose(-max(1, s.inView-1))
	case keyPageDown:
		s.choose(max(1, s.inView-1))
	default:
		s.edit(k)
	}
}

// edit changes the focused field. s.mu is held.
func (s *Screen) edit(k desktop.KeyEvent) {
	if len(s.form.Choices) > 0 {
		switch k.Keysym {
		case keyHome:
			s.choose(-len(s.form.Choices))
		case keyEnd:
			s.choose(len(s.form.Choices))
		default:
			if r, ok := keyboard.Rune(k.Keysym); ok && !s.control {
				s.seek(r)
			}
		}
		return
	}
	f := s.focused()
	if f == nil {
		return
	}
	switch k.Keysym {
	case keyLeft:
		f.caret = max(0, f.caret-1)
	case keyRight:
		f.caret = min(len(f.text), f.caret+1)
	case keyHome:
		f.caret = 0
	case keyEnd:
		f.caret = len(f.text)
	case keyBackspace:
		if f.caret > 0 {
			from := f.caret - 1
			if s.control {
				from = 0
			}
			f.text = append(f.text[:from], f.text[f.caret:]...)
			f.caret = from
		}
	case keyDelete:
		if f.caret < len(f.text) {
			f.text = append(f.text[:f.caret], f.text[f.caret+1:]...)
		}
	default:
		if mark, ok := keyboard.Dead(k.Keysym); ok {
			s.mark = mark
			return
		}
		r, ok := keyboard.Rune(k.Keysym)
		switch {
		case !ok:
		case s.control && (r == 'u' || r == 'U'):
			f.text, f.caret = f.text[:0], 0
		case s.control:
		case s.mark != 0:
			s.insert(keyboard.Compose(s.mark, r))
			s.mark = 0
		default:
			s.insert(string(r))
		}
	}
}

// insert types text into the focused field. s.mu is held.
func (s *Screen) insert(text string) {
	f := s.focused()
	if f == nil || s.form.Busy {
		return
	}
	runes := []rune(clean(text))
	runes = runes[:min(len(runes), f.most()-len(f.text))]
	f.text = append(f.text[:f.caret], append(runes, f.text[f.caret:]...)...)
	f.caret += len(runes)
	s.caretOn = true
}

// focused is the field that is typed into. s.mu is held.
func (s *Screen) focused() *field {
	if len(s.form.Choices) > 0 || s.focus >= len(s.fields) {
		return nil
	}
	return &s.fields[s.focus]
}

// move moves the focus. s.mu is held.
func (s *Screen) move(by int) {
	if n := s.focusable(); n > 0 {
		s.focus = (s.focus + by + n) % n
	}
}

// choose moves through the list, or between fields where there is none. s.mu is held.
func (s *Screen) choose(by int) {
	n := len(s.form.Choices)
	if n == 0 {
		if by == 1 || by == -1 {
			s.move(by)
		}
		return
	}
	s.focus = 0
	s.choice = min(max(0, s.choice+by), n-1)
	s.show(s.choice)
}

// show brings a choice into view. s.mu is held.
func (s *Screen) show(choice int) {
	view := max(1, s.inView)
	s.first = min(max(s.first, choice-view+1), choice)
	s.first = max(0, min(s.first, len(s.form.Choices)-view))
}

// seek goes to the next choice that begins with a letter. s.mu is held.
func (s *Screen) seek(r rune) {
	n := len(s.form.Choices)
	for i := 1; i <= n; i++ {
		at := (s.choice + i) % n
		if first := []rune(s.form.Choices[at].Title); len(first) > 0 && unicode.ToLower(first[0]) == unicode.ToLower(r) {
			s.choose(at - s.choice)
			return
		}
	}
}

func (s *Screen) scroll(by int) {
	if view := max(1, s.inView); len(s.form.Choices) > view {
		s.first = max(0, min(s.first+by, len(s.form.Choices)-view))
	}
}

// enter does what has the focus. s.mu is held.
func (s *Screen) enter() {
	if i := s.focus - s.link(); i >= 0 && i < len(s.form.Links) {
		s.act(s.form.Links[i].ID)
		return
	}
	if s.form.Submit == "" {
		return
	}
	// Enter in a field goes to the next one that is empty, as long as there is one.
	if s.focus < len(s.fields) && len(s.form.Choices) == 0 {
		for i := s.focus + 1; i < len(s.fields); i++ {
			if len(s.fields[i].text) == 0 {
				s.focus = i
				return
			}
		}
	}
	s.act(Submitted)
}

// act passes on what the person has done. s.mu is held.
func (s *Screen) act(id string) {
	if s.form.Busy && id == Submitted {
		return
	}
	a := Act{ID: id, Values: map[string]string{}}
	for i := range s.fields {
		a.Values[s.fields[i].Name] = string(s.fields[i].text)
	}
	if len(s.form.Choices) > 0 {
		a.Choice = s.form.Choices[s.choice].ID
	}
	select {
	case s.acts <- a:
	default: // so many clicks that nobody waits for them
	}
}

// pointer takes the mouse. s.mu is held.
func (s *Screen) pointer(p desktop.PointerEvent) {
	over, choice := s.over(p.Pos)
	s.hover = over
	down := p.Buttons&desktop.ButtonLeft != 0
	was := s.pressed
	s.pressed = down
	if !down || was || over < 0 {
		return
	}
	switch {
	case choice >= 0:
		if again := s.choice == choice && s.focus == 0; again && s.clicked == choice {
			s.clicked = -1
			s.act(Submitted) // a second click opens it
			return
		}
		s.focus, s.choice, s.clicked = 0, choice, choice
	case over == s.button():
		s.focus = over
		s.act(Submitted)
	case over >= s.link():
		s.focus = over
		s.act(s.form.Links[over-s.link()].ID)
	case !s.form.Busy:
		s.focus = over
		if f := s.focused(); f != nil {
			f.caret = len(f.text)
		}
	}
}

// over tells what lies at a place: its focus and, in a list, the choice; -1 for nothing.
func (s *Screen) over(at image.Point) (focus, choice int) {
	for _, h := range s.hits {
		if at.In(h.at) {
			return h.focus, h.choice
		}
	}
	return -1, -1
}
