package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEvidence(t *testing.T) {
	c, err := Parse([]byte("data_dir: /d"), "", nil)
	require.NoError(t, err)
	require.Equal(t, Evidence{KeyFile: "/d/evidence.key", KeyName: "vitrine"}, c.Evidence)
	c, err = Parse([]byte("evidence: {key_file: keys/e, key_name: gw1.example.org}"), "/etc/v", nil)
	require.NoError(t, err)
	require.Equal(t, Evidence{KeyFile: "/etc/v/keys/e", KeyName: "gw1.example.org"}, c.Evidence)
	for _, name := range []string{`""`, `"a b"`, "a+b", "é", strings.Repeat("x", 65)} {
		_, err := Parse([]byte("evidence: {key_name: "+name+"}"), "", nil)
		require.ErrorContains(t, err, "evidence.key_name", name)
	}
}
