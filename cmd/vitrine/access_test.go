package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAccessEnds gives access and ends it, by the id that was printed.
func TestAccessEnds(t *testing.T) {
	config := filepath.Join(t.TempDir(), "vitrine.yaml")
	require.NoError(t, os.WriteFile(config, []byte("data_dir: data\ntargets: [{id: desk, protocol: vnc, address: \"desk.test:5900\"}]\n"), 0o600))
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := newRootCommand()
		cmd.SetArgs(append(args, "--config", config))
		cmd.SetIn(strings.NewReader("correct horse battery staple\n"))
		cmd.SetOut(&out)
		require.NoError(t, cmd.ExecuteContext(t.Context()))
		return out.String()
	}
	run("user", "passwd", "admin")
	var g grantJSON
	require.NoError(t, json.Unmarshal([]byte(run("access", "grant", "--user", "admin", "--target", "desk", "--for", "1h", "--json")), &g))
	require.Equal(t, "active", g.State)
	require.Contains(t, run("access", "list"), g.ID)
	require.Contains(t, run("access", "end", g.ID, "--note", "enough"), "admin may be on desk no more")
	require.NotContains(t, run("access", "list"), g.ID)
	var list []grantJSON
	require.NoError(t, json.Unmarshal([]byte(run("access", "list", "--state", "closed", "--json")), &list))
	require.Len(t, list, 1)
	require.Equal(t, "ended", list[0].State)
	require.Equal(t, "enough", list[0].Note)
	require.NotNil(t, list[0].ClosedAt)

	cmd := newRootCommand()
	cmd.SetArgs([]string{"access", "end", g.ID, "--config", config})
	require.ErrorContains(t, cmd.ExecuteContext(t.Context()), "over already")
}
