package trust

import (
	"strings"
	"testing"
)

func TestParseFingerprint(t *testing.T) {
	want := strings.Repeat("ab", 32)
	for _, s := range []string{want, strings.ToUpper(want), strings.TrimSuffix(strings.Repeat("AB:", 32), ":"), " " + want + "\n"} {
		if f, err := ParseFingerprint(s); err != nil || f.String() != want {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "ab", want + "ab", want[1:] + "x"} {
		if _, err := ParseFingerprint(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
