package e2e

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestDetection types into a real shell in a real xterm. A shipped rule tells of a command that was typed with mistakes, others keep
// theirs from the shell: nothing of them is run, also not once the session is resumed.
func TestDetection(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "Xvnc", "xterm")
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(`
rules:
  - {id: frozen, name: Frozen, severity: high, action: freeze, sources: [typed], any: ['^touch\s\S*/frozen$']}
  - {id: over, name: Over, severity: critical, action: terminate, sources: [typed], any: ['^touch\s\S*/over$']}
`), 0o600))
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768)})
	testbed.XTerm(t, x.Display, "cd "+dir+" && touch ready && HISTFILE= exec bash --norc --noprofile -i")
	g := startGateway(t, fmt.Sprintf("detection: {rules_file: '%s'}\ntargets:\n  - {id: desk, protocol: vnc, address: '%s', tls: {mode: 'off'}}\n", rules, x.Addr))
	s := g.connect("desk")
	v := g.watch(s.ID, "control")
	focus(v)
	press := func(key string) {
		for _, down := range []bool{true, false} {
			v.send("input", map[string]any{"t": "key", "key": key, "code": "", "down": down})
		}
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	require.Eventually(t, func() bool { return exists("ready") }, patience, 20*time.Millisecond, "no shell")

	v.typeText("histoyr")
	press("Backspace")
	press("Backspace")
	v.typeText("ry -c; touch ./loud\n")
	v.typeText("touch ./quiet\n")
	require.Eventually(t, func() bool { return exists("loud") && exists("quiet") }, patience, 20*time.Millisecond, "the shell runs nothing")

	state := func() string { return g.session(s.ID).State }
	v.typeText("touch ./frozem")
	press("Backspace")
	v.typeText("n\n")
	require.Eventually(t, func() bool { return state() == "frozen" }, patience, 20*time.Millisecond)
	g.call("POST", "/sessions/"+s.ID+"/resume", nil, 204, nil)
	press("Enter") // still the same line
	require.Eventually(t, func() bool { return state() == "frozen" }, patience, 20*time.Millisecond)
	g.call("POST", "/sessions/"+s.ID+"/resume", nil, 204, nil)
	for range len("frozen") {
		press("Backspace")
	}
	v.typeText("changed\n")
	require.Eventually(t, func() bool { return exists("changed") }, patience, 20*time.Millisecond, "a line that was changed does not run")
	v.typeText("touch ./over\n")
	end := g.ended(s.ID, 15*time.Second)
	require.Equal(t, "rule", end.End.Code)
	require.Contains(t, end.End.Message, "Over")
	g.sealed(s.ID, 20*time.Second)
	require.False(t, exists("frozen"), "a line that was held back ran")
	require.False(t, exists("over"), "a line that was held back ran")

	var lines, alerts []string
	held := 0
	for _, e := range g.events(s.ID) {
		switch {
		case e["kind"] == "line":
			lines = append(lines, fmt.Sprint(e["text"]))
		case e["kind"] == "alert":
			alerts = append(alerts, fmt.Sprint(e["rule"]))
		case e["held"] == true:
			held++
		}
	}
	require.Equal(t, []string{"history -c; touch ./loud", "touch ./quiet", "touch ./changed"}, slices.DeleteFunc(lines, func(l string) bool { return l == "touch ./over" }))
	require.Equal(t, 3, held)
	for _, rule := range []string{"linux-logs", "frozen", "over"} {
		require.Contains(t, alerts, rule)
	}

	var log struct {
		Entries []struct {
			Action  string
			Details map[string]string
		}
	}
	g.call("GET", "/audit/entries?limit=100", nil, 200, &log)
	told := map[string]string{}
	for _, e := range log.Entries {
		if e.Action == "session_alert" {
			told[e.Details["rule"]] = e.Details["excerpt"]
		}
	}
	require.Equal(t, map[string]string{"linux-logs": "history -c; touch ./loud", "frozen": "touch ./frozen", "over": "touch ./over"}, told)
}
