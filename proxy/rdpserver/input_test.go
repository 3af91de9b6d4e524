package rdpserver

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

func key(code, flags uint16) rdp.InputEvent {
	return rdp.InputEvent{Kind: rdp.InputScancode, Code: code, Flags: flags}
}

func down(k desktop.Keysym, s desktop.Scancode) desktop.Input {
	return desktop.KeyEvent{Keysym: k, Scancode: s, Down: true}
}

func up(k desktop.Keysym, s desktop.Scancode) desktop.Input {
	return desktop.KeyEvent{Keysym: k, Scancode: s}
}

// TestTranslator plays events and says what targets are told.
func TestTranslator(t *testing.T) {
	mouse := func(flags uint16, x, y uint16) rdp.InputEvent {
		return rdp.InputEvent{Kind: rdp.InputMouse, Flags: flags, X: x, Y: y}
	}
	at := func(x, y int, b desktop.Buttons) desktop.Input {
		return desktop.PointerEvent{Pos: image.Pt(x, y), Buttons: b}
	}
	for _, c := range []struct {
		name   string
		events []rdp.InputEvent
		want   []desktop.Input
	}{
		{"a letter", []rdp.InputEvent{key(0x1e, 0), key(0x1e, rdp.KeyRelease)}, []desktop.Input{down('a', 0x1e), up('a', 0x1e)}},
		{"the release is of what was pressed", []rdp.InputEvent{
			key(0x2a, 0), key(0x1e, 0), key(0x2a, rdp.KeyRelease), key(0x1e, rdp.KeyRelease),
		}, []desktop.Input{down(keyboard.ShiftL, 0x2a), down('A', 0x1e), up(keyboard.ShiftL, 0x2a), up('A', 0x1e)}},
		{"auto-repeat", []rdp.InputEvent{key(0x1e, 0), key(0x1e, 0)}, []desktop.Input{down('a', 0x1e), down('a', 0x1e)}},
		{"a release without a press", []rdp.InputEvent{key(0x1e, rdp.KeyRelease)}, nil},
		{"extended", []rdp.InputEvent{key(0x48, rdp.KeyExtended), key(0x1d, rdp.KeyExtended)}, []desktop.Input{
			down(keyboard.Up, 0xe048), down(keyboard.ControlR, 0xe01d),
		}},
		{"fake shifts", []rdp.InputEvent{key(0x2a, rdp.KeyExtended), key(0x48, rdp.KeyExtended)}, []desktop.Input{down(keyboard.Up, 0xe048)}},
		{"pause", []rdp.InputEvent{
			key(0x1d, rdp.KeyExtended1), key(0x45, 0), key(0x1d, rdp.KeyExtended1|rdp.KeyRelease), key(0x45, rdp.KeyRelease),
		}, []desktop.Input{down(keyboard.Pause, 0xe11d), up(keyboard.Pause, 0xe11d)}},
		{"locks", []rdp.InputEvent{key(0x1e, 0), {Kind: rdp.InputSync, Flags: rdp.SyncCapsLock}, key(0x1e, 0)}, []desktop.Input{
			down('a', 0x1e), up('a', 0x1e), desktop.LockKeys{Caps: true}, down('A', 0x1e),
		}},
		{"text beyond the keyboard", []rdp.InputEvent{
			{Kind: rdp.InputUnicodeKey, Code: 0xd83d},
			{Kind: rdp.InputUnicodeKey, Code: 0xde00},
			{Kind: rdp.InputUnicodeKey, Code: 0xe4},
			{Kind: rdp.InputUnicodeKey, Code: 0xe4, Flags: rdp.KeyRelease},
		}, []desktop.Input{desktop.TextInput{Text: "😀"}, desktop.TextInput{Text: "ä"}}},
		{"half a character", []rdp.InputEvent{{Kind: rdp.InputUnicodeKey, Code: 0xde00}}, []desktop.Input{desktop.TextInput{Text: "\uFFFD"}}},
		{"buttons", []rdp.InputEvent{
			mouse(rdp.MouseDown|rdp.MouseButton1, 5, 6), mouse(rdp.MouseMove, 7, 8),
			{Kind: rdp.InputMouseButton, Flags: rdp.MouseXDown | rdp.MouseXButton2, X: 7, Y: 8},
			mouse(rdp.MouseButton1, 7, 8),
		}, []desktop.Input{
			at(5, 6, desktop.ButtonLeft), at(7, 8, desktop.ButtonLeft), at(7, 8, desktop.ButtonLeft|desktop.ButtonForward), at(7, 8, desktop.ButtonForward),
		}},
		{"outside", []rdp.InputEvent{mouse(rdp.MouseMove, 65535, 65535)}, []desktop.Input{at(99, 79, 0)}},
		{"wheel", []rdp.InputEvent{
			mouse(rdp.MouseMove, 3, 4), mouse(rdp.MouseWheel|120, 0, 0), mouse(rdp.MouseWheel|0x188, 0, 0), mouse(rdp.MouseHorizWheel|240, 0, 0),
			mouse(rdp.MouseWheel|60, 0, 0), mouse(rdp.MouseWheel|60, 0, 0),
		}, []desktop.Input{
			at(3, 4, 0),
			desktop.WheelEvent{Pos: image.Pt(3, 4), DY: -1},
			desktop.WheelEvent{Pos: image.Pt(3, 4), DY: 1},
			desktop.WheelEvent{Pos: image.Pt(3, 4), DX: 2},
			desktop.WheelEvent{Pos: image.Pt(3, 4), DY: -1},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tr translator
			var got []desktop.Input
			for _, e := range c.events {
				got = append(got, tr.event(e, image.Pt(100, 80))...)
			}
			require.Equal(t, c.want, got)
			held := len(tr.held)
			if released := tr.releaseAll(); len(released) < held || len(tr.held) != 0 || tr.pointer.Buttons != 0 {
				t.Errorf("%d keys were held, and %v released", held, released)
			}
		})
	}
}

// TestLayouts plays keys of keyboards that are not American: targets are told what they mean there, and the same places.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []rdp.InputEvent
		want   []desktop.Input
		layout uint32
	}{
		{"a German keyboard", []rdp.InputEvent{
			key(0x15, 0), key(0x15, rdp.KeyRelease), key(0x1a, 0), key(0x1a, rdp.KeyRelease), key(0x0d, 0), key(0x0d, rdp.KeyRelease),
		}, []desktop.Input{down('z', 0x15), up('z', 0x15), down(0xfc, 0x1a), up(0xfc, 0x1a), down(0xfe51, 0x0d), up(0xfe51, 0x0d)}, 0x407},
		{"AltGr, with the Ctrl that Windows adds", []rdp.InputEvent{
			key(0x1d, 0), key(0x38, rdp.KeyExtended), key(0x10, 0), key(0x10, rdp.KeyRelease), key(0x1d, rdp.KeyRelease),
			key(0x38, rdp.KeyExtended|rdp.KeyRelease),
		}, []desktop.Input{
			down(keyboard.ControlL, 0x1d), up(keyboard.ControlL, 0x1d), down(keyboard.ISOLevel3Shift, 0xe038), down('@', 0x10), up('@', 0x10),
			up(keyboard.ISOLevel3Shift, 0xe038),
		}, 0x407},
		{"Alt on a keyboard without AltGr", []rdp.InputEvent{key(0x1d, 0), key(0x38, rdp.KeyExtended), key(0x10, 0)}, []desktop.Input{
			down(keyboard.ControlL, 0x1d), down(keyboard.AltR, 0xe038), down('q', 0x10),
		}, 0x409},
		{"a shortcut on a Russian keyboard", []rdp.InputEvent{key(0x2e, 0), key(0x2e, rdp.KeyRelease), key(0x1d, 0), key(0x2e, 0)}, []desktop.Input{
			down(0x6d3, 0x2e), up(0x6d3, 0x2e), down(keyboard.ControlL, 0x1d), down('c', 0x2e),
		}, 0x419},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := translator{layout: keyboard.LayoutOf(c.layout)}
			var got []desktop.Input
			for _, e := range c.events {
				got = append(got, tr.event(e, image.Pt(100, 80))...)
			}
			require.Equal(t, c.want, got)
		})
	}
}
