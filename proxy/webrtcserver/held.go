package webrtcserver

import (
	"cmp"
	"image"
	"maps"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// held is what the viewer in control holds down, as the target was told. It turns the browser's key events
// into the target's, so that every press is followed by a release of the same keysym, whatever the modifiers
// are by then, and nothing stays pressed when a viewer goes.
type held struct {
	keys    map[string]heldKey // by code, or by key where there is no code
	presses uint64             // counts presses, for their order
	last    string             // the key pressed last, if nothing was released since
	pointer desktop.PointerEvent
	changed time.Time // when the buttons last changed
}

type heldKey struct {
	event desktop.KeyEvent
	order uint64
}

// codes of the keys with rules of their own.
const codeControlLeft = "ControlLeft"

// key returns the events that tell the target of a key event: none, one, or several.
func (h *held) key(code, key string, down bool) []desktop.Input {
	id := cmp.Or(code, key)
	if !down {
		return h.up(id)
	}
	keysym, scancode := keyboard.Map(code, key)
	if keysym == 0 && scancode == 0 {
		return nil // a key no target knows
	}
	var events []desktop.Input
	switch {
	case keysym == keyboard.ISOLevel3Shift && h.last == codeControlLeft:
		// Windows reports AltGr as left Control followed by AltGr. The target must not see characters typed
		// with Control held.
		events = h.up(codeControlLeft)
	case code == codeControlLeft && h.holds(keyboard.ISOLevel3Shift):
		return nil // the same, repeated
	}
	if was, ok := h.keys[id]; ok {
		if was.event.Keysym == keysym {
			return append(events, was.event) // auto-repeat
		}
		// The key means something else now, because a modifier came or went while it was held.
		events = append(events, h.up(id)...)
	}
	if len(h.keys) == maxHeldKeys {
		return events
	}
	if h.keys == nil {
		h.keys = make(map[string]heldKey)
	}
	h.presses++
	press := desktop.KeyEvent{Keysym: keysym, Scancode: scancode, Down: true}
	h.keys[id], h.last = heldKey{press, h.presses}, id
	return append(events, press)
}

// up returns the release of a key, if it is held.
func (h *held) up(id string) []desktop.Input {
	h.last = ""
	k, ok := h.keys[id]
	if !ok {
		return nil
	}
	delete(h.keys, id)
	events := []desktop.Input{released(k.event)}
	if keyboard.IsMeta(k.event.Keysym) {
		// macOS reports no release of keys pressed while Command is held.
		events = append(events, h.releaseKeys(func(e desktop.KeyEvent) bool { return !keyboard.IsModifier(e.Keysym) })...)
	}
	return events
}

func released(e desktop.KeyEvent) desktop.KeyEvent {
	e.Down = false
	return e
}

func (h *held) holds(keysym desktop.Keysym) bool {
	for _, k := range h.keys {
		if k.event.Keysym == keysym {
			return true
		}
	}
	return false
}

// combo presses the keys at codes in order and releases them in reverse. It returns nil when a code is unknown.
func combo(codes []string) []desktop.Input {
	var events []desktop.Input
	for _, code := range codes {
		keysym, scancode, ok := keyboard.FromCode(code)
		if !ok {
			return nil
		}
		events = append(events, desktop.KeyEvent{Keysym: keysym, Scancode: scancode, Down: true})
	}
	for _, e := range slices.Backward(events) {
		events = append(events, released(e.(desktop.KeyEvent)))
	}
	return events
}

// releaseAll returns the releases of everything that is held, the key pressed last first.
func (h *held) releaseAll() []desktop.Input {
	events := h.releaseKeys(func(desktop.KeyEvent) bool { return true })
	if h.pointer.Buttons != 0 {
		h.pointer.Buttons = 0
		events = append(events, h.pointer)
	}
	h.last = ""
	return events
}

// releaseKeys returns the releases of the held keys that which picks.
func (h *held) releaseKeys(which func(desktop.KeyEvent) bool) []desktop.Input {
	ids := slices.SortedFunc(maps.Keys(h.keys), func(a, b string) int {
		return cmp.Compare(h.keys[b].order, h.keys[a].order)
	})
	var events []desktop.Input
	for _, id := range ids {
		if e := h.keys[id].event; which(e) {
			events = append(events, released(e))
			delete(h.keys, id)
		}
	}
	return events
}

// move returns the event for a motion of the pointer. The buttons are those the input channel told of, because
// motion is unordered: a motion that names others just after a change is older than the change.
func (h *held) move(m *moveMessage, size image.Point, now time.Time) []desktop.Input {
	if desktop.Buttons(m.Buttons) != h.pointer.Buttons && now.Sub(h.changed) < staleMotion {
		return nil
	}
	pos := m.scale(size)
	if pos == h.pointer.Pos {
		return nil
	}
	h.pointer.Pos = pos
	return []desktop.Input{h.pointer}
}

// button returns the event for a change of buttons.
func (h *held) button(p *place, size image.Point, now time.Time) []desktop.Input {
	h.pointer = desktop.PointerEvent{Pos: p.scale(size), Buttons: desktop.Buttons(p.Buttons)}
	h.changed = now
	return []desktop.Input{h.pointer}
}

// wheel returns the event for a turn of the wheel.
func (h *held) wheel(m *wheelMessage, size image.Point) []desktop.Input {
	h.pointer.Pos = m.scale(size)
	e := desktop.WheelEvent{Pos: h.pointer.Pos, Buttons: h.pointer.Buttons, DX: notches(m.DX), DY: notches(m.DY)}
	if e.DX == 0 && e.DY == 0 {
		return []desktop.Input{h.pointer}
	}
	return []desktop.Input{e}
}
