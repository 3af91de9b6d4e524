package serve

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/vault"
)

// TestRecordingsAreEncrypted: what lies in the store is read through the gateway and by nobody else, by the gateway neither
// once the key is shredded, and without the master key no session begins.
func TestRecordingsAreEncrypted(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	g.signIn(g.password)
	s := g.create()
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	g.sealed(s.ID)
	stored := filepath.Join(dir, "data", "recordings", "recordings", s.ID)
	session, err := os.ReadFile(filepath.Join(stored, "session.json"))
	require.NoError(t, err)
	require.Equal(t, "vitrine\x01", string(session[:8]))
	require.FileExists(t, filepath.Join(stored, "stored.json"))
	require.Equal(t, 200, g.call("GET", "/recordings/"+s.ID+"/index", "", nil))
	var v struct{ OK bool }
	require.Equal(t, 200, g.call("POST", "/recordings/"+s.ID+"/verify", "", &v))
	require.True(t, v.OK)

	require.NoError(t, g.opened.vault.Forget(t.Context(), vault.RecordingKey, s.ID))
	var p struct{ Code string }
	require.Equal(t, 410, g.call("GET", "/recordings/"+s.ID+"/index", "", &p))
	require.Equal(t, "recording_shredded", p.Code)
	require.Equal(t, 200, g.call("POST", "/recordings/"+s.ID+"/verify", "", &v))
	require.True(t, v.OK, "what there is is still what was sealed")

	master := filepath.Join(dir, "data", "master.key")
	require.NoError(t, os.Rename(master, master+".gone"))
	require.Equal(t, 503, g.call("POST", "/sessions", `{"target_id":"desk"}`, &p))
	require.Equal(t, "recording_key_unavailable", p.Code)
	require.NoError(t, os.Rename(master+".gone", master))
	g.create()
	g.end()
}

func TestRecordingsInClear(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, "recording: {encrypt: false}\n"+targetsYAML)
	g.signIn(g.password)
	s := g.create()
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	g.sealed(s.ID)
	session, err := os.ReadFile(filepath.Join(dir, "data", "recordings", "recordings", s.ID, "session.json"))
	require.NoError(t, err)
	require.Equal(t, "{", string(session[:1]))
	g.end()
}
