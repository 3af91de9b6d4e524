package target

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a Repository and the vault beside it.
type fixture struct {
	*Repository
	db    *store.Store
	vault *vault.Vault
}

func newFixture(t *testing.T, db *store.Store) *fixture {
	t.Helper()
	keys := config.Secrets{MasterKey: config.NewSecret(vault.NewKey())}
	v, err := vault.Open(t.Context(), db, keys, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return &fixture{NewRepository(db, v), db, v}
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, newFixture(t, s)) })
}

func configured(t *testing.T, yaml string) []config.Target {
	t.Helper()
	c, err := config.Parse([]byte(yaml), t.TempDir(), nil)
	require.NoError(t, err)
	return c.Targets
}

// change runs one change and returns its error.
func (f *fixture) change(t *testing.T, do func(tx *Tx) error) error {
	t.Helper()
	return f.Change(t.Context(), do)
}

func (f *fixture) get(t *testing.T, id string) Target {
	t.Helper()
	got, err := f.Get(t.Context(), id)
	require.NoError(t, err)
	return got
}

// create makes a VNC target of that id.
func (f *fixture) create(t *testing.T, id string, change ...func(*Target)) Target {
	t.Helper()
	x := vnc(id)
	for _, c := range change {
		c(&x)
	}
	require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Create(t.Context(), x) }))
	return f.get(t, id)
}

func vnc(id string) Target {
	return Target{
		ID: id, Name: "The " + id, Protocol: "vnc", Address: id + ".test:5900", ClipboardToTarget: true, ClipboardFromTarget: true,
		TLS: TLS{FirstUse: true}, Origin: store.OriginConsole,
	}
}

func TestConfigure(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ca := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(ca, []byte("PEM"), 0o600))
		first := configured(t, `targets:
  - {id: z, name: Alpha, protocol: vnc, address: "alpha.test:5900", password: hunter2, tls: {ca_file: `+ca+`}}
  - {id: b, name: Zulu, protocol: vnc, address: "zulu.test:5900", tls: {mode: off}, view_only: true, clipboard: {from_target: false}, tags: [y, x, y]}
  - {id: a, name: Alpha, protocol: vnc, address: "alpha2.test:5900", tls: {mode: pin, fingerprint: "`+strings.Repeat("AB:", 31)+`AB"}}
  - {id: n, name: Named, protocol: vnc, address: "10.0.0.1:5900", tls: {server_name: desk.test}}
  - {id: w, name: windows, protocol: rdp, address: "10.0.0.2:3389", username: 'CORP\ann', password: x, tls: {mode: first_use}, rdp: {security: nla, keyboard_layout: de-CH}}
`)
		require.NoError(t, f.Configure(t.Context(), first))
		list, err := f.List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Equal(t, []string{"a", "z", "n", "w", "b"}, ids(list), "by name without case, then id")

		z := f.get(t, "z")
		require.Equal(t, TLS{CAPEM: []byte("PEM")}, z.TLS)
		require.Equal(t, "alpha.test", z.ServerName())
		require.True(t, z.ClipboardToTarget && z.ClipboardFromTarget)
		require.Equal(t, store.OriginConfig, z.Origin)
		require.Len(t, z.Accounts, 1)
		require.Equal(t, DefaultAccount, z.Accounts[0].Name)
		require.Equal(t, KindConfig, z.Accounts[0].Source.Kind)
		c, ok := f.Configured("z")
		require.True(t, ok)
		require.Equal(t, "hunter2", string(c.Password.Reveal()))
		require.NotContains(t, fmt.Sprintf("%+v %#v %s %v", c, c, c, z), "hunter2")

		b := f.get(t, "b")
		require.Equal(t, TLS{AllowPlaintext: true}, b.TLS)
		require.Empty(t, b.ServerName())
		require.True(t, b.ViewOnly && b.ClipboardToTarget && !b.ClipboardFromTarget)
		require.Equal(t, []string{"x", "y"}, b.Tags)
		require.Equal(t, KindNone, b.Accounts[0].Source.Kind)
		require.Equal(t, TLS{Fingerprint: strings.Repeat("ab", 32)}, f.get(t, "a").TLS)
		n := f.get(t, "n")
		require.Equal(t, "desk.test", n.ServerName())

		w := f.get(t, "w")
		require.Equal(t, TLS{FirstUse: true}, w.TLS)
		require.Equal(t, "CORP", w.Accounts[0].Domain)
		require.Equal(t, "ann", w.Accounts[0].Username)
		require.Equal(t, config.RDPSecurityNLA, w.RDP.Security)
		require.Equal(t, config.KeyboardLayout(0x0807), w.RDP.KeyboardLayout)
		require.Equal(t, first[4].RDP, w.RDP, "JSON keeps all of it")

		// Nothing changes when nothing has changed.
		require.NoError(t, f.Configure(t.Context(), first))
		for _, was := range []Target{z, b, w} {
			require.Equal(t, was, f.get(t, was.ID))
		}

		// What the file does not hold any more goes; what it changes changes; ids of accounts stay.
		require.NoError(t, f.Configure(t.Context(), configured(t, `targets:
  - {id: z, name: Omega, protocol: vnc, address: "alpha.test:5900", username: bob, password: other}
`)))
		list, err = f.List(t.Context(), Filter{})
		require.NoError(t, err)
		require.Equal(t, []string{"z"}, ids(list))
		require.Equal(t, int64(2), list[0].Revision)
		require.Equal(t, z.Accounts[0].ID, list[0].Accounts[0].ID)
		require.Equal(t, "bob", list[0].Accounts[0].Username)

		// Only the file changes it.
		x := list[0]
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Update(t.Context(), x) }), ErrConfigured)
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Delete(t.Context(), "z", x.Revision) }), ErrConfigured)
		require.ErrorIs(t, f.change(t, func(tx *Tx) error {
			return tx.SetCredential(t.Context(), "z", x.Accounts[0].ID, 1, Source{Kind: KindNone}, Password{})
		}), ErrConfigured)

		// What both make is an error, and nothing of the file is taken.
		f.create(t, "q")
		err = f.Configure(t.Context(), configured(t, `targets:
  - {id: new, protocol: vnc, address: "h:1"}
  - {id: q, protocol: vnc, address: "h:1"}
`))
		require.ErrorContains(t, err, "q is in the configuration file and was also made by console")
		_, err = f.Get(t.Context(), "new")
		require.ErrorIs(t, err, ErrNotFound)
		require.NotEmpty(t, f.get(t, "z"))
	})
}

func ids(list []Target) []string {
	var out []string
	for _, x := range list {
		out = append(out, x.ID)
	}
	return out
}

func TestConfigureErrors(t *testing.T) {
	targets := configured(t, `targets: [{id: a, protocol: vnc, address: "h:1"}]`)
	targets[0].TLS.CAFile = filepath.Join(t.TempDir(), "gone.pem")
	require.ErrorContains(t, CheckConfigured(targets), "target: a: ")
	big := filepath.Join(t.TempDir(), "big.pem")
	require.NoError(t, os.WriteFile(big, make([]byte, maxCABytes+1), 0o600))
	targets[0].TLS.CAFile = big
	require.ErrorContains(t, CheckConfigured(targets), "more than 1048576")
	require.ErrorContains(t, newFixture(t, storetest.Open(t, storetest.SQLite(t))).Configure(t.Context(), targets), "more than 1048576")
}

func TestAccountOf(t *testing.T) {
	x := Target{}
	_, err := x.Account("")
	require.ErrorIs(t, err, ErrNoAccount)
	x.Accounts = []Account{{ID: "1", Name: "ann"}}
	a, err := x.Account("")
	require.NoError(t, err)
	require.Equal(t, "ann", a.Name)
	x.Accounts = append(x.Accounts, Account{ID: "2", Name: "bob"})
	_, err = x.Account("")
	require.ErrorIs(t, err, ErrWhichAccount)
	for _, by := range []string{"2", "bob"} {
		a, err = x.Account(by)
		require.NoError(t, err)
		require.Equal(t, "2", a.ID)
	}
	_, err = x.Account("carol")
	require.ErrorIs(t, err, ErrUnknownAccount)
}
