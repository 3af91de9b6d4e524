package rdpserver

import (
	"image"
	"slices"
	"unicode/utf16"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// maxHeldKeys bounds the keys a client may hold down.
const maxHeldKeys = 32

// translator makes of RDP's input events what targets are told. It knows what is held down, so that every press is followed by a
// release of the same keysym, whatever the modifiers are by then.
type translator struct {
	layout  *keyboard.Layout
	held    []desktop.KeyEvent // in order of pressing
	locks   desktop.LockKeys
	pause   bool // the first half of Pause came: E1 1D, and 45 is to follow
	high    rune // the first half of a surrogate pair; 0: none
	pointer desktop.PointerEvent
	wheelX  int // rotation that makes no notch yet
	wheelY  int
}

const (
	scancodeLeftShift  = 0x2a
	scancodeRightShift = 0x36
	scancodeCaps       = 0x3a
	scancodeNum        = 0x45
	scancodeControl    = 0x1d
	scancodeAlt        = 0x38
	scancodeLeftMeta   = 0xe05b
	scancodeRightMeta  = 0xe05c
	extended           = 0xe000
	scancodePause      = 0xe11d
)

// event returns what an event means to the target: nothing, one act, or several. size is the desktop's.
func (t *translator) event(e rdp.InputEvent, size image.Point) []desktop.Input {
	switch e.Kind {
	case rdp.InputScancode:
		return t.key(e)
	case rdp.InputUnicodeKey:
		return t.text(e)
	case rdp.InputSync:
		return t.sync(e)
	case rdp.InputMouse, rdp.InputMouseButton:
		return t.mouse(e, size)
	}
	return nil
}

func (t *translator) key(e rdp.InputEvent) []desktop.Input {
	place := desktop.Scancode(e.Code & 0x7f)
	down := e.Flags&rdp.KeyRelease == 0
	switch {
	case e.Flags&rdp.KeyExtended1 != 0 && place == scancodeControl:
		t.pause = true
		return nil
	case t.pause && place == scancodeNum:
		t.pause = false
		place = scancodePause
	case e.Flags&rdp.KeyExtended != 0:
		t.pause = false
		place |= extended
	default:
		t.pause = false
	}
	if place == extended|scancodeLeftShift || place == extended|scancodeRightShift {
		return nil // fake shifts around the keys of the editing pad
	}
	if !down {
		return t.release(place)
	}
	for _, k := range t.held {
		if k.Scancode == place {
			return []desktop.Input{k} // auto-repeat
		}
	}
	if len(t.held) == maxHeldKeys {
		return nil
	}
	var events []desktop.Input
	if place == extended|scancodeAlt && t.layout.AltGr() {
		// Windows presses the left Ctrl along with AltGr, and so do its clients. Targets that are told meanings would take it for a
		// shortcut; those that are told places press it themselves.
		events = t.release(scancodeControl)
	}
	keysym := t.layout.FromScancode(place, t.modifiers())
	switch place { // the target toggles with the key, and so must we
	case scancodeCaps:
		t.locks.Caps = !t.locks.Caps
	case scancodeNum:
		t.locks.Num = !t.locks.Num
	}
	k := desktop.KeyEvent{Keysym: keysym, Scancode: place, Down: true}
	t.held = append(t.held, k)
	return append(events, k)
}

// modifiers are what is held and locked.
func (t *translator) modifiers() keyboard.Locks {
	alt := t.holds(extended | scancodeAlt)
	return keyboard.Locks{
		Shift: t.holds(scancodeLeftShift, scancodeRightShift), Caps: t.locks.Caps, Num: t.locks.Num, AltGr: alt && t.layout.AltGr(),
		Command: alt && !t.layout.AltGr() || t.holds(scancodeControl, extended|scancodeControl, scancodeAlt, scancodeLeftMeta, scancodeRightMeta),
	}
}

// holds tells whether one of these is held.
func (t *translator) holds(places ...desktop.Scancode) bool {
	return slices.ContainsFunc(t.held, func(k desktop.KeyEvent) bool { return slices.Contains(places, k.Scancode) })
}

// release returns the release of a key, if it is held.
func (t *translator) release(place desktop.Scancode) []desktop.Input {
	for i, k := range t.held {
		if k.Scancode == place {
			t.held = append(t.held[:i], t.held[i+1:]...)
			k.Down = false
			return []desktop.Input{k}
		}
	}
	return nil
}

// text takes a UTF-16 unit.
func (t *translator) text(e rdp.InputEvent) []desktop.Input {
	if e.Flags&rdp.KeyRelease != 0 {
		return nil
	}
	r := rune(e.Code)
	if high := t.high; utf16.IsSurrogate(r) {
		if t.high = 0; r < 0xdc00 {
			t.high = r
			return nil
		}
		r = utf16.DecodeRune(high, r)
	}
	t.high = 0
	if r == 0 {
		return nil
	}
	return []desktop.Input{desktop.TextInput{Text: string(r)}}
}

// sync takes the state of the lock keys. Clients send it when their window gets the keyboard: whatever was held before is not
// any more.
func (t *translator) sync(e rdp.InputEvent) []desktop.Input {
	events := t.releaseKeys()
	t.locks = desktop.LockKeys{
		Caps: e.Flags&rdp.SyncCapsLock != 0, Num: e.Flags&rdp.SyncNumLock != 0,
		Scroll: e.Flags&rdp.SyncScrollLock != 0, Kana: e.Flags&rdp.SyncKanaLock != 0,
	}
	return append(events, t.locks)
}

// buttons are the pointer's, by their flags.
var buttons = map[rdp.InputKind][]struct {
	flag   uint16
	button desktop.Buttons
}{
	rdp.InputMouse: {
		{rdp.MouseButton1, desktop.ButtonLeft}, {rdp.MouseButton2, desktop.ButtonRight}, {rdp.MouseButton3, desktop.ButtonMiddle},
	},
	rdp.InputMouseButton: {{rdp.MouseXButton1, desktop.ButtonBack}, {rdp.MouseXButton2, desktop.ButtonForward}},
}

func (t *translator) mouse(e rdp.InputEvent, size image.Point) []desktop.Input {
	at := image.Pt(min(int(e.X), size.X-1), min(int(e.Y), size.Y-1))
	if e.Kind == rdp.InputMouse && e.Flags&(rdp.MouseWheel|rdp.MouseHorizWheel) != 0 {
		return t.wheel(e)
	}
	next := desktop.PointerEvent{Pos: at, Buttons: t.pointer.Buttons}
	for _, b := range buttons[e.Kind] {
		switch {
		case e.Flags&b.flag == 0:
		case e.Flags&rdp.MouseDown != 0: // the same bit in both kinds
			next.Buttons |= b.button
		default:
			next.Buttons &^= b.button
		}
	}
	t.pointer = next
	return []desktop.Input{next}
}

// wheel takes a rotation. Clients send zero for its place.
func (t *translator) wheel(e rdp.InputEvent) []desktop.Input {
	rotation := int(e.Flags & rdp.MouseRotation)
	if rotation&rdp.MouseWheelNegative != 0 {
		rotation -= rdp.MouseRotation + 1
	}
	w := desktop.WheelEvent{Pos: t.pointer.Pos, Buttons: t.pointer.Buttons}
	if e.Flags&rdp.MouseHorizWheel != 0 {
		t.wheelX += rotation
		w.DX = t.wheelX / rdp.WheelNotch
		t.wheelX %= rdp.WheelNotch
	} else {
		t.wheelY -= rotation // away from the person is up
		w.DY = t.wheelY / rdp.WheelNotch
		t.wheelY %= rdp.WheelNotch
	}
	if w.DX == 0 && w.DY == 0 {
		return nil
	}
	return []desktop.Input{w}
}

// releaseKeys returns the releases of all keys held, the one pressed last first.
func (t *translator) releaseKeys() []desktop.Input {
	var events []desktop.Input
	for _, k := range slices.Backward(t.held) {
		k.Down = false
		events = append(events, k)
	}
	t.held = nil
	return events
}

// releaseAll returns the releases of all keys and buttons held.
func (t *translator) releaseAll() []desktop.Input {
	events := t.releaseKeys()
	if t.pointer.Buttons != 0 {
		t.pointer.Buttons = 0
		events = append(events, t.pointer)
	}
	return events
}
