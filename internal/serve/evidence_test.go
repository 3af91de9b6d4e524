package serve

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/signkey"
)

// TestEvidenceKeyLost: without the key nothing begins, and what runs is kept until it is back. A key that is rotated while
// the gateway runs is used at once.
func TestEvidenceKeyLost(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir, targetsYAML)
	g.signIn(g.password)
	s := g.create()
	key := filepath.Join(dir, "data", "evidence.key")
	require.NoError(t, os.Rename(key, key+".gone"))

	var p struct{ Code string }
	require.Equal(t, 503, g.call("POST", "/sessions", `{"target_id":"desk"}`, &p))
	require.Equal(t, "evidence_key_unavailable", p.Code)
	require.Equal(t, 204, g.call("POST", "/sessions/"+s.ID+"/terminate", "", nil))
	var r recordingOut
	require.Eventually(t, func() bool {
		return g.call("GET", "/recordings/"+s.ID, "", &r) == 200 && r.Error != ""
	}, waitLong, tick)
	require.NotEqual(t, "sealed", r.State)

	require.NoError(t, os.Rename(key+".gone", key))
	require.NoError(t, signkey.Rotate(key, "second"))
	g.sealed(s.ID)
	var v struct {
		OK       bool
		SignedBy string `json:"signed_by"`
	}
	require.Equal(t, 200, g.call("POST", "/recordings/"+s.ID+"/verify", "", &v))
	require.True(t, v.OK)
	require.Contains(t, v.SignedBy, "second+")
	g.end()

	// A gateway whose private key is lost does not start with another one.
	require.NoError(t, os.Remove(key))
	_, err := openEvidence(config.Evidence{KeyFile: key, KeyName: "vitrine"})
	require.ErrorIs(t, err, signkey.ErrMissing)
}
