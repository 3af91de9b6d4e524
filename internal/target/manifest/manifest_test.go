package manifest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

type fixture struct {
	t     *testing.T
	db    *store.Store
	vault *vault.Vault
	*target.Repository
}

func newFixture(t *testing.T, db *store.Store) *fixture {
	t.Helper()
	v, err := vault.Open(t.Context(), db, config.Secrets{MasterKey: config.NewSecret(vault.NewKey())}, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return &fixture{t, db, v, target.NewRepository(db, v)}
}

var local = Options{Local: true, Vaults: []string{"corp"}, Commands: []string{"pass"}}

func parse(t *testing.T, yaml string) []Document {
	t.Helper()
	documents, err := Parse([]File{{"targets.yaml", []byte(yaml)}}, local)
	require.NoError(t, err)
	return documents
}

// apply applies yaml and returns the plan in short: "update desk: name".
func (f *fixture) apply(yaml string, opts ApplyOptions) []string {
	f.t.Helper()
	plan, err := Apply(f.t.Context(), f, parse(f.t, yaml), opts)
	require.NoError(f.t, err)
	return short(plan)
}

func short(plan Plan) []string {
	out := []string{}
	for _, c := range plan.Changes {
		var paths []string
		for _, field := range c.Fields {
			paths = append(paths, field.Path)
		}
		if c.Op != Update {
			paths = nil
		}
		out = append(out, strings.TrimSpace(c.Op+" "+c.ID+" "+strings.Join(paths, " ")))
	}
	return out
}

const two = `
kind: Target
id: desk
protocol: vnc
address: desk.test:5900
tls: {mode: first_use}
accounts:
  - {name: op, username: op, credential: {password: hunter2}}
  - {name: guest}
---
kind: Target
id: win
name: Windows
protocol: rdp
address: win.test:3389
tags: [b, a]
rdp: {security: nla, keyboard_layout: de-CH}
accounts:
  - {name: root, credential: {vault: {name: corp, path: a/b}}}
`

func TestApply(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := newFixture(t, s)
		require.Equal(t, []string{"create desk", "create win"}, f.apply(two, ApplyOptions{DryRun: true}))
		n, err := f.Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "a dry run does nothing")
		require.Equal(t, []string{"create desk", "create win"}, f.apply(two, ApplyOptions{}))
		require.Empty(t, f.apply(two, ApplyOptions{}), "the second time nothing changes")
		require.Empty(t, f.apply(two, ApplyOptions{Prune: true}))

		desk, err := f.Get(t.Context(), "desk")
		require.NoError(t, err)
		require.Equal(t, store.OriginApply, desk.Origin)
		require.Equal(t, int64(1), desk.Revision)
		op, err := desk.Account("op")
		require.NoError(t, err)
		require.Equal(t, int64(1), op.Revision)
		password := func() string {
			b, err := f.vault.Open(t.Context(), vault.AccountPassword, op.ID)
			require.NoError(t, err)
			return string(b)
		}
		require.Equal(t, "hunter2", password())

		// Every kind of change, and nothing but it.
		step := two
		for _, tc := range []struct{ old, fresh, want string }{
			{"hunter2", "hunter3", "update desk accounts.op.password"},
			{"tls: {mode: first_use}", "tls: {mode: \"off\"}", "update desk tls.mode"},
			{"username: op,", "username: op2, tags: [x],", "update desk accounts.op.username accounts.op.tags"},
			{"path: a/b", "path: a/c", "update win accounts.root.credential"},
			{"vault: {name: corp, path: a/c}", "command: {name: pass, reference: x}", "update win accounts.root.credential"},
			{"command: {name: pass, reference: x}", "password: new", "update win accounts.root.credential accounts.root.password"},
			{", credential: {password: new}", "", ""},
			{"{name: root}", "{name: root, credential: {none: true}}", "update win accounts.root.credential"},
			{"keyboard_layout: de-CH", "keyboard_layout: fr-CH, performance: {wallpaper: false}", "update win rdp.keyboard_layout rdp.performance.wallpaper"},
			{"tags: [b, a]", "tags: [a, b]", ""},
			{"tags: [a, b]", "tags: [a]\nrecording: {keys: none}\nview_only: true", "update win tags view_only recording.keys"},
			{"  - {name: guest}\n", "  - {name: other}\n", "update desk accounts.other.credential accounts.guest.credential"},
			{"name: Windows\n", "description: no name\n", "update win name description"},
		} {
			require.Contains(t, step, tc.old)
			step = strings.Replace(step, tc.old, tc.fresh, 1)
			want := []string{}
			if tc.want != "" {
				want = append(want, tc.want)
			}
			require.Equal(t, want, f.apply(step, ApplyOptions{DryRun: true}), tc.fresh)
			require.Equal(t, want, f.apply(step, ApplyOptions{}), tc.fresh)
			require.Empty(t, f.apply(step, ApplyOptions{}), tc.fresh)
		}
		require.Equal(t, "hunter3", password())

		// What no document names stays, unless it came from one and pruning is asked for.
		require.NoError(t, f.Change(t.Context(), func(tx *target.Tx) error {
			return tx.Create(t.Context(), target.Target{
				ID: "mine", Protocol: "vnc", Address: "h:1", ClipboardToTarget: true, ClipboardFromTarget: true, Origin: store.OriginConsole,
			})
		}))
		first, _, _ := strings.Cut(step, "---")
		require.Empty(t, f.apply(first, ApplyOptions{}))
		require.Equal(t, []string{"delete win"}, f.apply(first, ApplyOptions{Prune: true}))
		_, err = f.Get(t.Context(), "win")
		require.ErrorIs(t, err, target.ErrNotFound)
		_, err = f.Get(t.Context(), "mine")
		require.NoError(t, err)

		// A document takes over what the console made, and says so.
		require.Equal(t, []string{"update mine origin"}, f.apply(`{kind: Target, id: mine, protocol: vnc, address: "h:1"}`, ApplyOptions{}))
	})
}

func TestApplyRefuses(t *testing.T) {
	f := newFixture(t, storetest.Open(t, storetest.SQLite(t)))
	configured, err := config.Parse([]byte(`targets: [{id: conf, protocol: vnc, address: "h:1"}]`), "", nil)
	require.NoError(t, err)
	require.NoError(t, f.Configure(t.Context(), configured.Targets))
	f.apply(two, ApplyOptions{})

	_, err = Apply(t.Context(), f, parse(t, two+`
---
{kind: Target, id: conf, protocol: vnc, address: "h:1"}
---
{kind: Target, id: desk2, protocol: vnc, address: "h:1"}
`), ApplyOptions{})
	require.ErrorContains(t, err, `targets.yaml:22: id: "conf" is in the gateway's configuration file`)
	_, err = f.Get(t.Context(), "desk2")
	require.ErrorIs(t, err, target.ErrNotFound, "all or nothing")
	_, err = Apply(t.Context(), f, parse(t, `{kind: Target, id: desk, protocol: rdp, address: "h:1"}`), ApplyOptions{})
	require.ErrorContains(t, err, "of protocol vnc, which stays")

	// What is done is what was looked at.
	changed := strings.ReplaceAll(two, "win.test", "win2.test")
	plan, err := Apply(t.Context(), f, parse(t, changed), ApplyOptions{DryRun: true})
	require.NoError(t, err)
	require.NoError(t, f.Change(t.Context(), func(tx *target.Tx) error {
		x, err := tx.Get(t.Context(), "win")
		require.NoError(t, err)
		return tx.Update(t.Context(), x)
	}))
	_, err = Apply(t.Context(), f, parse(t, changed), ApplyOptions{Digest: plan.Digest})
	require.ErrorIs(t, err, ErrOtherPlan)
	plan, err = Apply(t.Context(), f, parse(t, changed), ApplyOptions{DryRun: true})
	require.NoError(t, err)
	_, err = Apply(t.Context(), f, parse(t, changed), ApplyOptions{Digest: plan.Digest, Prune: true})
	require.ErrorIs(t, err, ErrOtherPlan, "pruning is part of the plan")
	_, err = Apply(t.Context(), f, parse(t, changed), ApplyOptions{Digest: plan.Digest})
	require.NoError(t, err)

	no := errors.New("not yours")
	_, err = Apply(t.Context(), f, parse(t, two), ApplyOptions{May: func(x *target.Target) error {
		if x.ID == "win" {
			return no
		}
		return nil
	}})
	require.ErrorIs(t, err, no)
	_, err = Apply(t.Context(), f, nil, ApplyOptions{Prune: true, May: func(*target.Target) error { return no }})
	require.ErrorIs(t, err, no)
}

func TestSecretsByReference(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("from file\n"), 0o600))
	opts := local
	opts.Environ = []string{"PW=from=env"}
	name := filepath.Join(dir, "a.yaml")
	yaml := `{kind: Target, id: a, protocol: vnc, address: "h:1", accounts: [{name: f, credential: {password_file: pw}}, {name: e, credential: {password_env: PW}}]}`
	documents, err := Parse([]File{{name, []byte(yaml)}}, opts)
	require.NoError(t, err)
	require.Equal(t, "from file", string(documents[0].Accounts[0].Password.Reveal()))
	require.Equal(t, "from=env", string(documents[0].Accounts[1].Password.Reveal()))
	require.NotContains(t, fmt.Sprintf("%+v", documents), "from")

	// Who is not on this machine names neither: the gateway would read its own files for them.
	opts.Local = false
	_, err = Parse([]File{{name, []byte(strings.Replace(yaml, "password_file: pw", "password_file: ../../../../etc/shadow", 1))}}, opts)
	require.ErrorContains(t, err, "names a file, which only")
	require.ErrorContains(t, err, "names a variable, which only")
	_, err = Parse([]File{{name, []byte(`{kind: Target, id: a, protocol: vnc, address: "h:1", tls: {ca_file: /etc/passwd}}`)}}, opts)
	require.ErrorContains(t, err, "tls.ca_file: names a file")
}

func TestParseErrors(t *testing.T) {
	const head = "kind: Target\nid: a\nprotocol: vnc\naddress: h:1\n"
	for name, tc := range map[string]struct{ yaml, want string }{
		"not YAML":            {"a: [", "targets.yaml: line 1"},
		"a list":              {"- a", "targets.yaml:1: must be a section"},
		"no kind":             {"id: a", `targets.yaml:1: kind: "" is not one of Target`},
		"a group":             {"kind: Group\nid: a", `targets.yaml:1: kind: "Group" is not one of Target`},
		"unknown key":         {head + "addrss: x", `targets.yaml:5: addrss: is not known here (did you mean "address"?)`},
		"nested key":          {head + "accounts:\n- name: x\n  pasword: s3cret", `targets.yaml:7: accounts[0].pasword: is not known here`},
		"wrong type":          {head + "tags: linux", "targets.yaml:5: tags: must be a list"},
		"number for text":     {head + "name: 5", "targets.yaml:5: name: must be text"},
		"number for password": {head + "accounts: [{name: x, credential: {password: 12345}}]", "targets.yaml:5: accounts[0].credential.password: must be text"},
		"text for a flag":     {head + "view_only: \"yes\"", "view_only: must be true or false"},
		"twice":               {head + "id: b", "targets.yaml:5: id: is there twice"},
		"same id":             {head + "---\n" + head, `targets.yaml:7: id: "a" is already the id of the target at targets.yaml:1`},
		"same account":        {head + "accounts: [{name: x}, {name: x}]", `accounts[1].name: "x" is the name of an account before`},
		"bad value":           {strings.Replace(head, "h:1", "h", 1), `targets.yaml:4: address: "h" is not host:port`},
		"bad account":         {head + "accounts:\n- name: a/b", `targets.yaml:6: accounts[0].name: "a/b" is not a name`},
		"no credential":       {head + "accounts: [{name: x, credential: {}}]", "credential: needs exactly one of"},
		"two credentials":     {head + "accounts: [{name: x, credential: {password: s3cret, none: true}}]", "credential: needs exactly one of"},
		"no such vault":       {head + "accounts: [{name: x, credential: {vault: {name: y, path: a}}}]", `credential.vault: the configuration has no vault "y"`},
		"vault path":          {head + "accounts: [{name: x, credential: {vault: {name: corp, path: ../a}}}]", `accounts[0].credential.path: "../a" is not a path`},
		"no file":             {head + "accounts: [{name: x, credential: {password_file: /nowhere/s}}]", "password_file: open /nowhere/s: no such file"},
		"no variable":         {head + "accounts: [{name: x, credential: {password_env: NOPE}}]", "names the variable NOPE, which is not set"},
		"layout":              {"kind: Target\nid: a\nprotocol: rdp\naddress: h:1\nrdp: {keyboard_layout: mars}", `"mars" is not a keyboard layout`},
		"anchor":              {"kind: Target\nid: &x a", "has an anchor or an alias"},
		"alias":               {"kind: Target\nid: a\ntags: [*x]", "unknown anchor"},
		"merge":               {"kind: Target\n<<: {id: a}", "has a key that is not a plain word"},
		"a tag":               {"kind: !ruby/object a", "has a tag of its own"},
		"binary":              {head + "name: !!binary aGVsbG8=", "name: must be text"},
		"deep":                {strings.Repeat("[", 20000), "targets.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]File{{"targets.yaml", []byte(tc.yaml)}}, local)
			_, ok := errors.AsType[*InvalidError](err)
			require.True(t, ok)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "s3cret")
			require.NotContains(t, err.Error(), "12345")
		})
	}
	documents, err := Parse([]File{{"empty.yaml", []byte("---\n---\n# nothing\n")}}, local)
	require.NoError(t, err)
	require.Empty(t, documents)
}

// TestBomb: what doubles with each line is refused before it does.
func TestBomb(t *testing.T) {
	bomb := "kind: Target\na: &a [x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	began := time.Now()
	_, err := Parse([]File{{"bomb.yaml", []byte(bomb)}}, local)
	require.Error(t, err)
	require.Less(t, time.Since(began), 2*time.Second)

	_, err = Parse([]File{{"cycle.yaml", []byte("kind: Target\ntags: &t [*t]\n")}}, local)
	require.ErrorContains(t, err, "anchor")
	_, err = Parse([]File{{"big.yaml", make([]byte, MaxBytes+1)}}, local)
	require.ErrorContains(t, err, "more than")
	_, err = Parse([]File{{"many.yaml", []byte(strings.Repeat("id: 1\n---\n", 200))}}, local)
	require.ErrorContains(t, err, "and more")
	require.Less(t, len(strings.Split(err.Error(), "\n")), maxProblems+3)
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yml", "a.yaml", "c.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	files, err := ReadFiles(dir, nil)
	require.NoError(t, err)
	require.Equal(t, []File{{filepath.Join(dir, "a.yaml"), []byte("a.yaml")}, {filepath.Join(dir, "b.yml"), []byte("b.yml")}}, files)
	files, err = ReadFiles("-", strings.NewReader("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(files[0].Content))
	_, err = ReadFiles(t.TempDir(), nil)
	require.ErrorContains(t, err, "holds no .yaml file")
	_, err = ReadFiles("/dev/zero", nil)
	require.ErrorContains(t, err, "is not a file")
}

// TestTooMany: one target more than there may be.
func TestTooMany(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 100,001 documents")
	}
	var yaml strings.Builder
	for i := range maxDocuments + 1 {
		fmt.Fprintf(&yaml, "---\n{kind: Target, id: t%d, protocol: vnc, address: \"h:1\"}\n", i)
	}
	_, err := Parse([]File{{"many.yaml", []byte(yaml.String())}}, local)
	require.ErrorContains(t, err, "more than 100000 documents")
}

// FuzzParse: nothing panics, and what is read can be applied or is refused with a reason.
func FuzzParse(f *testing.F) {
	f.Add([]byte(two))
	f.Add([]byte("kind: Target\nid: a\ntags: &t [*t]"))
	f.Add([]byte("{kind: Target, id: a, protocol: rdp, address: \"h:1\", rdp: {keyboard_layout: 7}}"))
	f.Add([]byte("- ? [a]\n  : b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		documents, err := Parse([]File{{"f.yaml", b}}, Options{Vaults: []string{"corp"}})
		if err != nil {
			_, ok := errors.AsType[*InvalidError](err)
			require.True(t, ok)
			return
		}
		for i := range documents {
			require.NoError(t, documents[i].Target.Check())
		}
	})
}
