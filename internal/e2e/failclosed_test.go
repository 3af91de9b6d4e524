package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/internal/vaultapi/vaultapitest"
)

// refuses wants a session not to begin, for that reason, at every place where that is told: to the person, to who manages the
// gateway, in metrics and in the audit log. Nothing of it is left.
func (g *gateway) refuses(status int, code, need, metrics string) {
	g.t.Helper()
	var before, after struct{ Sessions []session }
	g.call("GET", "/sessions?state=running", nil, http.StatusOK, &before)
	refused := metric(g.t, metrics, `vitrine_sessions_refused_total{reason="`+code+`"}`)
	var p problem
	g.call("POST", "/sessions", map[string]any{"target_id": "one"}, status, &p)
	require.Equal(g.t, code, p.Code)
	require.Contains(g.t, p.Detail, "no session may begin")
	g.call("GET", "/sessions?state=running", nil, http.StatusOK, &after)
	require.Len(g.t, after.Sessions, len(before.Sessions), "a session runs that is not recorded")
	require.InDelta(g.t, refused+1, metric(g.t, metrics, `vitrine_sessions_refused_total{reason="`+code+`"}`), 0)
	h := g.healthUntil(need, "failing")
	require.Equal(g.t, "refused", h.Sessions)
	require.InDelta(g.t, 0, metric(g.t, metrics, `vitrine_ready{need="`+need+`"}`), 0)
	require.Contains(g.t, g.logs(), `msg="no session can begin" component=health need=`+need)
	var audit struct {
		Entries []struct {
			Action, Outcome string
			Details         map[string]string
		}
	}
	g.call("GET", "/audit/entries?action=create_session&limit=1", nil, http.StatusOK, &audit)
	require.Equal(g.t, []string{"failed", code}, []string{audit.Entries[0].Outcome, audit.Entries[0].Details["problem"]})
}

type health struct {
	Sessions string
	Checks   []struct{ Name, State, Detail string }
}

// healthUntil asks until a need is in a state.
func (g *gateway) healthUntil(need, state string) (h health) {
	g.t.Helper()
	require.Eventually(g.t, func() bool {
		h = health{}
		g.call("GET", "/system/health", nil, http.StatusOK, &h)
		for _, c := range h.Checks {
			if c.Name == need {
				return c.State == state && (state == "ok") == (c.Detail == "")
			}
		}
		return false
	}, time.Minute, 500*time.Millisecond, "%s is not %s", need, state)
	return h
}

// metric returns the value of a metric, 0 when it is not there.
func metric(t testing.TB, addr, name string) float64 {
	t.Helper()
	res, err := http.Get("http://" + addr + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(b)
	if m == nil {
		return 0
	}
	value, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(t, err)
	return value
}

// goesOn wants a running session to take what is typed, and to have it in its recording in the end.
func goesOn(t *testing.T, v *viewer, typed, file, before string) {
	t.Helper()
	v.typeText(typed)
	waitFile(t, file, before+typed)
}

// TestFailClosed takes away, one after the other, what the recording of a session needs, while one runs: no other begins, and
// everybody is told; the one that runs goes on as far as it can be recorded, and its recording is whole when the need is back.
func TestFailClosed(t *testing.T) {
	t.Parallel()
	_, file, target := desktop(t, "one")
	vault := vaultapitest.Start(t)
	vault.Post("transit/keys/vitrine", nil)
	metrics := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte(vaultapitest.RootToken), 0o600))
	g := startGateway(t, fmt.Sprintf(`
metrics: {listen: %q}
credentials: {vaults: [{name: corp, address: %q, ca_file: %s, token_file: %s}]}
secrets: {transit: {vault: corp, key: vitrine, timeout: 2s, cache: 0s}}
targets:%s`, metrics, vault.URL, vault.CAFile, token, target))
	h := g.healthUntil("recording_keys", "ok")
	require.Equal(t, "accepted", h.Sessions)
	s := g.connect("one")
	v := g.watch(s.ID, "control")
	focus(v)
	goesOn(t, v, "begins\n", file, "")

	vault.Stop()
	g.refuses(http.StatusServiceUnavailable, "recording_key_unavailable", "recording_keys", metrics)
	goesOn(t, v, "without vault\n", file, "begins\n")
	vault.Start()
	g.healthUntil("recording_keys", "ok")

	signing := filepath.Join(g.dir, "data", "evidence.key")
	require.NoError(t, os.Rename(signing, signing+".gone"))
	g.refuses(http.StatusServiceUnavailable, "evidence_key_unavailable", "evidence_key", metrics)
	goesOn(t, v, "without signing key\n", file, "begins\nwithout vault\n")
	vault.Stop()
	g.terminate(s.ID)
	g.ended(s.ID, 15*time.Second)
	testbed.Eventually(t, time.Minute, "its recording waits and says why", func() bool {
		r := g.recording(s.ID)
		require.NotEqual(t, "sealed", r.State, "sealed without a signature")
		return r.Error != ""
	})
	vault.Start()
	require.NoError(t, os.Rename(signing+".gone", signing))
	g.sealed(s.ID, 90*time.Second)
	require.Equal(t, "begins\nwithout vault\nwithout signing key\n", typedText(g.events(s.ID)), "nothing of it is missing")
	g.healthUntil("evidence_key", "ok")
	g.terminate(g.connect("one").ID) // and others begin again
}

// TestMasterKeyMissing: without a Vault it is the master key that has to be there.
func TestMasterKeyMissing(t *testing.T) {
	t.Parallel()
	metrics := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	g := startGateway(t, fmt.Sprintf("metrics: {listen: %q}\ntargets:\n"+
		"  - {id: one, name: One, protocol: vnc, address: \"127.0.0.1:%d\", tls: {mode: \"off\"}}\n", metrics, testbed.FreePort(t)))
	master := filepath.Join(g.dir, "data", "master.key")
	require.NoError(t, os.Rename(master, master+".gone"))
	g.refuses(http.StatusServiceUnavailable, "recording_key_unavailable", "recording_keys", metrics)
	require.NoError(t, os.Rename(master+".gone", master))
	require.Equal(t, "accepted", g.healthUntil("recording_keys", "ok").Sessions)
	var p problem
	g.call("POST", "/sessions", map[string]any{"target_id": "one"}, http.StatusBadGateway, &p)
	require.Equal(t, "target_unreachable", p.Code, "it is the target's turn again")
}

// TestNoRoomToRecord: where the spool is full from the beginning, no session begins, and its target is not even connected to.
func TestNoRoomToRecord(t *testing.T) {
	t.Parallel()
	metrics := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	g := startGateway(t, fmt.Sprintf("metrics: {listen: %q}\nrecording: {min_free: 1000000TiB}\ntargets:\n"+
		"  - {id: one, name: One, protocol: vnc, address: \"127.0.0.1:%d\", tls: {mode: \"off\"}}\n", metrics, testbed.FreePort(t)))
	g.refuses(http.StatusInsufficientStorage, "spool_full", "spool", metrics)
	left, err := os.ReadDir(filepath.Join(g.dir, "data", "spool"))
	require.NoError(t, err)
	require.Empty(t, left)
}
