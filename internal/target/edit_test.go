package target

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

func TestTargets(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		a := f.create(t, "desk", func(x *Target) {
			x.Tags = []string{"b", "a", "b"}
			x.Keys = config.KeysNone
		})
		require.Equal(t, int64(1), a.Revision)
		require.Equal(t, []string{"a", "b"}, a.Tags)
		require.Equal(t, config.KeysNone, a.Keys)
		require.False(t, a.CreatedAt.IsZero())
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Create(ctx, vnc("desk")) }), ErrExists)

		// Two people change the same revision.
		one, two := a, a
		one.Name, two.Name = "One", "Two"
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, one) }))
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, two) }), ErrStale)
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Delete(ctx, "desk", a.Revision) }), ErrStale)
		now := f.get(t, "desk")
		require.Equal(t, "One", now.Name)
		require.Equal(t, int64(2), now.Revision)
		require.Equal(t, a.CreatedAt, now.CreatedAt)

		// The certificate of first use is of an address.
		trust := func() error {
			_, err := f.db.Certificates.Trust(ctx, store.TargetCertificate{TargetID: "desk", Fingerprint: "ab", FirstSeen: time.Now()})
			return err
		}
		require.NoError(t, trust())
		now.Description = "changed"
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, now) }))
		_, err := f.db.Certificates.Get(ctx, "desk")
		require.NoError(t, err)
		now = f.get(t, "desk")
		now.Address = "elsewhere.test:5900"
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, now) }))
		_, err = f.db.Certificates.Get(ctx, "desk")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, trust())

		now = f.get(t, "desk")
		rdp := now
		rdp.Protocol = "rdp"
		var invalid *InvalidError
		require.ErrorAs(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, rdp) }), &invalid)

		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Delete(ctx, "desk", now.Revision) }))
		_, err = f.Get(ctx, "desk")
		require.ErrorIs(t, err, ErrNotFound)
		_, err = f.db.Certificates.Get(ctx, "desk")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Update(ctx, now) }), ErrNotFound)
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.Delete(ctx, "desk", 1) }), ErrNotFound)
	})
}

// TestFormerTags: what is gone keeps the tags it had last, for policies about its recordings.
func TestFormerTags(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.create(t, "desk", func(x *Target) { x.Tags = []string{"production", "linux"} })
		account := Account{TargetID: "desk", Name: "root", Username: "root", Tags: []string{"privileged"}}
		account.Source.Kind = KindStored
		require.NoError(t, f.change(t, func(tx *Tx) (err error) {
			account, err = tx.CreateAccount(ctx, account, NewPassword([]byte("secret")))
			return err
		}))
		former := func(account string) [][]string {
			ofTarget, ofAccount, err := f.db.Targets.FormerTags(ctx, "desk", account)
			require.NoError(t, err)
			return [][]string{ofTarget, ofAccount}
		}
		require.Equal(t, [][]string{nil, nil}, former("root"), "nothing is gone")

		renamed := account
		renamed.Name = "admin"
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.UpdateAccount(ctx, renamed) }))
		require.Equal(t, [][]string{nil, {"privileged"}}, former("root"))
		require.Equal(t, [][]string{nil, nil}, former("admin"))

		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Delete(ctx, "desk", f.get(t, "desk").Revision) }))
		require.Equal(t, [][]string{{"linux", "production"}, {"privileged"}}, former("admin"))
		require.Equal(t, [][]string{{"linux", "production"}, nil}, former(""))
	})
}

func TestList(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for i := range 25 {
			f.create(t, fmt.Sprintf("t%02d", i), func(x *Target) {
				x.Name = fmt.Sprintf("Desk %c", 'a'+i%3) // many of one name
				if i%5 == 0 {
					x.Tags = []string{"five", "100%_\\"}
				}
				if i%2 == 0 {
					x.Tags = append(x.Tags, "two")
				}
			})
		}
		f.create(t, "win", func(x *Target) {
			x.Protocol, x.Name, x.Description = "rdp", "Ärger", "Windows Server\nin the CELLAR"
		})
		var all []string
		for after := (Cursor{}); ; {
			page, err := f.List(ctx, Filter{After: after, Limit: 7})
			require.NoError(t, err)
			all = append(all, ids(page)...)
			if len(page) < 7 {
				break
			}
			after = Cursor{Name: page[6].Name, ID: page[6].ID}
		}
		whole, err := f.List(ctx, Filter{})
		require.NoError(t, err)
		require.Len(t, whole, 26)
		require.Equal(t, ids(whole), all, "page by page it is the same list")

		find := func(filter Filter) []string {
			list, err := f.List(ctx, filter)
			require.NoError(t, err)
			return ids(list)
		}
		require.Len(t, find(Filter{Tags: []string{"five"}}), 5)
		require.Len(t, find(Filter{Tags: []string{"five", "two"}}), 3)
		require.Empty(t, find(Filter{Tags: []string{"fiv"}}), "a tag is whole")
		require.Equal(t, []string{"win"}, find(Filter{Protocol: "rdp"}))
		require.Equal(t, []string{"win"}, find(Filter{Query: "cellar  WINDOWS"}), "all words, in any order and case")
		require.Equal(t, []string{"win"}, find(Filter{Query: "ärger"}))
		require.Len(t, find(Filter{Query: `100%_\`}), 5, "no wildcards")
		require.Empty(t, find(Filter{Query: "%" + "x"}))
		require.Len(t, find(Filter{Query: "t0"}), 10)
		require.Empty(t, find(Filter{Origin: store.OriginApply}))
		require.Empty(t, find(Filter{Query: "'; DROP TABLE targets; --"}))
	})
}

func TestAccounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.create(t, "desk")
		f.create(t, "other")
		add := func(a Account, password string) (out Account, err error) {
			return out, f.change(t, func(tx *Tx) error {
				out, err = tx.CreateAccount(ctx, a, NewPassword([]byte(password)))
				return err
			})
		}
		ann, err := add(Account{TargetID: "desk", Name: "ann", Username: "ann", Tags: []string{"x"}, Source: Source{Kind: KindStored}}, "hunter2")
		require.NoError(t, err)
		require.Len(t, ann.ID, 26)
		require.False(t, ann.SetAt.IsZero())
		bob, err := add(Account{TargetID: "desk", Name: "bob"}, "")
		require.NoError(t, err)
		require.Equal(t, KindNone, bob.Source.Kind)
		require.True(t, bob.SetAt.IsZero())
		_, err = add(Account{TargetID: "desk", Name: "ann"}, "")
		require.ErrorIs(t, err, ErrAccountExists)
		_, err = add(Account{TargetID: "other", Name: "ann"}, "")
		require.NoError(t, err)
		_, err = add(Account{TargetID: "gone", Name: "ann"}, "")
		require.ErrorIs(t, err, ErrNotFound)

		opened := func(id string) string {
			b, err := f.vault.Open(ctx, vault.AccountPassword, id)
			if errors.Is(err, vault.ErrNotFound) {
				return "none"
			}
			require.NoError(t, err)
			return string(b)
		}
		require.Equal(t, "hunter2", opened(ann.ID))
		got := f.get(t, "desk").Accounts
		require.Equal(t, []string{"ann", "bob"}, []string{got[0].Name, got[1].Name})
		require.Equal(t, []string{"x"}, got[0].Tags)

		// Changing the account leaves its password; so does a stale change of it.
		ann.Description, ann.Name = "changed", "anna"
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.UpdateAccount(ctx, ann) }))
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.UpdateAccount(ctx, ann) }), ErrStale)
		require.Equal(t, "hunter2", opened(ann.ID))
		bob.Name = "anna"
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.UpdateAccount(ctx, bob) }), ErrAccountExists)
		set := func(target string, id string, revision int64, s Source, password string) error {
			return f.change(t, func(tx *Tx) error {
				return tx.SetCredential(ctx, target, id, revision, s, NewPassword([]byte(password)))
			})
		}
		require.ErrorIs(t, set("desk", ann.ID, 1, Source{Kind: KindStored}, "late"), ErrStale)
		require.Equal(t, "hunter2", opened(ann.ID), "the password goes back with the change")
		require.ErrorIs(t, set("other", ann.ID, 2, Source{Kind: KindStored}, "x"), ErrUnknownAccount, "an account of another target")
		require.NoError(t, set("desk", ann.ID, 2, Source{Kind: KindStored}, "better"))
		require.Equal(t, "better", opened(ann.ID))
		reference := VaultReference{Vault: "corp", Path: "a/b", PasswordField: "pw"}
		require.NoError(t, set("desk", ann.ID, 3, Source{Kind: KindVault, Vault: reference}, ""))
		require.Equal(t, "none", opened(ann.ID), "what is elsewhere is not kept here")
		now, err := new(f.get(t, "desk")).Account("anna")
		require.NoError(t, err)
		require.Equal(t, Source{Kind: KindVault, Vault: reference}, now.Source)
		require.Equal(t, int64(4), now.Revision)

		require.NoError(t, set("desk", bob.ID, 1, Source{Kind: KindCommand, Command: CommandReference{Command: "pass", Reference: "x"}}, ""))
		require.NoError(t, set("desk", bob.ID, 2, Source{Kind: KindStored}, "secret"))
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.DeleteAccount(ctx, "desk", bob.ID, 1) }), ErrStale)
		require.Equal(t, "secret", opened(bob.ID))
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.DeleteAccount(ctx, "desk", bob.ID, 3) }))
		require.Equal(t, "none", opened(bob.ID))
		require.ErrorIs(t, f.change(t, func(tx *Tx) error { return tx.DeleteAccount(ctx, "desk", bob.ID, 3) }), ErrUnknownAccount)

		// With a target go its accounts and their passwords.
		require.NoError(t, set("desk", ann.ID, 4, Source{Kind: KindStored}, "last"))
		require.NoError(t, f.change(t, func(tx *Tx) error { return tx.Delete(ctx, "desk", 1) }))
		require.Equal(t, "none", opened(ann.ID))
	})
}

func TestTooManyAccounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.create(t, "desk")
		require.ErrorIs(t, f.change(t, func(tx *Tx) error {
			for i := range MaxAccounts + 1 {
				if _, err := tx.CreateAccount(t.Context(), Account{TargetID: "desk", Name: fmt.Sprint(i)}, Password{}); err != nil {
					return err
				}
			}
			return nil
		}), ErrTooMany)
		require.Empty(t, f.get(t, "desk").Accounts, "nothing of it stays")
	})
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Target)
		want   string
	}{
		"id":              {func(x *Target) { x.ID = "../etc" }, `id: "../etc" is not an id`},
		"address":         {func(x *Target) { x.Address = "nowhere" }, `address: "nowhere" is not host:port`},
		"protocol":        {func(x *Target) { x.Protocol = "ssh" }, `protocol: "ssh" is not one of vnc, rdp`},
		"long name":       {func(x *Target) { x.Name = strings.Repeat("ä", 129) }, "name: holds 129 characters, more than 128"},
		"control":         {func(x *Target) { x.Name = "a\x1b[31mb" }, "name: holds a control character"},
		"not UTF-8":       {func(x *Target) { x.Description = "\xff" }, "description: holds a control character, or is not UTF-8"},
		"tag":             {func(x *Target) { x.Tags = []string{"ok", " a"} }, `tags[1]: " a" is not a tag`},
		"many tags":       {func(x *Target) { x.Tags = make([]string, 65) }, "tags: holds 65, more than 64"},
		"keys":            {func(x *Target) { x.Keys = "some" }, `recording.keys: "some" is not one of`},
		"fingerprint":     {func(x *Target) { x.TLS = TLS{Fingerprint: "zz"} }, "tls.fingerprint"},
		"rdp on vnc":      {func(x *Target) { x.RDP = &config.RDP{} }, "rdp: is only for protocol rdp"},
		"rdp without TLS": {func(x *Target) { x.Protocol, x.TLS = "rdp", TLS{AllowPlaintext: true} }, `tls.mode: "off" is not for protocol rdp`},
		"no certificate":  {func(x *Target) { x.TLS = TLS{CAPEM: []byte("x")} }, "tls.ca: holds no certificate"},
		"key for CA": {func(x *Target) {
			x.TLS = TLS{CAPEM: []byte("-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n")}
		}, "is a PRIVATE KEY and not"},
		"broken CA": {func(x *Target) {
			x.TLS = TLS{CAPEM: []byte("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")}
		}, "certificate 1 cannot be read"},
		"redirect pattern": {func(x *Target) { x.Protocol, x.RDP = "rdp", &config.RDP{RedirectTo: []string{"a b"}} }, "rdp.redirect_to[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			x := vnc("desk")
			tc.change(&x)
			err := x.Check()
			_, ok := errors.AsType[*InvalidError](err)
			require.True(t, ok)
			require.ErrorContains(t, err, tc.want)
		})
	}
	rdp := vnc("win")
	rdp.Protocol, rdp.RDP = "rdp", &config.RDP{Security: config.RDPSecurityNLA}
	require.NoError(t, rdp.Check(), "credentials are the accounts' business")
	require.Equal(t, 32, rdp.RDP.ColorDepth, "what is not set is filled")
}

func TestCheckAccount(t *testing.T) {
	for want, a := range map[string]Account{
		`name: "" is not a name`:                      {},
		`name: "a/b" is not a name`:                   {Name: "a/b"},
		"domain: is only for protocol rdp":            {Name: "a", Domain: "D"},
		"username: holds 257 characters":              {Name: "a", Username: strings.Repeat("x", 257)},
		"credential.path: \"../x\" is not a path":     {Name: "a", Source: Source{Kind: KindVault, Vault: VaultReference{Vault: "v", Path: "../x"}}},
		"credential.path: \"/etc/x\" is not a path":   {Name: "a", Source: Source{Kind: KindVault, Vault: VaultReference{Vault: "v", Path: "/etc/x"}}},
		"credential.path: \"a?v=1\" is not a path":    {Name: "a", Source: Source{Kind: KindVault, Vault: VaultReference{Vault: "v", Path: "a?v=1"}}},
		"credential.path: \"a/./b\" is not a path":    {Name: "a", Source: Source{Kind: KindVault, Vault: VaultReference{Vault: "v", Path: "a/./b"}}},
		"credential.vault: is needed":                 {Name: "a", Source: Source{Kind: KindVault, Vault: VaultReference{Path: "a"}}},
		"credential.command: is needed":               {Name: "a", Source: Source{Kind: KindCommand}},
		`credential.kind: "magic" is not one of none`: {Name: "a", Source: Source{Kind: "magic"}},
	} {
		require.ErrorContains(t, a.Check("vnc"), want)
	}
	require.ErrorContains(t, (&Account{Name: "a", Username: "x@y", Domain: "D"}).Check("rdp"), "names a domain")
	require.NoError(t, (&Account{Name: "a@b.c", Username: `CORP\x`}).Check("rdp"))

	require.ErrorContains(t, checkPassword(Source{Kind: KindConfig}, Password{}), "is for the configuration file")
	require.ErrorContains(t, checkPassword(Source{Kind: KindVault}, NewPassword([]byte("x"))), "only for kind stored")
	require.ErrorContains(t, checkPassword(Source{Kind: KindStored}, Password{}), "is needed")
	require.ErrorContains(t, checkPassword(Source{Kind: KindStored}, NewPassword(make([]byte, MaxPasswordBytes+1))), "more than 4096")
	require.ErrorContains(t, CheckProvider(Source{Kind: KindVault, Vault: VaultReference{Vault: "x"}}, []string{"y"}, nil), `no vault "x"`)
	require.NoError(t, CheckProvider(Source{Kind: KindCommand, Command: CommandReference{Command: "c"}}, nil, []string{"c"}))
}

func TestNewTLS(t *testing.T) {
	for _, mode := range []config.TLSMode{config.TLSVerify, config.TLSFirstUse, config.TLSOff} {
		got, err := NewTLS(mode, "", nil, "")
		require.NoError(t, err)
		require.Equal(t, mode, got.Mode())
		_, err = NewTLS(mode, "", nil, strings.Repeat("ab", 32))
		require.ErrorContains(t, err, "tls.fingerprint: is only for mode pin")
	}
	got, err := NewTLS(config.TLSPin, "", nil, strings.Repeat("AB", 32))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ab", 32), got.Fingerprint)
	_, err = NewTLS(config.TLSPin, "", nil, "")
	require.ErrorContains(t, err, "tls.fingerprint")
	_, err = NewTLS("hope", "", nil, "")
	require.ErrorContains(t, err, `"hope" is not one of`)
}
