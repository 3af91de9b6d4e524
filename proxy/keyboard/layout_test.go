package keyboard

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// TestLayouts types what is printed on keyboards of other countries.
func TestLayouts(t *testing.T) {
	alt, shift := Locks{AltGr: true}, Locks{Shift: true}
	for _, c := range []struct {
		layout uint32
		place  desktop.Scancode
		locks  Locks
		want   desktop.Keysym
	}{
		{0x407, 0x15, Locks{}, 'z'},
		{0x407, 0x2c, shift, 'Y'},
		{0x407, 0x1a, Locks{}, 0xfc},
		{0x407, 0x1a, Locks{Caps: true}, 0xdc},
		{0x407, 0x08, shift, '/'},
		{0x407, 0x08, alt, '{'},
		{0x407, 0x10, alt, '@'},
		{0x407, 0x12, alt, 0x20ac},
		{0x407, 0x56, alt, '|'},
		{0x407, 0x0c, alt, '\\'},
		{0x407, 0x0d, Locks{}, 0xfe51},
		{0x407, 0x29, Locks{}, 0xfe52},
		{0x407, 0xe038, Locks{}, ISOLevel3Shift},
		{0x407, 0x38, Locks{}, AltL},
		{0x407, 0x53, Locks{Num: true}, KPSeparator},
		{0x407, 0x53, Locks{}, KPDelete},
		{0x407, 0x1c, Locks{}, Return},
		{0x407, 0x02, Locks{Caps: true}, '1'},
		{0xc07, 0x15, Locks{}, 'z'},
		{0x40c, 0x10, Locks{}, 'a'},
		{0x40c, 0x1e, shift, 'Q'},
		{0x40c, 0x27, Locks{}, 'm'},
		{0x40c, 0x02, Locks{}, '&'},
		{0x40c, 0x02, shift, '1'},
		{0x40c, 0x02, Locks{Caps: true}, '1'},
		{0x40c, 0x0b, alt, '@'},
		{0x40c, 0x03, Locks{}, 0xe9},
		{0x40c, 0x33, shift, '.'},
		{0x409, 0x15, Locks{}, 'y'},
		{0x409, 0xe038, Locks{}, AltR},
		{0x809, 0x04, shift, 0xa3},
		{0x809, 0x2b, Locks{}, '#'},
		{0x20409, 0x28, Locks{}, 0xfe51},
		{0x10409, 0x1f, Locks{}, 'o'},
		{0x40a, 0x27, Locks{}, 0xf1},
		{0xc0a, 0x27, Locks{}, 0xf1},
		{0x440a, 0x27, Locks{}, 0xf1},
		{0x410, 0x28, Locks{}, 0xe0},
		{0x419, 0x10, Locks{}, 0x6ca},
		{0x419, 0x10, shift, 0x6ea},
		{0x419, 0x2e, Locks{Command: true}, 'c'},
		{0x408, 0x1e, Locks{}, 0x7e1},
		{0x405, 0x03, Locks{}, 0x1ec},
		{0x416, 0x73, Locks{}, '/'},
		{0x411, 0x73, shift, '_'},
		{0xe0010411, 0x1a, Locks{}, '@'},
		{0x415, 0x1e, alt, 0x1b1},
		{0x41f, 0x17, Locks{}, 0x2b9},
		{0, 0x15, Locks{}, 'y'},
		{0xffffffff, 0x15, Locks{}, 'y'},
	} {
		require.Equal(t, c.want, LayoutOf(c.layout).FromScancode(c.place, c.locks), "layout %#x, key %#x, %+v", c.layout, c.place, c.locks)
	}
	require.Nil(t, LayoutOf(0x409))
	require.False(t, LayoutOf(0x409).AltGr())
}

// TestLayoutsAreWhole finds every letter of the alphabet and every digit on each layout of Latin letters, and keysyms that are characters or
// dead keys everywhere.
func TestLayoutsAreWhole(t *testing.T) {
	for i := range layouts {
		l := &layouts[i]
		typed := map[desktop.Keysym]bool{}
		for place := range desktop.Scancode(0x80) {
			for _, locks := range []Locks{{}, {Shift: true}, {AltGr: true}, {Shift: true, AltGr: true}} {
				k := l.FromScancode(place, locks)
				typed[k] = true
				if i := k; i != 0 && l.has(place) {
					_, char := Rune(k)
					_, dead := Dead(k)
					require.True(t, char || dead || place == 0x53, "%s: %#x at %#x", l.name, k, place)
				}
			}
		}
		if !typed['q'] {
			continue // of another script
		}
		for r := 'a'; r <= 'z'; r++ {
			require.True(t, typed[desktop.Keysym(r)] && typed[desktop.Keysym(r-'a'+'A')], "%s has no %c", l.name, r)
		}
		for r := '0'; r <= '9'; r++ {
			require.True(t, typed[desktop.Keysym(r)], "%s has no %c", l.name, r)
		}
	}
}

func (l *Layout) has(place desktop.Scancode) bool {
	for _, k := range l.keys {
		if k.place == place {
			return true
		}
	}
	return false
}

func TestCompose(t *testing.T) {
	mark, ok := Dead(0xfe51)
	require.True(t, ok)
	require.Equal(t, "é", Compose(mark, 'e'))
	require.Equal(t, "'", Compose(mark, ' '))
	require.Equal(t, "q\u0301", Compose(mark, 'q'))
	_, ok = Dead('e')
	require.False(t, ok)
}
