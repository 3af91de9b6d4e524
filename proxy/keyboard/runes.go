package keyboard

import (
	"slices"
	"unicode"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

//go:generate go run gen.go
//go:generate go run genlayouts.go

// legacyKeysym is a character that had a keysym before keysyms were made of Unicode code points. X servers
// translate either form, but what looks a keysym up in a keyboard map knows only the old one.
type legacyKeysym struct {
	keysym uint16
	char   uint16
}

// unicodeKeysyms is added to a code point that has no keysym of its own (X protocol, appendix A).
const unicodeKeysyms desktop.Keysym = 0x01000000

var (
	runeToLegacy = make(map[rune]desktop.Keysym, len(legacyKeysyms))
	legacyToRune = make(map[desktop.Keysym]rune, len(legacyKeysyms))
)

func init() {
	for _, l := range legacyKeysyms {
		legacyToRune[desktop.Keysym(l.keysym)] = rune(l.char)
		if _, ok := runeToLegacy[rune(l.char)]; !ok {
			runeToLegacy[rune(l.char)] = desktop.Keysym(l.keysym)
		}
	}
}

// controlKeysyms are the control characters that are keys.
var controlKeysyms = map[rune]desktop.Keysym{
	'\b': BackSpace, '\t': Tab, '\n': Return, '\r': Return, 0x1b: Escape, 0x7f: Delete,
}

// FromRune returns the keysym that types r, and zero for control characters that no key types.
func FromRune(r rune) desktop.Keysym {
	switch {
	case r >= 0x20 && r <= 0x7e, r >= 0xa0 && r <= 0xff:
		return desktop.Keysym(r)
	case unicode.IsControl(r), r < 0, r > unicode.MaxRune, r >= 0xd800 && r <= 0xdfff:
		return controlKeysyms[r]
	}
	if k, ok := runeToLegacy[r]; ok {
		return k
	}
	return unicodeKeysyms + desktop.Keysym(r)
}

// Rune returns the character a keysym types; ok is false for keys that type none.
func Rune(k desktop.Keysym) (r rune, ok bool) {
	switch {
	case k >= 0x20 && k <= 0x7e, k >= 0xa0 && k <= 0xff:
		return rune(k), true
	case k > unicodeKeysyms+0xff && k <= unicodeKeysyms+unicode.MaxRune:
		r = rune(k - unicodeKeysyms)
		return r, r < 0xd800 || r > 0xdfff
	}
	if r, ok = legacyToRune[k]; ok {
		return r, true
	}
	if i := slices.IndexFunc(keypadChars, func(c keypadChar) bool { return c.keysym == k }); i >= 0 {
		return keypadChars[i].char, true
	}
	return 0, false
}
