package keyboard

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// keysymNames are the names of keysymdef.h for keys that type no visible character.
var keysymNames = map[desktop.Keysym]string{
	BackSpace: "BackSpace", Tab: "Tab", Clear: "Clear", Return: "Return", Pause: "Pause", ScrollLock: "Scroll_Lock",
	Escape: "Escape", ' ': "space", 0xa0: "nobreakspace",
	Kanji: "Kanji", Muhenkan: "Muhenkan", Henkan: "Henkan", Romaji: "Romaji", Hiragana: "Hiragana",
	Katakana: "Katakana", HiraganaKata: "Hiragana_Katakana", ZenkakuHankaku: "Zenkaku_Hankaku",
	KanaShift: "Kana_Shift", EisuToggle: "Eisu_toggle", Hangul: "Hangul", HangulHanja: "Hangul_Hanja",
	Home: "Home", Left: "Left", Up: "Up", Right: "Right", Down: "Down", PageUp: "Page_Up", PageDown: "Page_Down",
	End: "End", Select: "Select", Print: "Print", Execute: "Execute", Insert: "Insert", Undo: "Undo", Redo: "Redo",
	Menu: "Menu", Find: "Find", Cancel: "Cancel", Help: "Help", ModeSwitch: "Mode_switch", NumLock: "Num_Lock",
	KPEnter: "KP_Enter", KPHome: "KP_Home", KPLeft: "KP_Left", KPUp: "KP_Up", KPRight: "KP_Right",
	KPDown: "KP_Down", KPPageUp: "KP_Page_Up", KPPageDown: "KP_Page_Down", KPEnd: "KP_End", KPBegin: "KP_Begin",
	KPInsert: "KP_Insert", KPDelete: "KP_Delete", KPMultiply: "KP_Multiply", KPAdd: "KP_Add",
	KPSeparator: "KP_Separator", KPSubtract: "KP_Subtract", KPDecimal: "KP_Decimal", KPDivide: "KP_Divide",
	KPEqual: "KP_Equal",
	ShiftL:  "Shift_L", ShiftR: "Shift_R", ControlL: "Control_L", ControlR: "Control_R", CapsLock: "Caps_Lock",
	ShiftLock: "Shift_Lock", MetaL: "Meta_L", MetaR: "Meta_R", AltL: "Alt_L", AltR: "Alt_R", SuperL: "Super_L",
	SuperR: "Super_R", HyperL: "Hyper_L", HyperR: "Hyper_R", Delete: "Delete", ISOLevel3Shift: "ISO_Level3_Shift",
	AudioLower: "XF86AudioLowerVolume", AudioMute: "XF86AudioMute", AudioRaise: "XF86AudioRaiseVolume",
	AudioPlay: "XF86AudioPlay", AudioStop: "XF86AudioStop", AudioPrev: "XF86AudioPrev", AudioNext: "XF86AudioNext",
	HomePage: "XF86HomePage", Mail: "XF86Mail", Search: "XF86Search", Calculator: "XF86Calculator",
	BrowserBack: "XF86Back", BrowserForward: "XF86Forward", BrowserStop: "XF86Stop",
	BrowserRefresh: "XF86Refresh", BrowserFavorite: "XF86Favorites", MyComputer: "XF86MyComputer",
}

func init() {
	for i := range functionKeys {
		keysymNames[F1+desktop.Keysym(i)] = fmt.Sprintf("F%d", i+1)
	}
	for i := range 10 {
		keysymNames[KP0+desktop.Keysym(i)] = fmt.Sprintf("KP_%d", i)
	}
}

// Name returns what a person calls the key: the character it types, its X name ("Return", "Control_L"), or
// the keysym in hexadecimal.
func Name(k desktop.Keysym) string {
	if name, ok := keysymNames[k]; ok {
		return name
	}
	if r, ok := Rune(k); ok {
		return string(r)
	}
	return fmt.Sprintf("0x%04x", uint32(k))
}
