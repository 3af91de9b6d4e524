package keyboard

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// namedKeysyms maps the named values of KeyboardEvent.key, left-hand keys where there are two.
var namedKeysyms = map[string]desktop.Keysym{
	"Alt": AltL, "AltGraph": ISOLevel3Shift, "CapsLock": CapsLock, "Control": ControlL, "Hyper": HyperL,
	"Meta": SuperL, "OS": SuperL, "NumLock": NumLock, "ScrollLock": ScrollLock, "Shift": ShiftL, "Super": SuperL,

	"Enter": Return, "Tab": Tab, "Spacebar": ' ',
	"ArrowDown": Down, "ArrowLeft": Left, "ArrowRight": Right, "ArrowUp": Up,
	"End": End, "Home": Home, "PageDown": PageDown, "PageUp": PageUp,
	"Backspace": BackSpace, "Clear": Clear, "Delete": Delete, "Insert": Insert,
	"Undo": Undo, "Redo": Redo, "Again": Redo,
	"Cancel": Cancel, "ContextMenu": Menu, "Escape": Escape, "Execute": Execute, "Find": Find, "Help": Help,
	"Pause": Pause, "Select": Select, "PrintScreen": Print,

	"Convert": Henkan, "NonConvert": Muhenkan, "KanjiMode": Kanji, "ModeChange": ModeSwitch,
	"Alphanumeric": EisuToggle, "Eisu": EisuToggle, "Hankaku": ZenkakuHankaku, "Zenkaku": ZenkakuHankaku,
	"ZenkakuHankaku": ZenkakuHankaku, "Hiragana": Hiragana, "HiraganaKatakana": HiraganaKata, "KanaMode": KanaShift,
	"Katakana": Katakana, "Romaji": Romaji, "HangulMode": Hangul, "HanjaMode": HangulHanja,

	"AudioVolumeDown": AudioLower, "AudioVolumeMute": AudioMute, "AudioVolumeUp": AudioRaise,
	"MediaPlayPause": AudioPlay, "MediaStop": AudioStop, "MediaTrackNext": AudioNext,
	"MediaTrackPrevious": AudioPrev,
	"BrowserBack":        BrowserBack, "BrowserFavorites": BrowserFavorite, "BrowserForward": BrowserForward,
	"BrowserHome": HomePage, "BrowserRefresh": BrowserRefresh, "BrowserSearch": Search, "BrowserStop": BrowserStop,
	"LaunchApplication1": MyComputer, "LaunchApplication2": Calculator, "LaunchCalculator": Calculator,
	"LaunchMail": Mail, "LaunchMyComputer": MyComputer,
}

// rightKeysyms replaces namedKeysyms where the code is the right-hand one of a pair.
var rightKeysyms = map[string]desktop.Keysym{
	"Alt": AltR, "Control": ControlR, "Hyper": HyperR, "Meta": SuperR, "OS": SuperR, "Shift": ShiftR, "Super": SuperR,
}

var rightCodes = map[string]bool{
	"AltRight": true, "ControlRight": true, "MetaRight": true, "OSRight": true, "ShiftRight": true,
}

// keypadNamed are the keysyms of named keys that lie on the keypad.
var keypadNamed = map[string]desktop.Keysym{
	"Enter": KPEnter, "Home": KPHome, "ArrowLeft": KPLeft, "ArrowUp": KPUp, "ArrowRight": KPRight,
	"ArrowDown": KPDown, "PageUp": KPPageUp, "PageDown": KPPageDown, "End": KPEnd, "Clear": KPBegin,
	"Insert": KPInsert, "Delete": KPDelete,
}

// keypadChar is a character the keypad types with a keysym of its own.
type keypadChar struct {
	char   rune
	keysym desktop.Keysym
}

var keypadChars = func() []keypadChar {
	chars := []keypadChar{
		{'*', KPMultiply},
		{'+', KPAdd},
		{',', KPSeparator},
		{'-', KPSubtract},
		{'.', KPDecimal},
		{'/', KPDivide},
		{'=', KPEqual},
	}
	for i := range 10 {
		chars = append(chars, keypadChar{'0' + rune(i), KP0 + desktop.Keysym(i)})
	}
	return chars
}()

// keypadKeysym maps keys of the keypad; ok is false for all others.
func keypadKeysym(code, key string) (k desktop.Keysym, ok bool) {
	if len(code) < 6 || code[:6] != "Numpad" {
		return 0, false
	}
	if k, ok = keypadNamed[key]; ok {
		return k, true
	}
	for _, c := range keypadChars {
		if key == string(c.char) {
			return c.keysym, true
		}
	}
	return 0, false
}

func init() {
	for i := range functionKeys {
		namedKeysyms[fmt.Sprintf("F%d", i+1)] = F1 + desktop.Keysym(i)
	}
}
