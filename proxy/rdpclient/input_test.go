package rdpclient

import (
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vitrine-psm/vitrine/internal/rdptarget"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// takes is a server whose input capability has the given flags.
func takes(flags uint16) rdptarget.Options {
	return rdptarget.Options{Capabilities: func(sets []rdp.Capability) []rdp.Capability {
		c, _ := rdp.FindCapability[*rdp.InputCapability](sets)
		c.Flags = flags
		return sets
	}}
}

// everything is what a server of today takes.
const everything = rdp.InputScancodes | rdp.InputMouseX | rdp.InputFastPath | rdp.InputFastPath2 | rdp.InputUnicode | rdp.InputMouseHorizWheel

func key(code, flags uint16) rdp.InputEvent {
	return rdp.InputEvent{Kind: rdp.InputScancode, Code: code, Flags: flags}
}

func char(code, flags uint16) rdp.InputEvent {
	return rdp.InputEvent{Kind: rdp.InputUnicodeKey, Code: code, Flags: flags}
}

func mouse(flags uint16, x, y int) rdp.InputEvent {
	return rdp.InputEvent{Kind: rdp.InputMouse, Flags: flags, X: uint16(x), Y: uint16(y)}
}

// pressed is a key going down and up.
func pressed(e rdp.InputEvent) []rdp.InputEvent {
	up := e
	up.Flags |= rdp.KeyRelease
	return []rdp.InputEvent{e, up}
}

// press is a key of a person going down and up.
func press(keysym desktop.Keysym, code desktop.Scancode) []desktop.Input {
	return []desktop.Input{
		desktop.KeyEvent{Keysym: keysym, Scancode: code, Down: true}, desktop.KeyEvent{Keysym: keysym, Scancode: code},
	}
}

// TestInput: what becomes of a person's acts, on the fast path and without it.
func TestInput(t *testing.T) {
	pos := image.Pt(10, 20)
	both := desktop.ButtonLeft | desktop.ButtonBack
	minusNotch := uint16(0x100 | 0x88) // -120 in nine bits
	for _, c := range []struct {
		name    string
		flags   uint16
		unicode bool
		layout  uint32
		in      []desktop.Input
		want    []rdp.InputEvent
		refused error
	}{
		{name: "key", flags: everything, in: press('a', 0x1e), want: pressed(key(0x1e, 0))},
		{name: "extended key", flags: everything, in: press(keyboard.ControlR, 0xe01d), want: pressed(key(0x1d, rdp.KeyExtended))},
		{name: "pause", flags: everything, in: press(0xff13, 0xe11d), want: []rdp.InputEvent{
			key(0x1d, rdp.KeyExtended1), key(0x45, 0), key(0x1d, rdp.KeyExtended1|rdp.KeyRelease), key(0x45, rdp.KeyRelease),
		}},
		{name: "key by its character", flags: everything, unicode: true, in: press('ä', 0x28), want: pressed(char('ä', 0))},
		{
			name: "shortcut by its place", flags: everything, unicode: true, in: slices.Concat(
				[]desktop.Input{desktop.KeyEvent{Keysym: keyboard.ControlL, Scancode: 0x1d, Down: true}}, press('c', 0x2e),
				[]desktop.Input{desktop.KeyEvent{Keysym: keyboard.ControlL, Scancode: 0x1d}}),
			want: slices.Concat([]rdp.InputEvent{key(0x1d, 0)}, pressed(key(0x2e, 0)), []rdp.InputEvent{key(0x1d, rdp.KeyRelease)}),
		},
		{
			name: "AltGr is in the character", flags: everything, unicode: true, in: slices.Concat(
				[]desktop.Input{desktop.KeyEvent{Keysym: keyboard.ISOLevel3Shift, Scancode: 0xe038, Down: true}}, press('@', 0x10),
				[]desktop.Input{desktop.KeyEvent{Keysym: keyboard.ISOLevel3Shift, Scancode: 0xe038}}),
			want: pressed(char('@', 0)),
		},
		{name: "characters to a target that knows none", flags: everything &^ rdp.InputUnicode, unicode: true, in: press('a', 0x1e), want: pressed(key(0x1e, 0))},
		{name: "key without a place", flags: everything, in: press('é', 0), want: pressed(char('é', 0))},
		{name: "key without a place or character", flags: everything &^ rdp.InputUnicode, in: press('é', 0)},
		{name: "text", flags: everything, in: []desktop.Input{desktop.TextInput{Text: "é\n😀\x00"}}, want: slices.Concat(
			pressed(char('é', 0)), pressed(key(0x1c, 0)),
			[]rdp.InputEvent{char(0xd83d, 0), char(0xde00, 0), char(0xd83d, rdp.KeyRelease), char(0xde00, rdp.KeyRelease)})},
		{name: "text on keys", flags: everything &^ rdp.InputUnicode, in: []desktop.Input{desktop.TextInput{Text: "aB\t"}}, want: slices.Concat(
			pressed(key(0x1e, 0)), []rdp.InputEvent{key(0x2a, 0)}, pressed(key(0x30, 0)), []rdp.InputEvent{key(0x2a, rdp.KeyRelease)},
			pressed(key(0x0f, 0)))},
		{name: "text no key types", flags: everything &^ rdp.InputUnicode, in: []desktop.Input{desktop.TextInput{Text: "日"}}, refused: desktop.ErrUnsupported},
		{
			name: "text on keys of another layout", flags: everything &^ rdp.InputUnicode, layout: 0x407,
			in: []desktop.Input{desktop.TextInput{Text: "z"}}, refused: desktop.ErrUnsupported,
		},
		{name: "pointer", flags: everything, in: []desktop.Input{
			desktop.PointerEvent{Pos: pos}, desktop.PointerEvent{Pos: pos, Buttons: both}, desktop.PointerEvent{Pos: image.Pt(-5, 999)},
		}, want: []rdp.InputEvent{
			mouse(rdp.MouseMove, 10, 20), mouse(rdp.MouseButton1|rdp.MouseDown, 10, 20),
			{Kind: rdp.InputMouseButton, Flags: rdp.MouseXButton1 | rdp.MouseXDown, X: 10, Y: 20},
			mouse(rdp.MouseMove, 0, 47), mouse(rdp.MouseButton1, 0, 47),
			{Kind: rdp.InputMouseButton, Flags: rdp.MouseXButton1, Y: 47},
		}},
		{name: "buttons the target does not know", flags: rdp.InputScancodes | rdp.InputFastPath, in: []desktop.Input{
			desktop.PointerEvent{Pos: pos, Buttons: desktop.ButtonForward | desktop.ButtonMiddle | desktop.ButtonRight},
		}, want: []rdp.InputEvent{
			mouse(rdp.MouseMove, 10, 20), mouse(rdp.MouseButton2|rdp.MouseDown, 10, 20), mouse(rdp.MouseButton3|rdp.MouseDown, 10, 20),
		}},
		{name: "wheel", flags: everything, in: []desktop.Input{
			desktop.PointerEvent{Pos: pos}, desktop.WheelEvent{Pos: pos, DY: 1}, desktop.WheelEvent{Pos: pos, DY: -2}, desktop.WheelEvent{Pos: pos, DX: 1},
		}, want: []rdp.InputEvent{
			mouse(rdp.MouseMove, 10, 20), mouse(rdp.MouseWheel|minusNotch, 10, 20), mouse(rdp.MouseWheel|120, 10, 20),
			mouse(rdp.MouseWheel|120, 10, 20), mouse(rdp.MouseHorizWheel|120, 10, 20),
		}},
		{name: "wheel sideways on a target that has none", flags: everything &^ rdp.InputMouseHorizWheel, in: []desktop.Input{desktop.WheelEvent{Pos: pos, DX: 1}}},
		{
			name: "locks", flags: everything, in: []desktop.Input{desktop.LockKeys{Caps: true, Num: true}, desktop.LockKeys{Scroll: true, Kana: true}},
			want: []rdp.InputEvent{
				{Kind: rdp.InputSync, Flags: rdp.SyncCapsLock | rdp.SyncNumLock}, {Kind: rdp.InputSync, Flags: rdp.SyncScrollLock | rdp.SyncKanaLock},
			},
		},
	} {
		for _, fastPath := range []bool{true, false} {
			name, flags := c.name+", slow path", c.flags&^(rdp.InputFastPath|rdp.InputFastPath2)
			if fastPath {
				name, flags = c.name, c.flags
			}
			t.Run(name, func(t *testing.T) {
				_ = play(t, scene{Config: Config{UnicodeKeys: c.unicode, KeyboardLayout: c.layout}, peer: takes(flags)}, func(s *stage) {
					p := s.open()
					for _, in := range c.in {
						if err := s.Send(in); !errors.Is(err, c.refused) {
							t.Fatalf("%T: %v, want %v", in, err, c.refused)
						}
					}
					if got := p.inputs(fastPath); !slices.Equal(got, c.want) {
						t.Errorf("got  %+v\nwant %+v", got, c.want)
					}
				})
			})
		}
	}
}

// TestLongText: more events than a PDU holds, and more than the outbox does while the target reads.
func TestLongText(t *testing.T) {
	text := strings.Repeat("abcdefghij", 3000)
	_ = play(t, scene{}, func(s *stage) {
		p := s.open()
		s.sends(desktop.TextInput{Text: text})
		var got strings.Builder
		for _, e := range p.inputs(true) {
			if e.Flags&rdp.KeyRelease == 0 {
				got.WriteRune(rune(e.Code))
			}
		}
		if got.String() != text {
			t.Errorf("%d of %d characters", got.Len(), len(text))
		}
	})
}

// TestRelease: what is held down when the session ends is let go of.
func TestRelease(t *testing.T) {
	err := play(t, scene{}, func(s *stage) {
		p := s.open()
		s.sends(desktop.KeyEvent{Keysym: keyboard.ControlL, Scancode: 0x1d, Down: true})
		s.sends(desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e, Down: true}, desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e})
		s.sends(desktop.PointerEvent{Pos: image.Pt(3, 4), Buttons: desktop.ButtonRight})
		p.inputs(true)
		s.stop()
		want := []rdp.InputEvent{key(0x1d, rdp.KeyRelease), mouse(rdp.MouseButton2, 3, 4)}
		if got := p.inputs(true); !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if !p.gone() {
			t.Error("the connection is still open")
		}
	})
	wantEnd(t, err, errDone)
}

// TestLocksRemembered: the locks are told again with each activation, because the target has forgotten them.
func TestLocksRemembered(t *testing.T) {
	want := []rdp.InputEvent{{Kind: rdp.InputSync, Flags: rdp.SyncCapsLock}}
	_ = play(t, scene{redials: true}, func(s *stage) {
		p := s.open()
		s.sends(desktop.LockKeys{Caps: true})
		p.heard()
		p.must(p.Deactivate())
		p.must(p.Demand(image.Pt(64, 48)))
		if got := p.inputs(true); len(got) != 0 {
			t.Errorf("%+v before the share is there", got)
		}
		p.must(p.Finalize())
		if got := p.inputs(true); !slices.Equal(got, want) {
			t.Errorf("after a reactivation: %+v, want %+v", got, want)
		}
		p.Close()
		p = s.open()
		synctest.Wait()
		if got := p.inputs(true); !slices.Equal(got, want) {
			t.Errorf("after a reconnection: %+v, want %+v", got, want)
		}
	})
}
