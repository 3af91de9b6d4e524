package rdpclient

import (
	"fmt"
	"image"
	"unicode/utf16"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// inputAbility is what the target takes, learned from its capabilities.
type inputAbility struct {
	fastPath, unicode, mouseX, horizWheel bool
	ready                                 bool
	shareID                               uint32
	locks                                 *desktop.LockKeys // what the person has locked; nil: not told yet
}

// heldInput remembers what is held down, to let go of it at the end. Only the goroutine that sends uses it, and
// releaseHeld once that has no more to send; able guards it.
type heldInput struct {
	keys    map[rdp.InputEvent]struct{} // as pressed
	buttons desktop.Buttons
	pos     image.Point
	altGr   bool // while characters travel as such
	control map[desktop.Keysym]struct{}
}

// learnInput reads what the target takes.
func (s *session) learnInput(target []rdp.Capability) {
	c, ok := rdp.FindCapability[*rdp.InputCapability](target)
	s.able.Lock()
	defer s.able.Unlock()
	a := &s.input
	a.ready, a.shareID = true, s.shareID
	if !ok {
		return
	}
	a.fastPath = c.Flags&(rdp.InputFastPath|rdp.InputFastPath2) != 0
	a.unicode = c.Flags&rdp.InputUnicode != 0
	a.mouseX = c.Flags&rdp.InputMouseX != 0
	a.horizWheel = c.Flags&rdp.InputMouseHorizWheel != 0
}

// send passes one input event to the target.
func (s *session) send(in desktop.Input) error {
	switch in := in.(type) {
	case desktop.KeyEvent:
		return s.sendKey(in)
	case desktop.TextInput:
		return s.sendText(in.Text)
	case desktop.LockKeys:
		return s.sendLocks(in)
	case desktop.PointerEvent:
		return s.sendPointer(in.Pos, in.Buttons, nil)
	case desktop.WheelEvent:
		return s.sendWheel(in)
	case desktop.ClipboardText:
		return s.channels.offerClipboard(in.Text)
	}
	return fmt.Errorf("rdpclient: input %T: %w", in, desktop.ErrUnsupported)
}

// emit queues events, on the fast path where the target knows it, and waits for room.
func (s *session) emit(events ...rdp.InputEvent) error {
	s.able.Lock()
	a := s.input
	s.able.Unlock()
	return s.out.Push(func(b []byte) []byte { return s.appendInput(b, a, events) })
}

func (s *session) appendInput(b []byte, a inputAbility, events []rdp.InputEvent) []byte {
	for len(events) > 0 {
		now := events[:min(len(events), maxEvents)]
		events = events[len(now):]
		if a.fastPath {
			b = rdp.AppendFastPathInput(b, now)
			continue
		}
		b = rdp.AppendChannelData(b, rdp.MCSSendDataRequest, s.user, s.ioChannel, func(b []byte) []byte {
			return rdp.AppendShareData(b, rdp.DataInput, s.user, a.shareID, func(b []byte) []byte { return rdp.AppendInput(b, now) })
		})
	}
	return b
}

// Prefixes of a Scancode ([UI Events] code values as package keyboard numbers them).
const (
	scancodeE0 = 0xe000
	scancodeE1 = 0xe100
	numLock    = 0x45
)

// scancodeEvents are the events of a key by its place. Pause is Ctrl with the prefix E1 and then Num Lock, as a keyboard
// sends it.
func scancodeEvents(code desktop.Scancode, down bool) []rdp.InputEvent {
	e := rdp.InputEvent{Kind: rdp.InputScancode, Code: uint16(code & 0xff)}
	if !down {
		e.Flags |= rdp.KeyRelease
	}
	switch code & 0xff00 {
	case scancodeE0:
		e.Flags |= rdp.KeyExtended
	case scancodeE1:
		second := rdp.InputEvent{Kind: rdp.InputScancode, Flags: e.Flags, Code: numLock}
		e.Flags |= rdp.KeyExtended1
		return []rdp.InputEvent{e, second}
	}
	return []rdp.InputEvent{e}
}

func (s *session) sendKey(e desktop.KeyEvent) error {
	s.able.Lock()
	events := s.keyEvents(e)
	s.hold(events)
	s.able.Unlock()
	if len(events) == 0 {
		return nil // a key without a place, on a target that takes no characters
	}
	return s.emit(events...)
}

// keyEvents needs able.
func (s *session) keyEvents(e desktop.KeyEvent) []rdp.InputEvent {
	r, types := keyboard.Rune(e.Keysym)
	types = types && r >= ' ' && r != 0x7f
	if keyboard.IsModifier(e.Keysym) {
		if s.cfg.UnicodeKeys && (e.Keysym == keyboard.ISOLevel3Shift || e.Keysym == keyboard.ModeSwitch) {
			s.held.altGr = e.Down
			return nil // it is in the character
		}
		if s.held.control == nil {
			s.held.control = make(map[desktop.Keysym]struct{})
		}
		if isShift := e.Keysym == keyboard.ShiftL || e.Keysym == keyboard.ShiftR; !isShift {
			if e.Down && len(s.held.control) < maxHeldKeys {
				s.held.control[e.Keysym] = struct{}{}
			} else {
				delete(s.held.control, e.Keysym)
			}
		}
	}
	character := types && s.input.unicode && (e.Scancode == 0 ||
		s.cfg.UnicodeKeys && (len(s.held.control) == 0 || s.held.altGr))
	if character {
		return unicodeEvents(r, e.Down)
	}
	if e.Scancode == 0 {
		return nil
	}
	return scancodeEvents(e.Scancode, e.Down)
}

// unicodeEvents are the events of a character, two for those outside the basic plane.
func unicodeEvents(r rune, down bool) []rdp.InputEvent {
	e := rdp.InputEvent{Kind: rdp.InputUnicodeKey, Code: uint16(r)}
	if !down {
		e.Flags = rdp.KeyRelease
	}
	if utf16.RuneLen(r) < 2 {
		return []rdp.InputEvent{e}
	}
	high, low := utf16.EncodeRune(r)
	second := e
	e.Code, second.Code = uint16(high), uint16(low)
	return []rdp.InputEvent{e, second}
}

// hold needs able. It remembers keys pressed and forgets those released.
func (s *session) hold(events []rdp.InputEvent) {
	for _, e := range events {
		pressed := e
		pressed.Flags &^= rdp.KeyRelease
		if e.Flags&rdp.KeyRelease != 0 {
			delete(s.held.keys, pressed)
		} else if len(s.held.keys) < maxHeldKeys {
			if s.held.keys == nil {
				s.held.keys = make(map[rdp.InputEvent]struct{})
			}
			s.held.keys[pressed] = struct{}{}
		}
	}
}

// sendText types text that no single key produced.
func (s *session) sendText(text string) error {
	s.able.Lock()
	unicode := s.input.unicode
	s.able.Unlock()
	var events []rdp.InputEvent
	for _, r := range text {
		typed, err := s.typed(r, unicode)
		if err != nil {
			return err
		}
		if events = append(events, typed...); len(events) >= textChunk {
			if err := s.emit(events...); err != nil {
				return err
			}
			events = events[:0]
		}
	}
	if len(events) == 0 {
		return nil
	}
	return s.emit(events...)
}

// typed are the events that type a character.
func (s *session) typed(r rune, unicode bool) ([]rdp.InputEvent, error) {
	const enter, tab, backspace = 0x1c, 0x0f, 0x0e
	press := func(code desktop.Scancode) []rdp.InputEvent {
		return append(scancodeEvents(code, true), scancodeEvents(code, false)...)
	}
	switch {
	case r == '\n':
		return press(enter), nil
	case r == '\t':
		return press(tab), nil
	case r == '\b':
		return press(backspace), nil
	case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\uFFFD':
		return nil, nil
	case unicode:
		return append(unicodeEvents(r, true), unicodeEvents(r, false)...), nil
	}
	if code, shift, ok := keyboard.OnUSLayout(r); ok && (s.cfg.KeyboardLayout == 0 || s.cfg.KeyboardLayout&0xffff == layoutUS) {
		if !shift {
			return press(code), nil
		}
		events := append(scancodeEvents(leftShift, true), press(code)...)
		return append(events, scancodeEvents(leftShift, false)...), nil
	}
	return nil, fmt.Errorf("rdpclient: characters outside the target's keyboard: %w", desktop.ErrUnsupported)
}

const (
	layoutUS  = 0x0409
	leftShift = 0x2a
)

// sendLocks brings the target's lock keys in line with the person's, and remembers them for the next activation.
func (s *session) sendLocks(l desktop.LockKeys) error {
	s.able.Lock()
	s.input.locks = &l
	s.able.Unlock()
	return s.emit(syncEvent(l))
}

// syncLocks tells a target that has just activated what is locked, without waiting.
func (s *session) syncLocks() {
	s.able.Lock()
	a := s.input
	s.able.Unlock()
	if a.locks != nil {
		// An error means that the connection has ended.
		_ = s.out.Add(func(b []byte) []byte { return s.appendInput(b, a, []rdp.InputEvent{syncEvent(*a.locks)}) })
	}
}

// locked returns what the person has locked, nil when that was not told.
func (s *session) locked() *desktop.LockKeys {
	s.able.Lock()
	defer s.able.Unlock()
	return s.input.locks
}

func syncEvent(l desktop.LockKeys) rdp.InputEvent {
	e := rdp.InputEvent{Kind: rdp.InputSync}
	for _, lock := range []struct {
		on   bool
		flag uint16
	}{{l.Scroll, rdp.SyncScrollLock}, {l.Num, rdp.SyncNumLock}, {l.Caps, rdp.SyncCapsLock}, {l.Kana, rdp.SyncKanaLock}} {
		if lock.on {
			e.Flags |= lock.flag
		}
	}
	return e
}

// pointerButtons are the buttons of a mouse event, then those of an extended one.
var pointerButtons = []struct {
	button desktop.Buttons
	kind   rdp.InputKind
	flag   uint16
}{
	{desktop.ButtonLeft, rdp.InputMouse, rdp.MouseButton1},
	{desktop.ButtonRight, rdp.InputMouse, rdp.MouseButton2},
	{desktop.ButtonMiddle, rdp.InputMouse, rdp.MouseButton3},
	{desktop.ButtonBack, rdp.InputMouseButton, rdp.MouseXButton1},
	{desktop.ButtonForward, rdp.InputMouseButton, rdp.MouseXButton2},
}

// sendPointer moves the pointer, presses and releases what changed, and then does what wheel says.
func (s *session) sendPointer(pos image.Point, buttons desktop.Buttons, wheel []rdp.InputEvent) error {
	size := s.fb.Size()
	pos.X, pos.Y = min(max(pos.X, 0), size.X-1), min(max(pos.Y, 0), size.Y-1)
	s.able.Lock()
	events := make([]rdp.InputEvent, 0, 4+len(wheel))
	if pos != s.held.pos || buttons == s.held.buttons && len(wheel) == 0 {
		events = append(events, rdp.InputEvent{Kind: rdp.InputMouse, Flags: rdp.MouseMove})
	}
	for _, b := range pointerButtons {
		if (buttons^s.held.buttons)&b.button == 0 || b.kind == rdp.InputMouseButton && !s.input.mouseX {
			continue
		}
		flags := b.flag
		if buttons&b.button != 0 {
			flags |= rdp.MouseDown
		}
		events = append(events, rdp.InputEvent{Kind: b.kind, Flags: flags})
	}
	events = append(events, wheel...)
	s.held.pos, s.held.buttons = pos, buttons
	s.able.Unlock()
	for i := range events {
		events[i].X, events[i].Y = uint16(pos.X), uint16(pos.Y)
	}
	return s.emit(events...)
}

// sendWheel turns the wheel, one event a notch. Down is negative in RDP, right is positive.
func (s *session) sendWheel(e desktop.WheelEvent) error {
	s.able.Lock()
	horizontal := s.input.horizWheel
	s.able.Unlock()
	var wheel []rdp.InputEvent
	turn := func(flag uint16, notches int) {
		rotation := rdp.WheelNotch
		if notches < 0 {
			rotation, notches = -rotation, -notches
		}
		for range min(notches, desktop.MaxWheelNotches) {
			wheel = append(wheel, rdp.InputEvent{Kind: rdp.InputMouse, Flags: flag | uint16(rotation)&rdp.MouseRotation})
		}
	}
	turn(rdp.MouseWheel, -e.DY)
	if horizontal {
		turn(rdp.MouseHorizWheel, e.DX)
	}
	if len(wheel) == 0 {
		return nil
	}
	return s.sendPointer(e.Pos, e.Buttons, wheel)
}

// releaseHeld lets go of every key and button, so that nothing stays pressed on the target.
func (s *session) releaseHeld() {
	s.able.Lock()
	var events []rdp.InputEvent
	for e := range s.held.keys {
		e.Flags |= rdp.KeyRelease
		events = append(events, e)
	}
	for _, b := range pointerButtons {
		if s.held.buttons&b.button != 0 {
			events = append(events, rdp.InputEvent{Kind: b.kind, Flags: b.flag, X: uint16(s.held.pos.X), Y: uint16(s.held.pos.Y)})
		}
	}
	s.held = heldInput{}
	a := s.input
	s.able.Unlock()
	if len(events) > 0 && a.ready {
		// An error means that the connection has ended already.
		_ = s.out.Add(func(b []byte) []byte { return s.appendInput(b, a, events) })
	}
}
