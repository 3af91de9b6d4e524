// Package keyboard translates the keys of browsers and native clients into what target protocols speak.
//
// A browser names a key twice ([UI Events]): `code` says where the key is ("KeyQ" is the key right of Tab,
// whatever is printed on it) and `key` says what it means at this moment ("a" on a French keyboard, "A" with
// Shift, "@" with AltGr). RFB and the event log want the meaning, as an X keysym; RDP wants the place, as a
// PC/AT set 1 scancode. Translating each from its own half is what makes every layout work without knowing any.
//
// A native RDP client names the place and, once, its layout. What its keys mean is looked up in a table of layouts (layouts.go), made
// of X's by genlayouts.go.
//
// [UI Events]: https://www.w3.org/TR/uievents-code/
package keyboard

import (
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Map returns the keysym and the scancode of a KeyboardEvent's code and key. Either is zero when unknown: a
// key without a meaning ("Unidentified"), or a place no PC keyboard has.
func Map(code, key string) (desktop.Keysym, desktop.Scancode) {
	scancode := scancodes[code]
	if keysym, ok := keypadKeysym(code, key); ok {
		return keysym, scancode
	}
	if r, size := utf8.DecodeRuneInString(key); size > 0 && size == len(key) && r != utf8.RuneError {
		return FromRune(r), scancode
	}
	if right, ok := rightKeysyms[key]; ok && rightCodes[code] {
		return right, scancode
	}
	return namedKeysyms[key], scancode
}

// FromCode returns what the key at code means on a US keyboard without modifiers, for keys that are named by
// place alone, such as those of Ctrl-Alt-Del. ok is false when the code is unknown.
func FromCode(code string) (keysym desktop.Keysym, scancode desktop.Scancode, ok bool) {
	scancode, known := scancodes[code]
	keysym, meant := codeKeysyms[code]
	return keysym, scancode, known && meant
}

// IsModifier reports whether the key changes what other keys mean while it is held.
func IsModifier(k desktop.Keysym) bool {
	return k >= ShiftL && k <= HyperR && k != CapsLock && k != ShiftLock || k == ISOLevel3Shift || k == ModeSwitch
}

// IsMeta reports whether the key is a Super or Meta key: the Windows or Command key of the person's keyboard.
func IsMeta(k desktop.Keysym) bool {
	return k == SuperL || k == SuperR || k == MetaL || k == MetaR
}
