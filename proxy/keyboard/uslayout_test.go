package keyboard

import "testing"

func TestOnUSLayout(t *testing.T) {
	seen := map[int]rune{}
	for r := ' '; r <= '~'; r++ {
		code, shift, ok := OnUSLayout(r)
		if !ok {
			t.Errorf("no key types %q", r)
		}
		id := int(code) << 1
		if shift {
			id++
		}
		if other, twice := seen[id]; twice {
			t.Errorf("%q and %q are the same key", r, other)
		}
		seen[id] = r
	}
	for r, want := range map[rune]struct {
		code  int
		shift bool
	}{'a': {0x1e, false}, 'A': {0x1e, true}, '@': {3, true}, '\\': {0x2b, false}, '|': {0x2b, true}, ' ': {0x39, false}, '1': {2, false}, '<': {0x33, true}} {
		if code, shift, _ := OnUSLayout(r); int(code) != want.code || shift != want.shift {
			t.Errorf("%q is %#x, shift %v", r, code, shift)
		}
	}
	for _, r := range []rune{'é', '\n', 0, '日'} {
		if _, _, ok := OnUSLayout(r); ok {
			t.Errorf("%q has a key", r)
		}
	}
}
