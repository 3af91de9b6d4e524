package detect_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
)

func starter(t testing.TB) *detect.Set {
	f := detect.Starter()
	s, err := detect.Compile(f.Rules, f.Lists)
	require.NoError(t, err)
	return s
}

// filesOf reads the lines of the files in a folder of testdata, without remarks, by the files' names.
func filesOf(t testing.TB, folder string) map[string][]string {
	names, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	out := map[string][]string{}
	for _, name := range names {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		in := bufio.NewScanner(f)
		for in.Scan() {
			if line := in.Text(); line != "" && !strings.HasPrefix(line, "# ") {
				out[filepath.Base(name)] = append(out[filepath.Base(name)], line)
			}
		}
		require.NoError(t, in.Err())
	}
	return out
}

func linesOf(t testing.TB, folder string) (out []string) {
	for _, lines := range filesOf(t, folder) {
		out = append(out, lines...)
	}
	return out
}

func ids(hits []detect.Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Rule.ID)
	}
	return out
}

func TestStarterFires(t *testing.T) {
	set := starter(t)
	fired := map[string]bool{}
	for _, line := range linesOf(t, "risky") {
		rule, text, ok := strings.Cut(line, "\t")
		require.True(t, ok, line)
		got := ids(set.Match(detect.Typed, text))
		if !contains(got, rule) {
			t.Errorf("%s does not fire on %q, only %v", rule, text, got)
		}
		fired[rule] = true
	}
	for _, r := range set.Rules() {
		require.True(t, fired[r.ID], "testdata/risky has no line for %s", r.ID)
	}
}

// TestBenignSessions plays whole sessions key by key, with slips of the finger that are put right in several ways and lines that are called
// back: no rule fits anything of them in any reading, and the lines are what was meant.
func TestBenignSessions(t *testing.T) {
	set := starter(t)
	total := 0
	for name, lines := range filesOf(t, "benign") {
		total += len(lines)
		d := detect.New(detect.Options{Rules: set, Windows: strings.HasPrefix(name, "windows")})
		var got []string
		play := func(keys string) {
			for _, e := range script(t, keys) {
				out := d.Feed(0, e)
				require.Empty(t, ids(out.Hits), "%s: %s", name, keys)
				for _, l := range out.Lines {
					got = append(got, l.Text)
				}
			}
		}
		var want []string
		for n, line := range lines {
			keys, half := strings.NewReplacer("<", "<LT>").Replace(line), len(line)/2
			plain := !strings.Contains(line, "<")
			switch want = append(want, strings.TrimRight(line, " ")); {
			case n%5 == 1 && plain: // noticed at once
				keys = line[:half] + "xy<BS><BS>" + line[half:]
			case n%5 == 2 && plain: // noticed in the end
				keys = "q" + line + "<Home><Del><End>"
			case n%5 == 3 && plain && half > 0: // a letter was left out
				keys = line[:half] + line[half+1:] + strings.Repeat("<Left>", len(line)-half-1) + strings.ReplaceAll(line[half:half+1], "<", "<LT>")
			}
			play(keys + "<Enter>")
			if n%7 == 6 {
				want = append(want, want[len(want)-1])
				play("<Up><Enter>")
			}
		}
		require.Equal(t, want, got, name)
		require.Empty(t, ids(d.Finish().Hits))
	}
	require.Greater(t, total, 300)
}

func contains(list []string, want string) bool {
	return slices.Contains(list, want)
}

func TestStarterIsSilent(t *testing.T) {
	set := starter(t)
	for _, line := range linesOf(t, "benign") {
		if got := ids(set.Match(detect.Typed, line)); len(got) > 0 {
			t.Errorf("%v on %q", got, line)
		}
		if got := ids(set.Match(detect.Clipboard, line)); len(got) > 0 {
			t.Errorf("pasted: %v on %q", got, line)
		}
	}
}
