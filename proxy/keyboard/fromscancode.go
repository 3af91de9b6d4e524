package keyboard

import "github.com/vitrine-psm/vitrine/proxy/desktop"

var (
	// codeOf is scancodes the other way round.
	codeOf = map[desktop.Scancode]string{}
	// shifted are what the keys of a US keyboard type with Shift, by what they type without.
	shifted = map[desktop.Keysym]desktop.Keysym{}
	// editing are the keys of the keypad without Num Lock.
	editing = map[desktop.Keysym]desktop.Keysym{
		KP0: KPInsert, KP0 + 1: KPEnd, KP0 + 2: KPDown, KP0 + 3: KPPageDown, KP0 + 4: KPLeft, KP0 + 5: KPBegin, KP0 + 6: KPRight,
		KP0 + 7: KPHome, KP0 + 8: KPUp, KP9: KPPageUp, KPDecimal: KPDelete,
	}
)

func init() {
	for code, scancode := range scancodes {
		if code != "OSLeft" && code != "OSRight" { // other names of Meta
			codeOf[scancode] = code
		}
	}
	for with, without := range shiftedUS {
		shifted[desktop.Keysym(without)] = desktop.Keysym(with)
	}
}

// fromUS returns what the key at a place means on a US keyboard, zero for a place without a key.
func fromUS(place desktop.Scancode, l Locks) desktop.Keysym {
	keysym := codeKeysyms[codeOf[place]]
	if keysym == 0 {
		return namedKeysyms[codeOf[place]]
	}
	switch {
	case keysym >= 'a' && keysym <= 'z':
		if l.Shift != l.Caps {
			return keysym - 'a' + 'A'
		}
	case place == scancodes["IntlBackslash"]:
		if l.Shift {
			return '>'
		}
	case l.Shift && shifted[keysym] != 0:
		return shifted[keysym]
	case editing[keysym] != 0 && l.Num == l.Shift:
		return editing[keysym]
	}
	return keysym
}
