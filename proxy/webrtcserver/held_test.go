package webrtcserver

import (
	"fmt"
	"image"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
)

// told writes events as "+a -a" for the tables.
func told(events []desktop.Input) string {
	var words []string
	for _, e := range events {
		switch e := e.(type) {
		case desktop.KeyEvent:
			sign := "-"
			if e.Down {
				sign = "+"
			}
			words = append(words, sign+keyboard.Name(e.Keysym))
		default:
			words = append(words, fmt.Sprintf("%v", e))
		}
	}
	return strings.Join(words, " ")
}

func TestHeldKeys(t *testing.T) {
	for _, c := range []struct {
		what string
		keys []string // "+code key", "-code key", "release"
		want string
	}{
		{"press and release", []string{"+KeyA a", "-KeyA a"}, "+a -a"},
		{"auto-repeat", []string{"+KeyA a", "+KeyA a", "+KeyA a", "-KeyA a"}, "+a +a +a -a"},
		{"shift released first", []string{"+ShiftLeft Shift", "+KeyA A", "-ShiftLeft Shift", "-KeyA a"}, "+Shift_L +A -Shift_L -A"},
		{"shift pressed while held", []string{"+KeyA a", "+ShiftLeft Shift", "+KeyA A", "-KeyA A"}, "+a +Shift_L -a +A -A"},
		{"both shifts", []string{"+ShiftLeft Shift", "+ShiftRight Shift", "-ShiftLeft Shift", "-ShiftRight Shift"}, "+Shift_L +Shift_R -Shift_L -Shift_R"},
		{"release of what is not held", []string{"-KeyA a"}, ""},
		{"unknown key", []string{"+ Unidentified", "- Unidentified"}, ""},
		{"AltGr on Linux", []string{"+AltRight AltGraph", "+KeyQ @", "-KeyQ @", "-AltRight AltGraph"}, "+ISO_Level3_Shift +@ -@ -ISO_Level3_Shift"},
		{"AltGr on Windows", []string{
			"+ControlLeft Control", "+AltRight AltGraph", "+ControlLeft Control", "+AltRight AltGraph", "+KeyQ @", "-KeyQ @",
			"-ControlLeft Control", "-AltRight AltGraph",
		}, "+Control_L -Control_L +ISO_Level3_Shift +ISO_Level3_Shift +@ -@ -ISO_Level3_Shift"},
		{"Ctrl and Alt of one's own", []string{"+ControlLeft Control", "+AltLeft Alt", "+Delete Delete"}, "+Control_L +Alt_L +Delete"},
		{"Ctrl, another key, then AltGr", []string{"+ControlLeft Control", "+KeyA a", "+AltRight AltGraph"}, "+Control_L +a +ISO_Level3_Shift"},
		{"macOS hides releases under Command", []string{"+MetaLeft Meta", "+ShiftLeft Shift", "+KeyC c", "-MetaLeft Meta"}, "+Super_L +Shift_L +c -Super_L -c"},
		{"all released, last first", []string{"+ControlLeft Control", "+AltLeft Alt", "+KeyT t", "release", "release"}, "+Control_L +Alt_L +t -t -Alt_L -Control_L"},
		{"no code", []string{"+ a", "- a"}, "+a -a"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var h held
			var events []desktop.Input
			for _, k := range c.keys {
				if k == "release" {
					events = append(events, h.releaseAll()...)
					continue
				}
				code, key, _ := strings.Cut(k[1:], " ")
				events = append(events, h.key(code, key, k[0] == '+')...)
			}
			require.Equal(t, c.want, told(events))
		})
	}
}

func TestHeldKeysAreBounded(t *testing.T) {
	var h held
	n := 0
	for r := rune('a'); r < 'a'+2*maxHeldKeys; r++ {
		n += len(h.key("", string(r), true))
	}
	require.Equal(t, maxHeldKeys, n)
	require.Len(t, h.releaseAll(), maxHeldKeys)
}

func TestMotionAndButtons(t *testing.T) {
	var h held
	size, now := image.Pt(100, 100), time.Now()
	at := func(x, buttons int) place { return place{X: float64(x), W: 100, H: 100, Buttons: buttons} }
	move := func(x, buttons int, later time.Duration) []desktop.Input {
		return h.move(&moveMessage{place: at(x, buttons)}, size, now.Add(later))
	}
	require.Len(t, move(5, 0, 0), 1)
	require.Empty(t, move(5, 0, 0), "it has not moved")
	p := at(10, 1)
	require.Equal(t, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(10, 0), Buttons: 1}}, h.button(&p, size, now))
	require.Empty(t, move(6, 0, time.Millisecond), "older than the press")
	require.Equal(t, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(7, 0), Buttons: 1}}, move(7, 1, time.Millisecond))
	require.Equal(t, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(8, 0), Buttons: 1}}, move(8, 0, time.Second),
		"the browser holds nothing, but the input channel did not say so: a place is a place")
	require.Equal(t, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(8, 0)}}, h.releaseAll())
	require.Equal(t, []desktop.Input{desktop.PointerEvent{Pos: image.Pt(9, 0)}}, h.wheel(&wheelMessage{place: at(9, 0), DY: 0.2}, size))
}

func TestMotionKeepsTheLatest(t *testing.T) {
	var m motion
	require.Nil(t, m.take())
	for _, n := range []uint64{1, 2, 5} {
		require.True(t, m.set(&moveMessage{N: n}))
	}
	require.False(t, m.set(&moveMessage{N: 4}))
	require.False(t, m.set(&moveMessage{N: 5}))
	require.Equal(t, uint64(5), m.take().N)
	require.Nil(t, m.take())
	require.False(t, m.set(&moveMessage{N: 3}))
}

func TestCombo(t *testing.T) {
	require.Equal(t, "+Alt_L +F4 -F4 -Alt_L", told(combo([]string{"AltLeft", "F4"})))
	require.Empty(t, combo([]string{"AltLeft", "NoSuchKey"}))
}
