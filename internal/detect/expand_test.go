package detect

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var earlier = []string{"cat /etc/hosts", "rm -rf /tmp/a b", "echo done"}

// The lines are what bash 5.2 makes of them after those of earlier.
func TestExpand(t *testing.T) {
	for line, want := range map[string]string{
		"!!":              "echo done",
		"sudo !!":         "sudo echo done",
		"!-2":             "rm -rf /tmp/a b",
		"!rm":             "rm -rf /tmp/a b",
		"!rm; ls":         "rm -rf /tmp/a b; ls",
		"!?host?":         "cat /etc/hosts",
		"!?host? -n":      "cat /etc/hosts -n",
		"!?host":          "cat /etc/hosts",
		"ls !$":           "ls done",
		"ls !rm:$":        "ls b",
		"ls !rm:*":        "ls -rf /tmp/a b",
		"ls !rm:^":        "ls -rf",
		"ls !!:$":         "ls done",
		"ls !cat$":        "ls /etc/hosts",
		"ls !*":           "ls done",
		`echo "!rm"`:      `echo "rm -rf /tmp/a b"`,
		"^done^over":      "echo over",
		"^done^over^ now": "echo over now",
		"echo '!!'":       "echo '!!'",
		`echo "!!"`:       `echo "echo done"`,
		`echo "done!"`:    `echo "done!"`,
		`echo \!!`:        `echo \!!`,
		"[ ! -e x ]":      "[ ! -e x ]",
		"x!=y":            "x!=y",
		"hi!":             "hi!",
		"привет !! мир":   "привет echo done мир",
	} {
		got, known := expand(line, earlier)
		require.Equal(t, want, got, line)
		require.True(t, known, line)
	}
	for _, line := range []string{"!nothing", "!17", "!-9", "!!:s/a/b/", "^none^x", "!apt-get", "!?none?"} {
		_, known := expand(line, earlier)
		require.False(t, known, line)
	}
	_, known := expand("sudo !!", nil)
	require.False(t, known, "of an earlier session")
}

func FuzzExpand(f *testing.F) {
	for _, line := range []string{"sudo !!", "^a^b^", "!-2:*", `"!?x?`, `!\`, "!", "!é:$"} {
		f.Add(line, "rm -rf /tmp/a b")
	}
	f.Fuzz(func(t *testing.T, line, before string) {
		if len(line) > 4*maxLineRunes || len(before) > 4*maxLineRunes {
			return
		}
		got, _ := expand(line, []string{before, "x"})
		require.LessOrEqual(t, len(got), 8*4*maxLineRunes)
		if utf8.ValidString(line) && utf8.ValidString(before) {
			require.True(t, utf8.ValidString(got), "%q", got)
		}
		plain, known := expand(line, nil)
		require.True(t, plain == line || known, "%q became %q of nothing", line, plain)
	})
}
