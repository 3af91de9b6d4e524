package keyboard

import (
	"slices"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Layout is what the keys of a keyboard mean, for protocols whose clients name places and a layout. The nil Layout is a US keyboard's.
type Layout struct {
	id    uint32
	name  string // X's
	altGr bool
	keys  []layoutKey // those that are not a US keyboard's, by place
}

// layoutKey is a key: what it types at each level as a character, combining ones for dead keys, NUL for nothing. The levels are without
// modifiers, with Shift, with AltGr, with both.
type layoutKey struct {
	place desktop.Scancode
	caps  bool // Caps Lock is Shift to it
	text  string
}

// Locks are what changes the meaning of a key that is named by its place.
type Locks struct {
	Shift, Caps, Num bool
	AltGr            bool
	Command          bool // Ctrl, Alt or the Windows key is held: the key is part of a shortcut
}

// LayoutOf returns a Windows keyboard layout by its identifier ([MS-RDPBCGR] 2.2.1.3.2, keyboardLayout), or one of the same language,
// or that of a US keyboard.
func LayoutOf(id uint32) *Layout {
	find := func(id uint32) *Layout {
		if i := slices.IndexFunc(layouts, func(l Layout) bool { return l.id == id }); i >= 0 {
			return &layouts[i]
		}
		return nil
	}
	const (
		language   = 0x3ff
		byDefault  = 0x400
		english    = 0x09
		spanish    = 0x0a
		spainToday = 0x0c0a // sorted the modern way
	)
	if l := find(id); l != nil {
		return l
	}
	// Variants, and input methods, are told by the upper half.
	locale := id & 0xffff
	if l := find(locale); l != nil {
		return l
	}
	switch primary := locale & language; {
	case primary == english || primary == 0:
		return nil
	case primary == spanish && locale != spainToday:
		return find(0x080a)
	default:
		return find(primary | byDefault)
	}
}

// AltGr tells whether the right Alt key is AltGr.
func (l *Layout) AltGr() bool { return l != nil && l.altGr }

// FromScancode returns what the key at a place means, zero for a place without a key.
func (l *Layout) FromScancode(place desktop.Scancode, locks Locks) desktop.Keysym {
	us := fromUS(place, locks)
	if l == nil {
		return us
	}
	if place == scancodes["AltRight"] && l.altGr {
		return ISOLevel3Shift
	}
	i := slices.IndexFunc(l.keys, func(k layoutKey) bool { return k.place == place })
	if i < 0 {
		return us
	}
	k := l.keys[i]
	if place == scancodes["NumpadDecimal"] {
		if us == KPDecimal && k.text == "," {
			return KPSeparator
		}
		return us
	}
	level := 0
	if locks.Shift != (locks.Caps && k.caps) {
		level = 1
	}
	if locks.AltGr && l.altGr {
		level += 2
	}
	r := k.level(level)
	if r == 0 {
		return 0
	}
	if keysym, ok := deadKeysyms[r]; ok {
		return keysym
	}
	// Shortcuts are the Latin letters' in every script, as on Windows.
	if locks.Command && r > 0xff && us < 0x80 {
		return us
	}
	return FromRune(r)
}

// level returns the character of a level; a key without the third and fourth types there what it does without AltGr.
func (k layoutKey) level(level int) rune {
	n := utf8.RuneCountInString(k.text)
	if level >= n {
		level &= 1
	}
	for _, r := range k.text {
		if level == 0 {
			return r
		}
		level--
	}
	return 0
}
