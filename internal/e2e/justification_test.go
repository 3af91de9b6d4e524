package e2e

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestJustification types into a real shell in a real xterm what a rule asks about. What the person says in the console's prompt decides
// whether the shell gets the Enter: its own log tells that the command ran once, or never.
func TestJustification(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "Xvnc", "xterm")
	requireConsole(t)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(`
rules:
  - {id: removal, name: Folders removed, about: Whole folders are removed at once., severity: high, action: require_justification, sources: [typed], any: ['^rm\s+-rf\b']}
`), 0o600))
	log := filepath.Join(dir, "log")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rc"), []byte("trap 'echo \"$BASH_COMMAND\" >> "+log+"' DEBUG\ntouch "+dir+"/ready\n"), 0o600))
	for _, name := range []string{"one", "two", "three"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "inner"), 0o700))
	}
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768)})
	testbed.XTerm(t, x.Display, "cd "+dir+" && HISTFILE= exec bash --noprofile --rcfile rc -i")
	g := startGateway(t, fmt.Sprintf("detection: {rules_file: '%s', justification: {timeout: 10m}}\ntargets:\n  - {id: desk, name: Desk, protocol: vnc, address: '%s', tls: {mode: 'off'}}\n", rules, x.Addr))
	b := openBrowser(t, g)
	id := b.connect("Desk")
	b.mouse(60, 60, "left")
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	ran := func() []string {
		b, _ := os.ReadFile(log)
		var out []string
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "touch "+dir) {
				out = append(out, line)
			}
		}
		return out
	}
	require.Eventually(t, func() bool { return exists("ready") }, patience, 20*time.Millisecond, "no shell")

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

	var answers []string
	for _, e := range g.events(id) {
		if e["kind"] == "justification" {
			answers = append(answers, fmt.Sprint(e["actor"], " ", e["rule"], " ", e["answer"], " ", e["text"], " ", e["releases"]))
		}
	}
	require.Equal(t, []string{"admin removal given Ticket 7\nsays so. true", "admin removal refused <nil> <nil>", "admin removal withdrawn <nil> <nil>"}, answers)
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
