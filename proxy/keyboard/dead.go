package keyboard

import (
	"golang.org/x/text/unicode/norm"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// deadMarks are the keysyms of keys that change the next character, with the combining character they stand for (X11 keysymdef.h).
var deadMarks = map[desktop.Keysym]rune{
	0xfe50: 0x300, 0xfe51: 0x301, 0xfe52: 0x302, 0xfe53: 0x303, 0xfe54: 0x304, 0xfe55: 0x306, 0xfe56: 0x307, 0xfe57: 0x308,
	0xfe58: 0x30a, 0xfe59: 0x30b, 0xfe5a: 0x30c, 0xfe5b: 0x327, 0xfe5c: 0x328,
}

// deadKeysyms is deadMarks the other way round.
var deadKeysyms = make(map[rune]desktop.Keysym, len(deadMarks))

func init() {
	for keysym, mark := range deadMarks {
		deadKeysyms[mark] = keysym
	}
}

// alone are the characters that dead keys leave before a space.
var alone = map[rune]string{0x300: "`", 0x301: "'", 0x302: "^", 0x303: "~", 0x308: `"`}

// Dead returns the combining character that a dead key stands for; ok is false for other keys.
func Dead(k desktop.Keysym) (mark rune, ok bool) {
	mark, ok = deadMarks[k]
	return mark, ok
}

// Compose returns the text of a character that is typed after a dead key: one character where there is one.
func Compose(mark, r rune) string {
	if r == ' ' {
		return alone[mark]
	}
	return norm.NFC.String(string([]rune{r, mark}))
}
