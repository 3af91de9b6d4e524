package scene

import (
	"image"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// Pointer implements demotarget.Scene.
func (s *Scene) Pointer(at image.Point, buttons uint8) {
	pressed, released := buttons&^s.buttons, s.buttons&^buttons
	held := s.buttons & buttons
	s.pointer, s.buttons = at, buttons
	s.log(at, pressed)
	if pressed != 0 && s.grabbed == nil && s.drag == nil {
		s.grab(pressed)
	}
	switch {
	case s.drag != nil:
		s.drag.move(at)
	case s.grabbed != nil:
		s.grabbed.body.pointer(pointerEvent{
			at: at.Sub(s.grabbed.content().Min), pressed: pressed, released: released, held: held, clicks: s.clicks,
		})
	}
	if buttons == 0 {
		s.drag, s.grabbed = nil, nil
	}
}

// grab gives the window under the pointer what happens until all buttons are up.
func (s *Scene) grab(pressed uint8) {
	w := s.over(s.pointer)
	if w == nil {
		return
	}
	if pressed&leftButton != 0 {
		now := s.clock()
		near := s.pointer.In(image.Rectangle{s.clickedAt, s.clickedAt}.Inset(-4))
		if s.clicks = s.clicks%3 + 1; !near || now.Sub(s.clickedOn) > doubleClick {
			s.clicks = 1
		}
		s.clickedAt, s.clickedOn = s.pointer, now
	}
	if pressed&(leftButton|middleButton|rightButton) != 0 {
		s.raise(w)
	}
	if s.pointer.In(w.content()) {
		s.grabbed = w
	} else if pressed&leftButton != 0 {
		s.drag = &drag{window: w, grip: s.pointer.Sub(w.at)}
	}
}

// log writes the buttons that went down into the journal.
func (s *Scene) log(at image.Point, pressed uint8) {
	for i, name := range [...]string{"left button", "middle button", "right button"} {
		if pressed&(1<<i) != 0 {
			s.journal.add(s.clock(), "%s at %d, %d", name, at.X, at.Y)
		}
	}
}

// modifiers are the keys held that change what others mean.
type modifiers struct{ shift, ctrl, alt, super bool }

// hold notes a modifier and tells whether the key is one.
func (m *modifiers) hold(k desktop.Keysym, down bool) bool {
	switch k {
	case keyboard.ShiftL, keyboard.ShiftR:
		m.shift = down
	case keyboard.ControlL, keyboard.ControlR:
		m.ctrl = down
	case keyboard.AltL, keyboard.AltR:
		m.alt = down
	case keyboard.MetaL, keyboard.MetaR, keyboard.SuperL, keyboard.SuperR:
		m.super = down
	default:
		return keyboard.IsModifier(k)
	}
	return true
}

// Key implements demotarget.Scene.
func (s *Scene) Key(keysym uint32, down bool) {
	k := desktop.Keysym(keysym)
	if s.keys.hold(k, down) || !down {
		return
	}
	char, _ := keyboard.Rune(k)
	s.journal.add(s.clock(), "key %s", s.chord(k))
	s.focused().body.key(keyEvent{
		keysym: keysym, char: char, shift: s.keys.shift, ctrl: s.keys.ctrl, alt: s.keys.alt,
	})
}

// chord names a key and what is held with it. Shift shows in the character already.
func (s *Scene) chord(k desktop.Keysym) string {
	var names []string
	for _, m := range [...]struct {
		held bool
		name string
	}{{s.keys.ctrl, "Ctrl"}, {s.keys.alt, "Alt"}, {s.keys.super, "Super"}} {
		if m.held {
			names = append(names, m.name)
		}
	}
	return strings.Join(append(names, keyboard.Name(k)), "+")
}
