package keyboard

import (
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

func TestFromScancode(t *testing.T) {
	for _, c := range []struct {
		place desktop.Scancode
		locks Locks
		want  desktop.Keysym
	}{
		{0x1e, Locks{}, 'a'},
		{0x1e, Locks{Shift: true}, 'A'},
		{0x1e, Locks{Caps: true}, 'A'},
		{0x1e, Locks{Shift: true, Caps: true}, 'a'},
		{0x02, Locks{Caps: true}, '1'},
		{0x02, Locks{Shift: true}, '!'},
		{0x28, Locks{Shift: true}, '"'},
		{0x56, Locks{}, '<'},
		{0x56, Locks{Shift: true}, '>'},
		{0x1c, Locks{}, Return},
		{0xe01c, Locks{}, KPEnter},
		{0x4f, Locks{Num: true}, KP0 + 1},
		{0x4f, Locks{}, KPEnd},
		{0x4f, Locks{Num: true, Shift: true}, KPEnd},
		{0xe04f, Locks{}, End},
		{0xe05b, Locks{}, SuperL},
		{0xe11d, Locks{}, Pause},
		{0x3b, Locks{}, 0xffbe},
		{0xe030, Locks{}, 0x1008ff13},
		{0x7f, Locks{}, 0},
	} {
		if got := (*Layout)(nil).FromScancode(c.place, c.locks); got != c.want {
			t.Errorf("%#x with %+v: %#x, want %#x", c.place, c.locks, got, c.want)
		}
	}
}

// TestFromScancodeAgrees holds the table against the one it turns round.
func TestFromScancodeAgrees(t *testing.T) {
	for r := ' '; r <= '~'; r++ {
		place, shift, ok := OnUSLayout(r)
		if got := (*Layout)(nil).FromScancode(place, Locks{Shift: shift}); !ok || got != desktop.Keysym(r) {
			t.Errorf("%q is at %#x, which means %#x", r, place, got)
		}
	}
}
