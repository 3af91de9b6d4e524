package desktop

import "image"

// Input is one act of the person in control, already checked by the Arbiter. It is one of KeyEvent,
// TextInput, LockKeys, PointerEvent, WheelEvent and ClipboardText.
type Input interface{ isInput() }

// Keysym is an X Window System key symbol ([RFC 6143] 7.5.4): what the key means.
type Keysym uint32

// Scancode is a PC/AT set 1 make code, 0xE000 added for extended keys: where the key is. Zero is unknown.
type Scancode uint16

// KeyEvent is a key pressed or released. Sources use Keysym or Scancode, whichever their protocol speaks.
type KeyEvent struct {
	Keysym   Keysym
	Scancode Scancode
	Down     bool
}

// TextInput is text that no single key produced: dead keys, input methods, emoji pickers.
type TextInput struct{ Text string }

// LockKeys says which keys the person's keyboard has locked. Protocols that can (RDP) bring the target in line with it;
// the others ignore it: their keysyms say what a key means already.
type LockKeys struct{ Caps, Num, Scroll, Kana bool }

// Buttons is a set of pressed pointer buttons.
type Buttons uint8

// The pointer buttons. The wheel is not a button here: see WheelEvent.
const (
	ButtonLeft Buttons = 1 << iota
	ButtonMiddle
	ButtonRight
	ButtonBack
	ButtonForward
)

// PointerEvent is the pointer's place in desktop pixels and the buttons held down.
type PointerEvent struct {
	Pos     image.Point
	Buttons Buttons
}

// WheelEvent turns the wheel at Pos while Buttons are held. DX and DY are notches, positive to the right and
// down (the way content moves out of view), at most MaxWheelNotches at a time.
type WheelEvent struct {
	Pos     image.Point
	Buttons Buttons
	DX, DY  int
}

// MaxWheelNotches bounds one WheelEvent in either direction.
const MaxWheelNotches = 16

// ClipboardText offers text to the target's clipboard: valid UTF-8, LF line ends, at most MaxClipboardBytes.
type ClipboardText struct{ Text string }

func (KeyEvent) isInput()      {}
func (TextInput) isInput()     {}
func (LockKeys) isInput()      {}
func (PointerEvent) isInput()  {}
func (WheelEvent) isInput()    {}
func (ClipboardText) isInput() {}
