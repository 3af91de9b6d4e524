package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// InputKind is the kind of an input event: its code on the fast path ([MS-RDPBCGR] 2.2.8.1.2.2).
type InputKind uint8

// The events.
const (
	InputScancode    InputKind = 0
	InputMouse       InputKind = 1
	InputMouseButton InputKind = 2 // extended mouse event: buttons 4 and 5
	InputSync        InputKind = 3
	InputUnicodeKey  InputKind = 4
	inputTimestamp   InputKind = 6 // QOE timestamps, passed over
)

// Flags of key events, as on the fast path ([MS-RDPBCGR] 2.2.8.1.2.2.1).
const (
	KeyRelease   = 1
	KeyExtended  = 2 // E0
	KeyExtended1 = 4 // E1, of Pause
)

// Flags of a synchronize event: the locks that are on ([MS-RDPBCGR] 2.2.8.1.2.2.5).
const (
	SyncScrollLock = 1
	SyncNumLock    = 2
	SyncCapsLock   = 4
	SyncKanaLock   = 8
)

// Flags of a mouse event ([MS-RDPBCGR] 2.2.8.1.1.3.1.1.3); the rotation takes nine bits, two's complement.
const (
	MouseHorizWheel    = 0x0400
	MouseWheel         = 0x0200
	MouseWheelNegative = 0x0100
	MouseRotation      = 0x01ff
	MouseMove          = 0x0800
	MouseDown          = 0x8000
	MouseButton1       = 0x1000 // left
	MouseButton2       = 0x2000 // right
	MouseButton3       = 0x4000 // middle
	// WheelNotch is the rotation of one notch.
	WheelNotch = 120
)

// Flags of an extended mouse event ([MS-RDPBCGR] 2.2.8.1.1.3.1.1.4).
const (
	MouseXDown    = 0x8000
	MouseXButton1 = 0x0001 // back
	MouseXButton2 = 0x0002 // forward
)

// InputEvent is one event of an input PDU.
type InputEvent struct {
	Kind InputKind
	// Flags are those of the kind: of keys and of synchronize as on the fast path, of mice the pointerFlags.
	Flags uint16
	// Code is a scancode, or a UTF-16 unit.
	Code uint16
	// X and Y are where the mouse is.
	X, Y uint16
}

// Slow-path message types and flags ([MS-RDPBCGR] 2.2.8.1.1.3.1.1).
const (
	slowSync     = 0x0000
	slowUnused   = 0x0002
	slowScancode = 0x0004
	slowUnicode  = 0x0005
	slowMouse    = 0x8001
	slowMouseX   = 0x8002

	slowKeyExtended  = 0x0100
	slowKeyExtended1 = 0x0200
	slowKeyDown      = 0x4000 // the key was down before
	slowKeyRelease   = 0x8000
)

// AppendFastPathInput appends events as one fast-path input PDU, at most 255 of them ([MS-RDPBCGR] 2.2.8.1.2).
func AppendFastPathInput(b []byte, events []InputEvent) []byte {
	const inHeader = 15 // as many as fit into the first byte
	header := byte(actionFastPath)
	counted := len(events) == 0 || len(events) > inHeader // in a byte of its own
	if !counted {
		header |= byte(len(events)) << 2
	}
	return appendFastPath(b, header, func(b []byte) []byte {
		if counted {
			b = append(b, byte(len(events)))
		}
		for _, e := range events {
			b = e.appendFastPath(b)
		}
		return b
	})
}

func (e InputEvent) appendFastPath(b []byte) []byte {
	le := binary.LittleEndian
	switch e.Kind {
	case InputScancode:
		return append(b, byte(e.Kind)<<5|byte(e.Flags&31), byte(e.Code))
	case InputUnicodeKey:
		return le.AppendUint16(append(b, byte(e.Kind)<<5|byte(e.Flags&31)), e.Code)
	case InputSync:
		return append(b, byte(e.Kind)<<5|byte(e.Flags&31))
	case InputMouse, InputMouseButton:
		b = le.AppendUint16(append(b, byte(e.Kind)<<5), e.Flags)
		return le.AppendUint16(le.AppendUint16(b, e.X), e.Y)
	}
	return b
}

// DecodeFastPathInput calls fn for every event of a fast-path input PDU with the first byte header.
func DecodeFastPathInput(header byte, payload []byte, fn func(e InputEvent) error) error {
	r := wire.NewReader("TS_FP_INPUT_PDU", payload)
	if header&fastPathSecure != 0 {
		return r.Refuse("the PDU is encrypted (%#x), which TLS makes needless", header)
	}
	n := int(header >> 2 & 15)
	if n == 0 {
		n = int(r.Uint8())
	}
	for range n {
		head := r.Uint8()
		e := InputEvent{Kind: InputKind(head >> 5)}
		switch e.Kind {
		case InputScancode:
			e.Flags, e.Code = uint16(head&31), uint16(r.Uint8())
		case InputUnicodeKey:
			e.Flags, e.Code = uint16(head&31), r.Uint16()
		case InputSync:
			e.Flags = uint16(head & 31)
		case InputMouse, InputMouseButton:
			e.Flags, e.X, e.Y = r.Uint16(), r.Uint16(), r.Uint16()
		case inputTimestamp:
			r.Skip(4)
			continue
		default:
			return r.Refuse("event code %d is not known", e.Kind)
		}
		if r.Err() != nil {
			return r.Err()
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return r.End()
}

// AppendInput appends the body of a slow-path input PDU ([MS-RDPBCGR] 2.2.8.1.1.3).
func AppendInput(b []byte, events []InputEvent) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(events)))
	for _, e := range events {
		b = le.AppendUint32(b, 0) // time, which servers pass over
		switch e.Kind {
		case InputScancode, InputUnicodeKey:
			kind := uint16(slowScancode)
			if e.Kind == InputUnicodeKey {
				kind = slowUnicode
			}
			b = le.AppendUint16(le.AppendUint16(b, kind), e.slowKeyFlags())
			b = le.AppendUint32(b, uint32(e.Code))
		case InputSync:
			b = le.AppendUint32(b, slowSync)
			b = le.AppendUint32(b, uint32(e.Flags))
		case InputMouse, InputMouseButton:
			kind := uint16(slowMouse)
			if e.Kind == InputMouseButton {
				kind = slowMouseX
			}
			b = le.AppendUint16(le.AppendUint16(b, kind), e.Flags)
			b = le.AppendUint16(le.AppendUint16(b, e.X), e.Y)
		}
	}
	return b
}

func (e InputEvent) slowKeyFlags() uint16 {
	flags := uint16(0)
	if e.Flags&KeyRelease != 0 {
		flags |= slowKeyRelease
	}
	if e.Flags&KeyExtended != 0 {
		flags |= slowKeyExtended
	}
	if e.Flags&KeyExtended1 != 0 {
		flags |= slowKeyExtended1
	}
	return flags
}

// DecodeInput calls fn for every event of a slow-path input PDU's body.
func DecodeInput(b []byte, fn func(e InputEvent) error) error {
	r := wire.NewReader("TS_INPUT_PDU_DATA", b)
	n := int(r.Uint16())
	r.Skip(2)
	if n > maxInputEvents {
		return r.Refuse("%d events exceed %d", n, maxInputEvents)
	}
	for range n {
		r.Skip(4)
		kind := r.Uint16()
		in := r.Sub("TS_INPUT_EVENT", 6)
		var e InputEvent
		switch kind {
		case slowScancode, slowUnicode:
			if e.Kind = InputScancode; kind == slowUnicode {
				e.Kind = InputUnicodeKey
			}
			flags := in.Uint16()
			e.Code = in.Uint16()
			if flags&slowKeyRelease != 0 {
				e.Flags |= KeyRelease
			}
			if flags&slowKeyExtended != 0 {
				e.Flags |= KeyExtended
			}
			if flags&slowKeyExtended1 != 0 {
				e.Flags |= KeyExtended1
			}
		case slowSync:
			e.Kind = InputSync
			in.Skip(2)
			e.Flags = uint16(in.Uint32()) & (SyncScrollLock | SyncNumLock | SyncCapsLock | SyncKanaLock)
		case slowMouse, slowMouseX:
			if e.Kind = InputMouse; kind == slowMouseX {
				e.Kind = InputMouseButton
			}
			e.Flags, e.X, e.Y = in.Uint16(), in.Uint16(), in.Uint16()
		case slowUnused:
			continue
		default:
			if r.Err() == nil {
				return r.Refuse("message type %#x is not known", kind)
			}
		}
		if in.Err() != nil {
			return in.Err()
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return r.Err()
}
