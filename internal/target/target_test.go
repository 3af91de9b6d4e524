package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
)

func repository(t *testing.T, yaml string) (*Repository, error) {
	t.Helper()
	c, err := config.Parse([]byte(yaml), t.TempDir(), nil)
	require.NoError(t, err)
	return NewRepository(c.Targets)
}

func TestRepository(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte("PEM"), 0o600))
	r, err := repository(t, `targets:
  - {id: z, name: Alpha, protocol: vnc, address: "alpha.test:5900", password: hunter2, tls: {ca_file: `+ca+`}}
  - {id: b, name: Zulu, protocol: vnc, address: "zulu.test:5900", tls: {mode: off}, view_only: true, clipboard: {from_target: false}}
  - {id: a, name: Alpha, protocol: vnc, address: "alpha2.test:5900", tls: {mode: pin, fingerprint: "`+strings.Repeat("AB:", 31)+`AB"}}
  - {id: n, name: Named, protocol: vnc, address: "10.0.0.1:5900", tls: {server_name: desk.test}}
  - {id: w, name: Windows, protocol: rdp, address: "10.0.0.2:3389", username: 'CORP\ann', password: x, tls: {mode: first_use}, rdp: {security: nla}}
`)
	require.NoError(t, err)
	list, err := r.List(t.Context())
	require.NoError(t, err)
	var ids []string
	for _, x := range list {
		ids = append(ids, x.ID)
	}
	require.Equal(t, []string{"a", "z", "n", "w", "b"}, ids, "by name, then id")

	z, err := r.Get(t.Context(), "z")
	require.NoError(t, err)
	require.Equal(t, "hunter2", z.Password.Reveal())
	require.NotContains(t, fmt.Sprintf("%+v %#v", z, z), "hunter2")
	require.Equal(t, TLS{ServerName: "alpha.test", CAPEM: []byte("PEM")}, z.TLS)
	require.True(t, z.ClipboardToTarget && z.ClipboardFromTarget)

	b, err := r.Get(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, TLS{AllowPlaintext: true}, b.TLS)
	require.True(t, b.ViewOnly && b.ClipboardToTarget && !b.ClipboardFromTarget)

	a, err := r.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, TLS{Fingerprint: strings.Repeat("ab", 32)}, a.TLS)

	n, err := r.Get(t.Context(), "n")
	require.NoError(t, err)
	require.Equal(t, "desk.test", n.TLS.ServerName)

	w, err := r.Get(t.Context(), "w")
	require.NoError(t, err)
	require.Equal(t, TLS{FirstUse: true}, w.TLS)
	require.Equal(t, "CORP", w.Domain)
	require.Equal(t, "ann", w.Username)
	require.Equal(t, config.RDPSecurityNLA, w.RDP.Security)

	_, err = r.Get(t.Context(), "nobody")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestRepositoryErrors(t *testing.T) {
	c, err := config.Parse([]byte(`targets: [{id: a, protocol: vnc, address: "h:1"}]`), "", nil)
	require.NoError(t, err)
	c.Targets[0].TLS.CAFile = filepath.Join(t.TempDir(), "gone.pem")
	_, err = NewRepository(c.Targets)
	require.ErrorContains(t, err, "target: a: ")

	big := filepath.Join(t.TempDir(), "big.pem")
	require.NoError(t, os.WriteFile(big, make([]byte, maxCABytes+1), 0o600))
	c.Targets[0].TLS.CAFile = big
	_, err = NewRepository(c.Targets)
	require.ErrorContains(t, err, "more than 1048576")
}
