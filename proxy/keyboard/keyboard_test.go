package keyboard_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

func TestMap(t *testing.T) {
	for _, c := range []struct {
		what, code, key string
		keysym          desktop.Keysym
		scancode        desktop.Scancode
		name            string
	}{
		{"a letter", "KeyA", "a", 'a', 0x1e, "a"},
		{"with shift", "KeyA", "A", 'A', 0x1e, "A"},
		{"AZERTY a lies where Q is", "KeyQ", "a", 'a', 0x10, "a"},
		{"QWERTZ z lies where Y is", "KeyY", "z", 'z', 0x15, "z"},
		{"AltGr on a German keyboard", "KeyQ", "@", '@', 0x10, "@"},
		{"AltGr euro", "KeyE", "€", 0x20ac, 0x12, "€"},
		{"AltGr itself", "AltRight", "AltGraph", 0xfe03, 0xe038, "ISO_Level3_Shift"},
		{"right Alt of a US keyboard", "AltRight", "Alt", 0xffea, 0xe038, "Alt_R"},
		{"Latin-1", "Digit2", "é", 0xe9, 0x03, "é"},
		{"Polish", "KeyL", "ł", 0x1b3, 0x26, "ł"},
		{"Russian", "KeyF", "а", 0x6c1, 0x21, "а"},
		{"Greek", "KeyA", "α", 0x7e1, 0x1e, "α"},
		{"beyond the old keysyms", "KeyA", "🙂", 0x0101f642, 0x1e, "🙂"},
		{"space", "Space", " ", ' ', 0x39, "space"},
		{"left shift", "ShiftLeft", "Shift", 0xffe1, 0x2a, "Shift_L"},
		{"right shift", "ShiftRight", "Shift", 0xffe2, 0x36, "Shift_R"},
		{"right control", "ControlRight", "Control", 0xffe4, 0xe01d, "Control_R"},
		{"Windows key", "MetaLeft", "Meta", 0xffeb, 0xe05b, "Super_L"},
		{"Caps Lock remapped to Escape", "CapsLock", "Escape", 0xff1b, 0x3a, "Escape"},
		{"return", "Enter", "Enter", 0xff0d, 0x1c, "Return"},
		{"keypad return", "NumpadEnter", "Enter", 0xff8d, 0xe01c, "KP_Enter"},
		{"keypad digit", "Numpad7", "7", 0xffb7, 0x47, "KP_7"},
		{"keypad without Num Lock", "Numpad7", "Home", 0xff95, 0x47, "KP_Home"},
		{"keypad 5 without Num Lock", "Numpad5", "Clear", 0xff9d, 0x4c, "KP_Begin"},
		{"keypad point", "NumpadDecimal", ".", 0xffae, 0x53, "KP_Decimal"},
		{"keypad comma", "NumpadDecimal", ",", 0xffac, 0x53, "KP_Separator"},
		{"keypad divide", "NumpadDivide", "/", 0xffaf, 0xe035, "KP_Divide"},
		{"home", "Home", "Home", 0xff50, 0xe047, "Home"},
		{"delete", "Delete", "Delete", 0xffff, 0xe053, "Delete"},
		{"F1", "F1", "F1", 0xffbe, 0x3b, "F1"},
		{"F11", "F11", "F11", 0xffc8, 0x57, "F11"},
		{"F24", "F24", "F24", 0xffd5, 0x76, "F24"},
		{"pause", "Pause", "Pause", 0xff13, 0xe11d, "Pause"},
		{"print screen", "PrintScreen", "PrintScreen", 0xff61, 0xe037, "Print"},
		{"volume", "AudioVolumeUp", "AudioVolumeUp", 0x1008ff13, 0xe030, "XF86AudioRaiseVolume"},
		{"henkan", "Convert", "Convert", 0xff23, 0x79, "Henkan"},
		{"no meaning", "KeyA", "Unidentified", 0, 0x1e, ""},
		{"dead key", "BracketLeft", "Dead", 0, 0x1a, ""},
		{"no place", "", "x", 'x', 0, "x"},
		{"nothing", "", "", 0, 0, ""},
		{"several characters", "KeyA", "ab", 0, 0x1e, ""},
		{"not UTF-8", "KeyA", "\xff", 0, 0x1e, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			keysym, scancode := keyboard.Map(c.code, c.key)
			require.Equal(t, c.keysym, keysym, "keysym %#x", uint32(keysym))
			require.Equal(t, c.scancode, scancode, "scancode %#x", uint16(scancode))
			if c.name != "" {
				require.Equal(t, c.name, keyboard.Name(keysym))
			}
		})
	}
}

func TestFromCode(t *testing.T) {
	for _, c := range []struct {
		code     string
		keysym   desktop.Keysym
		scancode desktop.Scancode
	}{
		{"ControlLeft", 0xffe3, 0x1d},
		{"AltLeft", 0xffe9, 0x38},
		{"Delete", 0xffff, 0xe053},
		{"KeyL", 'l', 0x26},
		{"Digit0", '0', 0x0b},
		{"Numpad0", 0xffb0, 0x52},
		{"F4", 0xffc1, 0x3e},
		{"MetaLeft", 0xffeb, 0xe05b},
	} {
		keysym, scancode, ok := keyboard.FromCode(c.code)
		require.True(t, ok, c.code)
		require.Equal(t, c.keysym, keysym, c.code)
		require.Equal(t, c.scancode, scancode, c.code)
	}
	_, _, ok := keyboard.FromCode("Fn")
	require.False(t, ok)
}

// A keysym made of a character must give that character back, or the event log would tell another text than
// what was typed.
func TestRuneRoundTrip(t *testing.T) {
	for r := rune(0x20); r <= 0x1ffff; r++ {
		if !utf8.ValidRune(r) || r >= 0x7f && r < 0xa0 {
			continue
		}
		k := keyboard.FromRune(r)
		require.NotZero(t, k, "%U", r)
		back, ok := keyboard.Rune(k)
		require.True(t, ok, "%U %#x", r, uint32(k))
		require.Equal(t, r, back, "%#x", uint32(k))
	}
}

func TestRuneOfOtherKeys(t *testing.T) {
	for _, k := range []desktop.Keysym{0, 0x1f, keyboard.Return, keyboard.ShiftL, 0x0100d800, 0x02000000, 0xffffffff} {
		r, ok := keyboard.Rune(k)
		require.False(t, ok, "%#x gave %q", uint32(k), r)
	}
	r, ok := keyboard.Rune(keyboard.KP0 + 4)
	require.True(t, ok)
	require.Equal(t, '4', r)
	require.Equal(t, "0x1f00", keyboard.Name(0x1f00))
}

func TestControlCharacters(t *testing.T) {
	require.Equal(t, keyboard.Return, keyboard.FromRune('\n'))
	require.Equal(t, keyboard.Tab, keyboard.FromRune('\t'))
	require.Zero(t, keyboard.FromRune(0))
	require.Zero(t, keyboard.FromRune(0x85))
	require.Zero(t, keyboard.FromRune(0xd800))
	require.Zero(t, keyboard.FromRune(-1))
}

func TestModifiers(t *testing.T) {
	for _, k := range []desktop.Keysym{
		keyboard.ShiftL, keyboard.ControlR, keyboard.AltL, keyboard.SuperR, keyboard.ISOLevel3Shift, keyboard.MetaL,
	} {
		require.True(t, keyboard.IsModifier(k), keyboard.Name(k))
	}
	for _, k := range []desktop.Keysym{'a', keyboard.CapsLock, keyboard.NumLock, keyboard.Return, 0} {
		require.False(t, keyboard.IsModifier(k), keyboard.Name(k))
	}
	require.True(t, keyboard.IsMeta(keyboard.SuperL))
	require.False(t, keyboard.IsMeta(keyboard.AltL))
}

func FuzzMap(f *testing.F) {
	for _, s := range [][2]string{{"KeyA", "a"}, {"Numpad1", "End"}, {"AltRight", "AltGraph"}, {"", "\xff"}, {"KeyA", "Dead"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, code, key string) {
		keysym, _ := keyboard.Map(code, key)
		if r, ok := keyboard.Rune(keysym); ok && utf8.RuneCountInString(key) == 1 && string(r) != key {
			t.Errorf("key %q became %q", key, r)
		}
		if keysym != 0 && keyboard.Name(keysym) == "" {
			t.Errorf("keysym %#x has no name", uint32(keysym))
		}
	})
}
