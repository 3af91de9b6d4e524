package keyboard

import "github.com/vitrine-psm/vitrine/proxy/desktop"

// shiftedUS are what the keys of a US keyboard type with Shift, where that is not the capital of a letter.
var shiftedUS = map[rune]rune{
	'!': '1', '@': '2', '#': '3', '$': '4', '%': '5', '^': '6', '&': '7', '*': '8', '(': '9', ')': '0', '_': '-', '+': '=',
	'{': '[', '}': ']', ':': ';', '"': '\'', '~': '`', '|': '\\', '<': ',', '>': '.', '?': '/',
}

// usScancodes are the places of the characters a US keyboard types without Shift.
var usScancodes = map[rune]desktop.Scancode{}

func init() {
	for code, keysym := range codeKeysyms {
		// The key beside the left Shift and the keypad repeat what other keys type.
		if r, ok := Rune(keysym); ok && code != "IntlBackslash" && r >= ' ' && r <= '~' && keysym == desktop.Keysym(r) {
			usScancodes[r] = scancodes[code]
		}
	}
}

// OnUSLayout returns the key that types r on a US keyboard, and whether Shift is held for it.
func OnUSLayout(r rune) (code desktop.Scancode, shift, ok bool) {
	if r >= 'A' && r <= 'Z' {
		r, shift = r-'A'+'a', true
	} else if plain, with := shiftedUS[r]; with {
		r, shift = plain, true
	}
	code, ok = usScancodes[r]
	return code, shift, ok && code != 0
}
