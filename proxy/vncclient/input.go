package vncclient

import (
	"encoding/binary"
	"fmt"
	"image"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// inputState remembers what is held down, to release it at the end.
type inputState struct {
	mu   sync.Mutex
	keys map[key]struct{}
	held uint16 // button mask of the last pointer message
	pos  image.Point
}

// key identifies a key between its press and its release.
type key struct {
	keysym   desktop.Keysym
	scancode desktop.Scancode
}

// Bits of a button mask ([RFC 6143] 7.5.5): buttons 1 to 3, the wheel as 4 to 7, and the side buttons as 8
// and 9, which need the extended form.
const (
	maskWheelUp = 1 << (iota + 3)
	maskWheelDown
	maskWheelLeft
	maskWheelRight
	maskBack
	maskForward

	maskClassic  = 1<<7 - 1
	maskExtended = 1 << 7 // on the wire: a byte with buttons 8 and up follows
)

// send passes one input event to the target.
func (s *session) send(in desktop.Input) error {
	switch in := in.(type) {
	case desktop.KeyEvent:
		return s.sendKey(in)
	case desktop.TextInput:
		return s.sendText(in.Text)
	case desktop.PointerEvent:
		return s.sendPointer(in.Pos, buttonMask(in.Buttons))
	case desktop.WheelEvent:
		return s.sendWheel(in)
	case desktop.ClipboardText:
		return s.offerClipboard(in.Text)
	case desktop.LockKeys:
		return nil // keysyms say already what a key means while it is locked
	}
	return fmt.Errorf("vncclient: input %T: %w", in, desktop.ErrUnsupported)
}

func (s *session) sendKey(e desktop.KeyEvent) error {
	s.able.Lock()
	qemu := s.qemuKeys
	s.able.Unlock()
	var encode func(b []byte) []byte
	switch {
	case qemu && e.Scancode != 0 && (s.cfg.Scancodes || e.Keysym == 0):
		encode = func(b []byte) []byte { return appendQEMUKey(b, e) }
	case e.Keysym != 0:
		encode = func(b []byte) []byte { return appendKey(b, e.Keysym, e.Down) }
	default:
		return nil // a key without meaning, and a target that knows no places
	}
	s.input.mu.Lock()
	id := key{e.Keysym, e.Scancode}
	if !e.Down {
		delete(s.input.keys, id)
	} else if len(s.input.keys) < maxHeldKeys {
		if s.input.keys == nil {
			s.input.keys = make(map[key]struct{})
		}
		s.input.keys[id] = struct{}{}
	}
	s.input.mu.Unlock()
	return s.out.Push(encode)
}

// appendKey appends a KeyEvent ([RFC 6143] 7.5.4).
func appendKey(b []byte, sym desktop.Keysym, down bool) []byte {
	const msg = 4
	return binary.BigEndian.AppendUint32(append(b, msg, oneIf(down), 0, 0), uint32(sym))
}

// appendQEMUKey appends a QEMU extended key event (rfbproto): the keysym and an XT scancode, in which the
// high bit of the byte stands for the prefix E0.
func appendQEMUKey(b []byte, e desktop.KeyEvent) []byte {
	const msg, sub = 255, 0
	code := uint32(e.Scancode & 0x7f)
	if e.Scancode >= 0xe000 {
		code |= 0x80
	}
	b = binary.BigEndian.AppendUint32(append(b, msg, sub, 0, oneIf(e.Down)), uint32(e.Keysym))
	return binary.BigEndian.AppendUint32(b, code)
}

func oneIf(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// sendText types text as keysyms, one after the other.
func (s *session) sendText(text string) error {
	runes := []rune(text)
	for len(runes) > 0 {
		n := min(len(runes), textChunk)
		err := s.out.Push(func(b []byte) []byte {
			for _, r := range runes[:n] {
				if sym := runeKeysym(r); sym != 0 {
					b = appendKey(appendKey(b, sym, true), sym, false)
				}
			}
			return b
		})
		if err != nil {
			return err
		}
		runes = runes[n:]
	}
	return nil
}

// runeKeysym returns the keysym of a character, zero for those no key types.
func runeKeysym(r rune) desktop.Keysym {
	const (
		keyBackSpace = 0xff08
		keyTab       = 0xff09
		keyReturn    = 0xff0d
		unicodeRule  = 0x01000000
	)
	switch {
	case r == '\b':
		return keyBackSpace
	case r == '\t':
		return keyTab
	case r == '\n':
		return keyReturn
	case r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\uFFFD':
		return 0
	case r <= 0xff:
		return desktop.Keysym(r)
	}
	return desktop.Keysym(unicodeRule | r)
}

// buttonMask returns the wire's mask of buttons.
func buttonMask(b desktop.Buttons) uint16 {
	mask := uint16(b & (desktop.ButtonLeft | desktop.ButtonMiddle | desktop.ButtonRight))
	if b&desktop.ButtonBack != 0 {
		mask |= maskBack
	}
	if b&desktop.ButtonForward != 0 {
		mask |= maskForward
	}
	return mask
}

func (s *session) sendPointer(pos image.Point, mask uint16) error {
	return s.pointer(pos, mask, 0, 0)
}

// sendWheel turns the wheel: each notch is a button pressed and released.
func (s *session) sendWheel(e desktop.WheelEvent) error {
	mask := buttonMask(e.Buttons)
	vertical, horizontal := uint16(maskWheelDown), uint16(maskWheelRight)
	if e.DY < 0 {
		vertical = maskWheelUp
	}
	if e.DX < 0 {
		horizontal = maskWheelLeft
	}
	if err := s.pointer(e.Pos, mask, vertical, abs(e.DY)); err != nil {
		return err
	}
	return s.pointer(e.Pos, mask, horizontal, abs(e.DX))
}

func abs(n int) int { return min(max(n, -n), desktop.MaxWheelNotches) }

// pointer sends one pointer message, or with a wheel button two for each notch, with coordinates inside the
// desktop.
func (s *session) pointer(pos image.Point, mask, wheel uint16, notches int) error {
	if wheel != 0 && notches == 0 {
		return nil
	}
	size := s.fb.Size()
	pos.X, pos.Y = min(max(pos.X, 0), size.X-1), min(max(pos.Y, 0), size.Y-1)
	s.able.Lock()
	extended := s.extMouse
	s.able.Unlock()
	s.input.mu.Lock()
	s.input.pos, s.input.held = pos, mask
	s.input.mu.Unlock()
	return s.out.Push(func(b []byte) []byte {
		for range notches {
			b = appendPointer(b, pos, mask|wheel, extended)
			b = appendPointer(b, pos, mask, extended)
		}
		if wheel == 0 {
			b = appendPointer(b, pos, mask, extended)
		}
		return b
	})
}

// appendPointer appends a PointerEvent ([RFC 6143] 7.5.5), in the extended form (rfbproto, "Extended Mouse
// Buttons") where buttons need it and the target knows it.
func appendPointer(b []byte, pos image.Point, mask uint16, extended bool) []byte {
	const msg = 5
	low, high := byte(mask&maskClassic), byte(mask>>7)
	extended = extended && high != 0
	if extended {
		low |= maskExtended
	}
	b = binary.BigEndian.AppendUint16(append(b, msg, low), uint16(pos.X))
	b = binary.BigEndian.AppendUint16(b, uint16(pos.Y))
	if extended {
		b = append(b, high)
	}
	return b
}

// releaseHeld lets go of every key and button, so that nothing stays pressed on the target.
func (s *session) releaseHeld() {
	s.input.mu.Lock()
	keys, held, pos := s.input.keys, s.input.held, s.input.pos
	s.input.keys, s.input.held = nil, 0
	s.input.mu.Unlock()
	s.able.Lock()
	qemu, extended := s.qemuKeys, s.extMouse
	s.able.Unlock()
	// An error means that the session has ended already.
	_ = s.out.Add(func(b []byte) []byte {
		for k := range keys {
			if e := (desktop.KeyEvent{Keysym: k.keysym, Scancode: k.scancode}); qemu && k.scancode != 0 &&
				(s.cfg.Scancodes || k.keysym == 0) {
				b = appendQEMUKey(b, e)
			} else {
				b = appendKey(b, k.keysym, false)
			}
		}
		if held != 0 {
			b = appendPointer(b, pos, 0, extended)
		}
		return b
	})
}
