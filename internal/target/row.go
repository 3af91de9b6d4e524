package target

import (
	"encoding/json"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// row returns t as it rests.
func (t *Target) row() (store.Target, error) {
	r := store.Target{
		ID: t.ID, Name: t.Name, Description: t.Description, Protocol: t.Protocol, Address: t.Address, Tags: t.Tags,
		TLSMode: string(t.TLS.Mode()), TLSServerName: t.TLS.ServerName, TLSCA: string(t.TLS.CAPEM),
		ToTarget: t.ClipboardToTarget, FromTarget: t.ClipboardFromTarget, ViewOnly: t.ViewOnly,
		RecordKeys: string(t.Keys), Origin: t.Origin, Revision: t.Revision, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
	if t.TLS.Mode() == config.TLSPin {
		r.TLSFingerprint = t.TLS.Fingerprint
	}
	if t.RDP != nil {
		b, err := json.Marshal(t.RDP)
		if err != nil {
			return store.Target{}, fmt.Errorf("target: %s: rdp: %w", t.ID, err)
		}
		r.RDP = string(b)
	}
	return r, nil
}

func targetOf(r store.Target) (Target, error) {
	t := Target{
		ID: r.ID, Name: r.Name, Description: r.Description, Protocol: r.Protocol, Address: r.Address, Tags: r.Tags,
		ViewOnly: r.ViewOnly, ClipboardToTarget: r.ToTarget, ClipboardFromTarget: r.FromTarget,
		Keys: config.Keys(r.RecordKeys), Origin: r.Origin, Revision: r.Revision, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	switch config.TLSMode(r.TLSMode) {
	case config.TLSOff:
		t.TLS.AllowPlaintext = true
	case config.TLSFirstUse:
		t.TLS.FirstUse = true
	case config.TLSPin:
		t.TLS.Fingerprint = r.TLSFingerprint
	case config.TLSVerify:
		t.TLS.ServerName = r.TLSServerName
		if r.TLSCA != "" {
			t.TLS.CAPEM = []byte(r.TLSCA)
		}
	default: // never taken for one that asks for less
		return Target{}, fmt.Errorf("target: %s: tls mode %q in the database is not known", r.ID, r.TLSMode)
	}
	if r.RDP != "" {
		t.RDP = &config.RDP{}
		if err := json.Unmarshal([]byte(r.RDP), t.RDP); err != nil {
			return Target{}, fmt.Errorf("target: %s: rdp: %w", r.ID, err)
		}
	}
	return t, nil
}

// row returns a as it rests.
func (a *Account) row() (store.Account, error) {
	r := store.Account{
		ID: a.ID, TargetID: a.TargetID, Name: a.Name, Username: a.Username, Domain: a.Domain, Description: a.Description, Tags: a.Tags,
		Credential: string(a.Source.Kind), CredentialAt: a.SetAt, Revision: a.Revision, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}
	var reference any
	switch a.Source.Kind {
	case KindVault:
		reference = a.Source.Vault
	case KindCommand:
		reference = a.Source.Command
	default:
		return r, nil
	}
	b, err := json.Marshal(reference)
	if err != nil {
		return store.Account{}, fmt.Errorf("target: account %s: %w", a.ID, err)
	}
	r.Reference = string(b)
	return r, nil
}

func accountOf(r store.Account) (Account, error) {
	a := Account{
		ID: r.ID, TargetID: r.TargetID, Name: r.Name, Username: r.Username, Domain: r.Domain, Description: r.Description, Tags: r.Tags,
		Source: Source{Kind: Kind(r.Credential)}, SetAt: r.CredentialAt, Revision: r.Revision, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	var reference any
	switch a.Source.Kind {
	case KindVault:
		reference = &a.Source.Vault
	case KindCommand:
		reference = &a.Source.Command
	default:
		return a, nil
	}
	if err := json.Unmarshal([]byte(r.Reference), reference); err != nil {
		return Account{}, fmt.Errorf("target: account %s: reference: %w", r.ID, err)
	}
	return a, nil
}
