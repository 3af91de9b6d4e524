package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// reader makes a target of a document.
type reader struct {
	opts Options
	base string // folder that paths start from
	fail func(path, text string)
}

func (r *reader) document(d *document) Document {
	t := target.Target{
		ID: d.ID, Name: d.Name, Description: d.Description, Protocol: d.Protocol, Address: d.Address, Tags: d.Tags,
		ViewOnly: d.ViewOnly, Keys: d.Recording.Keys, RDP: d.RDP, Origin: store.OriginApply,
		ClipboardToTarget: d.Clipboard.ToTarget == nil || *d.Clipboard.ToTarget, ClipboardFromTarget: d.Clipboard.FromTarget == nil || *d.Clipboard.FromTarget,
	}
	ca := []byte(d.TLS.CA)
	if d.TLS.CAFile != "" {
		if len(ca) > 0 {
			r.fail("tls.ca_file", "is given beside tls.ca")
		}
		ca = r.file("tls.ca_file", d.TLS.CAFile, maxCABytes)
	}
	var err error
	if t.TLS, err = target.NewTLS(d.TLS.Mode, d.TLS.ServerName, ca, d.TLS.Fingerprint); err != nil {
		r.invalid("", err)
	} else {
		r.invalid("", t.Check())
	}
	out := Document{Target: t}
	names := map[string]bool{}
	if len(d.Accounts) > target.MaxAccounts {
		r.fail("accounts", fmt.Sprintf("holds %d, more than %d", len(d.Accounts), target.MaxAccounts))
		return out
	}
	for i := range d.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		a := r.account(path, &d.Accounts[i], d.Protocol)
		if a.TargetID = t.ID; names[a.Name] {
			r.fail(path+".name", fmt.Sprintf("%q is the name of an account before", clip(a.Name)))
		}
		names[a.Name] = true
		out.Accounts = append(out.Accounts, a)
	}
	return out
}

func (r *reader) account(path string, d *account, protocol string) Account {
	a := Account{Account: target.Account{
		Name: d.Name, Username: d.Username, Domain: d.Domain, Description: d.Description, Tags: d.Tags, Source: target.Source{Kind: target.KindNone},
	}}
	if d.Credential == nil {
		a.Keep = true
	} else {
		a.Source, a.Password = r.credential(path+".credential", d.Credential)
	}
	r.invalid(path+".", a.Check(protocol))
	return a
}

func (r *reader) credential(path string, d *credential) (target.Source, target.Password) {
	ways := 0
	var s target.Source
	var password []byte
	way := func(kind target.Kind) {
		ways++
		s.Kind = kind
	}
	if d.None {
		way(target.KindNone)
	}
	if !d.Password.IsZero() {
		way(target.KindStored)
		password = []byte(d.Password.Reveal())
	}
	if d.PasswordFile != "" {
		way(target.KindStored)
		password = bytes.TrimRight(r.file(path+".password_file", d.PasswordFile, maxSecretBytes), "\r\n")
	}
	if d.PasswordEnv != "" {
		way(target.KindStored)
		password = r.variable(path+".password_env", d.PasswordEnv)
	}
	if d.Vault != nil {
		way(target.KindVault)
		s.Vault = target.VaultReference{Vault: d.Vault.Name, Path: d.Vault.Path, UsernameField: d.Vault.UsernameField, PasswordField: d.Vault.PasswordField}
	}
	if d.Command != nil {
		way(target.KindCommand)
		s.Command = target.CommandReference{Command: d.Command.Name, Reference: d.Command.Reference}
	}
	switch {
	case ways != 1:
		r.fail(path, "needs exactly one of password, password_file, password_env, vault, command and none: true")
		return target.Source{}, target.Password{}
	case s.Kind == target.KindStored && len(password) == 0:
		r.fail(path, "gives an empty password")
	case len(password) > target.MaxPasswordBytes:
		r.fail(path, fmt.Sprintf("gives a password of %d bytes, more than %d", len(password), target.MaxPasswordBytes))
	}
	r.invalid(strings.TrimSuffix(path, "credential"), target.CheckProvider(s, r.opts.Vaults, r.opts.Commands))
	return s, target.NewPassword(password)
}

// file reads what a document refers to.
func (r *reader) file(path, name string, limit int64) []byte {
	if !r.opts.Local {
		r.fail(path, "names a file, which only `vitrine apply` reads")
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.base, name)
	}
	b, err := readCapped(name, limit)
	if err != nil {
		r.fail(path, err.Error())
	}
	return b
}

// variable reads a variable of the environment.
func (r *reader) variable(path, name string) []byte {
	if !r.opts.Local {
		r.fail(path, "names a variable, which only `vitrine apply` reads")
		return nil
	}
	for _, entry := range r.opts.Environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			return []byte(v)
		}
	}
	r.fail(path, fmt.Sprintf("names the variable %s, which is not set", clip(name)))
	return nil
}

// invalid tells what package target finds wrong, below the path prefix.
func (r *reader) invalid(prefix string, err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*target.InvalidError](err)
	if !ok {
		r.fail(strings.TrimSuffix(prefix, "."), err.Error())
		return
	}
	for _, p := range e.Problems {
		r.fail(prefix+p.Path, p.Text)
	}
}
