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

// TestScreenText shows text in a real xterm that nobody has typed. Where a policy wants it, it is read off the picture: it is in the recording at
// the moment it was seen, found by the search over all recordings, and a rule tells of it. Without the policy nothing is read.
func TestScreenText(t *testing.T) {
	t.Parallel()
	testbed.Require(t, "Xvnc", "xterm", "tesseract")
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	x := testbed.StartXvnc(t, testbed.XvncOptions{Size: image.Pt(1024, 768)})
	// What comes into the file is shown. It is printed, not typed: no key says it.
	testbed.XTerm(t, x.Display, "touch "+text+"; tail -f "+text)
	show := func(lines string) {
		f, err := os.OpenFile(text, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(lines)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(`
rules:
  - {id: ledger, name: Ledger shown, severity: medium, action: alert, sources: [screen], any: ['(?i)secret ledger']}
`), 0o600))
	g := startGateway(t, fmt.Sprintf(`
detection: {rules_file: '%s'}
ocr: {interval: 200ms, timeout: 2m, nice: 0}
targets:
  - {id: desk, protocol: vnc, address: '%s', tls: {mode: 'off'}}
  - {id: plain, protocol: vnc, address: '%s', tls: {mode: 'off'}}
`, rules, x.Addr, x.Addr))
	g.call("POST", "/policies", map[string]any{
		"id": "read", "name": "Screens are read", "text": `@ocr("on") permit (principal, action == Action::"connect", resource in Target::"desk");`,
	}, 201, nil)

	plain, read := g.connect("plain"), g.connect("desk")
	screens := func(id string) (out []map[string]any) {
		for _, e := range g.events(id) {
			if strings.HasPrefix(fmt.Sprint(e["kind"]), "screen") {
				out = append(out, e)
			}
		}
		return out
	}
	began := time.Now()
	show("The harbour master keeps secret ledger\n")
	var seen map[string]any
	require.Eventually(t, func() bool {
		for _, e := range screens(read.ID) {
			if strings.Contains(fmt.Sprint(e["text"]), "secret ledger") {
				seen = e
			}
		}
		return seen != nil
	}, 2*time.Minute, 200*time.Millisecond, "nothing was read: %v", screens(read.ID))
	at := func(field string) time.Time {
		return read.StartedAt.Add(time.Duration(seen[field].(float64)) * time.Microsecond)
	}
	require.False(t, at("shown_us").Before(began.Add(-time.Second)), "it was seen before it was there")
	require.True(t, at("shown_us").Before(at("t_us")))
	require.Less(t, seen["y"].(float64), 60.0)

	show("A purple tractor came later\n")
	require.Eventually(t, func() bool { return strings.Contains(fmt.Sprint(screens(read.ID)), "purple tractor") }, 2*time.Minute, 200*time.Millisecond, "%v", screens(read.ID))
	require.Equal(t, 1, strings.Count(fmt.Sprint(screens(read.ID)), "secret ledger"), "what stayed on the screen was read again")
	for _, s := range []session{plain, read} {
		g.terminate(s.ID)
		g.ended(s.ID, 20*time.Second)
		g.sealed(s.ID, 20*time.Second)
	}
	require.Empty(t, screens(plain.ID), "read without a policy")

	var found struct {
		Found []struct {
			Recording struct{ Session struct{ ID string } }
			Hits      []struct {
				TMS  int64 `json:"t_ms"`
				Kind string
			}
		}
	}
	require.Eventually(t, func() bool {
		g.call("GET", "/recordings/search?q=%22purple+tractor%22&kind=screen", nil, 200, &found)
		return len(found.Found) > 0
	}, time.Minute, 100*time.Millisecond, "not in the index")
	require.Len(t, found.Found, 1)
	require.Len(t, found.Found[0].Hits, 1)
	require.Equal(t, "screen", found.Found[0].Hits[0].Kind)
	for _, e := range screens(read.ID) {
		if strings.Contains(fmt.Sprint(e["text"]), "purple tractor") {
			require.InDelta(t, e["shown_us"].(float64)/1000, float64(found.Found[0].Hits[0].TMS), 1, "a hit leads to the moment the text was seen")
		}
	}
	alerts := 0
	for _, e := range g.events(read.ID) {
		if e["kind"] == "alert" && e["rule"] == "ledger" {
			require.Equal(t, "screen", e["source"])
			alerts++
		}
	}
	require.Equal(t, 1, alerts)
}
