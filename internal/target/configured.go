package target

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// Configure makes the targets of origin config those of the configuration file: the file is their only truth, so what it
// does not hold any more goes, and what it holds is as it says. A target that is made elsewhere too is an error, for
// neither may quietly take the other's place: policies and people know it by its id.
//
// Each has one account, DefaultAccount, whose id stays from start to start. Its password is kept in memory alone.
func (r *Repository) Configure(ctx context.Context, configured []config.Target) error {
	credentials := make(map[string]Credential, len(configured))
	wanted := make([]Target, len(configured))
	for i, c := range configured {
		t, credential, err := fromConfig(c)
		if err != nil {
			return fmt.Errorf("target: %s: %w", c.ID, err)
		}
		wanted[i], credentials[c.ID] = t, credential
	}
	err := r.Change(ctx, func(tx *Tx) error { return tx.configure(ctx, wanted) })
	if err != nil {
		return err
	}
	r.configured = credentials
	return nil
}

// CheckConfigured reads what the configuration refers to and returns what is wrong with it.
func CheckConfigured(configured []config.Target) error {
	for _, c := range configured {
		if _, _, err := fromConfig(c); err != nil {
			return fmt.Errorf("target: %s: %w", c.ID, err)
		}
	}
	return nil
}

func (tx *Tx) configure(ctx context.Context, wanted []Target) error {
	all, err := tx.List(ctx, Filter{Origin: store.OriginConfig})
	if err != nil {
		return err
	}
	there := make(map[string]Target, len(all))
	for _, t := range all {
		there[t.ID] = t
	}
	for _, want := range wanted {
		have, ok := there[want.ID]
		delete(there, want.ID)
		if !ok {
			if err := tx.createConfigured(ctx, want); err != nil {
				return err
			}
			continue
		}
		if err := tx.updateConfigured(ctx, have, want); err != nil {
			return err
		}
	}
	for _, gone := range there {
		// The certificate of first use stays: a target that is only commented out for a while must not take another one.
		if err := tx.db.Targets.Delete(ctx, gone.ID, gone.Revision, string(vault.AccountPassword)); err != nil {
			return known(err)
		}
	}
	return nil
}

func (tx *Tx) createConfigured(ctx context.Context, want Target) error {
	other, err := tx.db.Targets.Get(ctx, want.ID)
	if err == nil {
		return fmt.Errorf("target: %s is in the configuration file and was also made by %s: remove or rename one of them",
			want.ID, other.Origin)
	}
	if err := tx.create(ctx, want); err != nil {
		return err
	}
	return tx.createConfiguredAccount(ctx, want.Accounts[0])
}

func (tx *Tx) createConfiguredAccount(ctx context.Context, a Account) error {
	a.ID, a.CreatedAt = ulid.Make().String(), tx.r.now()
	a.UpdatedAt = a.CreatedAt
	return tx.createAccount(ctx, a, Password{})
}

func (tx *Tx) updateConfigured(ctx context.Context, have, want Target) error {
	want.Revision = have.Revision
	if !reflect.DeepEqual(have.essence(), want.essence()) {
		if err := tx.update(ctx, want); err != nil {
			return err
		}
	}
	a := want.Accounts[0]
	if len(have.Accounts) != 1 {
		return tx.createConfiguredAccount(ctx, a)
	}
	before := have.Accounts[0]
	a.ID, a.Revision, a.SetAt = before.ID, before.Revision, before.SetAt
	if !reflect.DeepEqual(before.essence(), a.essence()) {
		return tx.updateAccount(ctx, a)
	}
	return nil
}

// essence is what t says of the desktop, and not of the row.
func (t *Target) essence() Target {
	e := *t
	e.Revision, e.CreatedAt, e.UpdatedAt, e.Accounts = 0, time.Time{}, time.Time{}, nil
	if len(e.Tags) == 0 {
		e.Tags = nil
	}
	if len(e.TLS.CAPEM) == 0 {
		e.TLS.CAPEM = nil
	}
	return e
}

// essence is what a says of the account, and not of the row.
func (a *Account) essence() Account {
	e := *a
	e.ID, e.Revision, e.CreatedAt, e.UpdatedAt, e.SetAt = "", 0, time.Time{}, time.Time{}, time.Time{}
	if len(e.Tags) == 0 {
		e.Tags = nil
	}
	return e
}

// fromConfig returns a target with its account, and what to sign in with.
func fromConfig(c config.Target) (Target, Credential, error) {
	t := Target{
		ID: c.ID, Name: c.Name, Description: c.Description, Protocol: c.Protocol, Address: c.Address,
		ViewOnly: c.ViewOnly, ClipboardToTarget: *c.Clipboard.ToTarget, ClipboardFromTarget: *c.Clipboard.FromTarget,
		RDP: c.RDP, Origin: store.OriginConfig, Tags: slices.Clone(c.Tags),
	}
	slices.Sort(t.Tags)
	t.Tags = slices.Compact(t.Tags)
	a := Account{TargetID: c.ID, Name: DefaultAccount, Username: c.Username, Domain: c.Domain, Source: Source{Kind: KindNone}}
	if c.Protocol == config.ProtocolRDP {
		if domain, name, ok := strings.Cut(c.Username, `\`); ok {
			a.Domain, a.Username = domain, name
		}
	}
	credential := Credential{Username: a.Username, Domain: a.Domain}
	if !c.Password.IsZero() {
		a.Source.Kind = KindConfig
		credential.Password = NewPassword([]byte(c.Password.Reveal()))
	}
	t.Accounts = []Account{a}
	switch c.TLS.Mode {
	case config.TLSOff:
		t.TLS.AllowPlaintext = true
	case config.TLSFirstUse:
		t.TLS.FirstUse = true
	case config.TLSPin:
		var err error
		if t.TLS.Fingerprint, err = config.ParseFingerprint(c.TLS.Fingerprint); err != nil {
			return Target{}, Credential{}, err
		}
	default:
		t.TLS.ServerName = c.TLS.ServerName
	}
	if c.TLS.CAFile != "" {
		pem, err := readAuthorities(c.TLS.CAFile)
		if err != nil {
			return Target{}, Credential{}, err
		}
		t.TLS.CAPEM = pem
	}
	return t, credential, nil
}

func readAuthorities(path string) ([]byte, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(pem) > maxCABytes {
		return nil, fmt.Errorf("%s holds %d bytes, more than %d", path, len(pem), maxCABytes)
	}
	return pem, nil
}
