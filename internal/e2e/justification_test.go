package e2e

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// loggedShell is a desktop with a shell of which a log tells what ran, and a gateway with a rule that asks why folders are removed.
type loggedShell struct {
	t   *testing.T
	dir string
	x   *testbed.X
	g   *gateway
}

func startLoggedShell(t *testing.T, settings string) *loggedShell {
	t.Helper()
	testbed.Require(t, "Xvnc", "xterm")
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(`
rules:
  - {id: removal, name: Folders removed, about: Whole folders are removed at once., severity: high, action: require_justification, sources: [typed], any: ['^rm\s+-rf\b']}
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rc"), []byte("trap 'echo \"$BASH_COMMAND\" >> "+dir+"/log' DEBUG\ntouch "+dir+"/ready\n"), 0o600))
	for _, name := range []string{"one", "two", "three"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "inner"), 0o700))
	}
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768)})
	testbed.XTerm(t, x.Display, "cd "+dir+" && HISTFILE= exec bash --noprofile --rcfile rc -i")
	g := startGateway(t, settings+fmt.Sprintf("detection: {rules_file: '%s', justification: {timeout: 10m}}\ntargets:\n  - {id: desk, name: Desk, protocol: vnc, address: '%s', tls: {mode: 'off'}}\n", rules, x.Addr))
	s := &loggedShell{t, dir, &x.X, g}
	testbed.Eventually(t, patience, "the shell", func() bool { return s.exists("ready") })
	return s
}

func (s *loggedShell) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

// ran are the commands that ran.
func (s *loggedShell) ran() (out []string) {
	for line := range strings.Lines(read(filepath.Join(s.dir, "log"))) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "touch "+s.dir) {
			out = append(out, line)
		}
	}
	return out
}

// answers are the justifications in a session's recording.
func (s *loggedShell) answers(id string) (out []string) {
	for _, e := range s.g.events(id) {
		if e["kind"] == "justification" {
			out = append(out, fmt.Sprint(e["actor"], " ", e["rule"], " ", e["answer"], " ", e["text"], " ", e["releases"]))
		}
	}
	return out
}

// TestJustification types into a real shell in a real xterm what a rule asks about. What the person says in the console's prompt decides
// whether the shell gets the Enter: its own log tells that the command ran once, or never.
func TestJustification(t *testing.T) {
	t.Parallel()
	requireConsole(t)
	shell := startLoggedShell(t, "")
	g, exists, ran := shell.g, shell.exists, shell.ran
	b := openBrowser(t, g)
	id := b.connect("Desk")
	b.mouse(60, 60, "left")
	// A reason, by keys alone: the prompt has the focus, Ctrl-Enter sends it.
	b.typeText("rm -rf ./on")
	b.typeText("e\n")
	b.says("Why do you do this?")
	p := b.says("Folders removed")
	require.Contains(t, p.Text, "Whole folders are removed at once.")
	require.Contains(t, p.Text, "rm -rf ./one")
	require.Contains(t, p.Text, "left to answer")
	require.True(t, exists("one"))
	var s struct {
		State    string
		Frozen   struct{ Code string }
		Question struct {
			Person struct{ Name string }
			Rules  []struct{ ID string }
			Held   bool
		}
	}
	g.call("GET", "/sessions/"+id, nil, 200, &s)
	require.Equal(t, "frozen", s.State)
	require.Equal(t, "justification", s.Frozen.Code)
	require.Equal(t, "admin", s.Question.Person.Name)
	require.Equal(t, "removal", s.Question.Rules[0].ID)
	b.screenshot("justification")
	b.until("the prompt has the keys", func(p page) bool { return p.Focus })
	b.typeText("Ticket 7\nsays so.") // Enter is a new line of it, and sends nothing
	b.says("Why do you do this?")
	b.press("Control+Enter")
	require.Eventually(t, func() bool { return !exists("one") }, patience, 20*time.Millisecond, "what was justified does not run")
	b.until("the prompt goes", func(p page) bool { return !strings.Contains(p.Text, "Why do you do this?") })
	b.typeText("touch ./after\n") // and the keys go to the desktop again
	require.Eventually(t, func() bool { return exists("after") }, patience, 20*time.Millisecond, "the session does not go on")
	require.Equal(t, []string{"rm -rf ./one", "touch ./after"}, ran())

	// No: by the keys again, Tab from the field to the button.
	b.typeText("rm -rf ./two\n")
	b.until("the prompt has the keys", func(p page) bool { return p.Focus })
	b.press("Tab")
	b.press("Enter")
	b.says("It was not done.")
	b.until("the prompt goes", func(p page) bool { return !strings.Contains(p.Text, "Why do you do this?") })
	for range len("rm -rf ./two") {
		b.press("Backspace")
	}
	b.typeText("touch ./second\n")
	require.Eventually(t, func() bool { return exists("second") }, patience, 20*time.Millisecond, "the session does not go on")

	// A page that was loaded anew is asked again; a supervisor lets the session go on without.
	b.typeText("rm -rf ./three\n")
	b.says("Why do you do this?")
	b.do("goto", nil, "path", "/sessions")
	b.click("button", "Give a reason") // nobody holds control: it can be looked at from here
	b.says("Why do you do this?")
	b.screenshot("justification-sessions")
	b.do("goto", nil, "path", "/sessions/"+id)
	b.says("Why do you do this?")
	g.call("POST", "/sessions/"+id+"/resume", nil, 204, nil)
	b.until("the prompt goes", func(p page) bool { return !strings.Contains(p.Text, "Why do you do this?") && p.W > 0 })
	g.call("POST", "/sessions/"+id+"/terminate", nil, 204, nil)
	g.ended(id, 15*time.Second)
	g.sealed(id, 20*time.Second)
	require.True(t, exists("two/inner"), "what was refused ran")
	require.True(t, exists("three/inner"), "what was not answered ran")
	require.Equal(t, []string{"rm -rf ./one", "touch ./after", "touch ./second"}, ran())

	require.Equal(t, []string{"admin removal given Ticket 7\nsays so. true", "admin removal refused <nil> <nil>", "admin removal withdrawn <nil> <nil>"}, shell.answers(id))
	var entries struct {
		Entries []struct {
			Action  string
			Details map[string]string
		}
	}
	g.call("GET", "/audit/entries?limit=100", nil, 200, &entries)
	said := map[string]string{}
	for _, e := range entries.Entries {
		if e.Action == "session_justification" {
			said[e.Details["answer"]] = e.Details["reason"]
		}
	}
	require.Equal(t, map[string]string{"given": "Ticket 7\nsays so.", "refused": "", "withdrawn": ""}, said)
	b.do("goto", nil, "path", "/recordings/"+id)
	b.says("Reason given")
	b.screenshot("justification-player")
	b.silent()
}

// prompted tells whether a picture of a native client's window has a line to answer on, by the colour of its edge.
func prompted(img *image.RGBA) bool {
	edge := 0
	for i := 0; i < len(img.Pix); i += 4 {
		if [3]byte(img.Pix[i:]) == [3]byte{0x5b, 0x8d, 0xef} {
			edge++
		}
	}
	return edge > 1500
}

// TestNativeJustification: who works in a real xfreerdp is asked in its window, and answers by keys.
func TestNativeJustification(t *testing.T) {
	t.Parallel()
	_, settings := nativeDoor(t)
	shell := startLoggedShell(t, settings)
	size := image.Pt(1024, 768)
	w := shell.g.openNative(t, "desk", size)
	w.shows(shell.x, size.Div(2), "the terminal")
	w.do("mousemove", "100", "100")
	id := shell.g.onlySession()
	// asked waits until the window shows the line to answer on, and keeps what it looks like.
	asked := func(name string) {
		testbed.Eventually(t, patience, "the question", func() bool { return shell.g.session(id).State == "frozen" && prompted(w.x.Screenshot(t)) })
		w.keep(name, w.x.Screenshot(t))
	}
	w.enters("rm -rf ./one")
	asked("justification")
	w.do("key", "Return") // without a reason nothing is sent
	w.do("type", "--delay", "40", "Ticket 7 says soo")
	w.do("key", "BackSpace")
	asked("justification-written")
	require.True(t, shell.exists("one"))
	w.do("key", "Return")
	testbed.Eventually(t, patience, "what was justified", func() bool { return !shell.exists("one") })
	w.shows(shell.x, image.Pt(100, 100), "the desktop again")
	w.enters("touch ./after")
	testbed.Eventually(t, patience, "the session to go on", func() bool { return shell.exists("after") })

	w.enters("rm -rf ./two")
	asked("justification-again")
	w.do("key", "Escape")
	w.shows(shell.x, image.Pt(100, 100), "the desktop after a refusal")
	w.do("key", "--repeat", strconv.Itoa(len("rm -rf ./two")), "BackSpace")
	w.enters("touch ./second")
	testbed.Eventually(t, patience, "the session to go on", func() bool { return shell.exists("second") })
	require.True(t, shell.exists("two/inner"), "what was refused ran")
	require.Equal(t, []string{"rm -rf ./one", "touch ./after", "touch ./second"}, shell.ran())
	shell.g.terminate(id)
	shell.g.sealed(id, patience)
	require.Equal(t, []string{"admin removal given Ticket 7 says so true", "admin removal refused <nil> <nil>"}, shell.answers(id))
}
