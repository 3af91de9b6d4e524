package api

import (
	"context"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// CredentialProviders are the names of those the configuration has.
type CredentialProviders struct {
	Vaults   []string
	Commands []string
}

// CreateAccount adds an account to a target.
func (h *handlers) CreateAccount(ctx context.Context, r apigen.CreateAccountRequestObject) (apigen.CreateAccountResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	a := accountIn(r.Body.Settings)
	a.TargetID, a.Source.Kind = t.ID, target.KindNone
	audit.Detail(ctx, "account", a.Name)
	var password target.Password
	if c := r.Body.Credential; c != nil {
		if a.Source, password, err = h.sourceIn(*c); err != nil {
			return nil, err
		}
		defer password.Wipe()
	}
	err = h.targets.Change(ctx, func(tx *target.Tx) error {
		a, err = tx.CreateAccount(ctx, a, password)
		return err
	})
	if err != nil {
		return nil, err
	}
	return apigen.CreateAccount201JSONResponse(accountOut(a, true)), nil
}

// UpdateAccount replaces all of an account but its credential.
func (h *handlers) UpdateAccount(ctx context.Context, r apigen.UpdateAccountRequestObject) (apigen.UpdateAccountResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	a := accountIn(r.Body.Settings)
	a.ID, a.TargetID, a.Revision = r.AccountParameter, t.ID, r.Body.Revision
	if err := h.targets.Change(ctx, func(tx *target.Tx) error { return tx.UpdateAccount(ctx, a) }); err != nil {
		return nil, err
	}
	out, err := h.managedAccount(ctx, t.ID, a.ID)
	return apigen.UpdateAccount200JSONResponse(out), err
}

// DeleteAccount removes an account.
func (h *handlers) DeleteAccount(ctx context.Context, r apigen.DeleteAccountRequestObject) (apigen.DeleteAccountResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	err = h.targets.Change(ctx, func(tx *target.Tx) error {
		return tx.DeleteAccount(ctx, t.ID, r.AccountParameter, r.Params.Revision)
	})
	return apigen.DeleteAccount204Response{}, err
}

// SetCredential says where the password of an account is.
func (h *handlers) SetCredential(ctx context.Context, r apigen.SetCredentialRequestObject) (apigen.SetCredentialResponseObject, error) {
	ctx, in := enter(ctx)
	t, err := h.manageableTarget(ctx, in, r.TargetParameter)
	if err != nil {
		return nil, err
	}
	source, password, err := h.sourceIn(r.Body.Credential)
	if err != nil {
		return nil, err
	}
	defer password.Wipe()
	err = h.targets.Change(ctx, func(tx *target.Tx) error {
		return tx.SetCredential(ctx, t.ID, r.AccountParameter, r.Body.Revision, source, password)
	})
	if err != nil {
		return nil, err
	}
	out, err := h.managedAccount(ctx, t.ID, r.AccountParameter)
	return apigen.SetCredential200JSONResponse(out), err
}

// ListCredentialProviders answers with what accounts may name.
func (h *handlers) ListCredentialProviders(ctx context.Context, _ apigen.ListCredentialProvidersRequestObject) (apigen.ListCredentialProvidersResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.may(ctx, in, policy.ManageTargets, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return nil, err
	}
	return apigen.ListCredentialProviders200JSONResponse{
		Vaults: orEmpty(h.providers.Vaults), Commands: orEmpty(h.providers.Commands),
	}, nil
}

// managedAccount returns an account as its managers see it.
func (h *handlers) managedAccount(ctx context.Context, id, account string) (apigen.TargetAccount, error) {
	t, err := h.targets.Get(ctx, id)
	if err != nil {
		return apigen.TargetAccount{}, err
	}
	a, err := t.Account(account)
	return accountOut(a, true), err
}

func accountIn(s apigen.AccountSettings) target.Account {
	return target.Account{
		Name: s.Name, Username: valueOr(s.Username, ""), Domain: valueOr(s.Domain, ""), Description: valueOr(s.Description, ""),
		Tags: valueOr(s.Tags, nil),
	}
}

// sourceIn reads a credential. A provider it names must be there.
func (h *handlers) sourceIn(c apigen.NewCredential) (target.Source, target.Password, error) {
	s := target.Source{Kind: target.Kind(c.Kind)}
	password := target.NewPassword([]byte(valueOr(c.Password, "")))
	if v := c.Vault; v != nil {
		s.Vault = target.VaultReference{
			Vault: v.Vault, Path: v.Path, UsernameField: valueOr(v.UsernameField, ""), PasswordField: valueOr(v.PasswordField, ""),
		}
	}
	if k := c.Command; k != nil {
		s.Command = target.CommandReference{Command: k.Command, Reference: valueOr(k.Reference, "")}
	}
	if (c.Vault != nil) != (s.Kind == target.KindVault) || (c.Command != nil) != (s.Kind == target.KindCommand) {
		return s, password, &Error{
			Status: http.StatusUnprocessableEntity, Code: codeTargetInvalid,
			Detail: `A credential of kind "vault" has the member "vault", one of kind "command" the member "command", and others have neither.`,
		}
	}
	return s, password, h.providers.check(s)
}

// check refuses a source that names what the configuration does not have.
func (p *CredentialProviders) check(s target.Source) error {
	return target.CheckProvider(s, p.Vaults, p.Commands)
}

func accountOut(a target.Account, manage bool) apigen.TargetAccount {
	out := apigen.TargetAccount{
		Id: a.ID, Name: a.Name, Username: optional(a.Username), Domain: optional(a.Domain), Description: optional(a.Description),
		Tags: orEmpty(a.Tags),
	}
	if !manage {
		return out
	}
	out.Revision = &a.Revision
	out.Credential = &apigen.Credential{Kind: apigen.CredentialKind(a.Source.Kind)}
	if !a.SetAt.IsZero() {
		out.Credential.SetAt = &a.SetAt
	}
	switch a.Source.Kind {
	case target.KindVault:
		v := a.Source.Vault
		out.Credential.Vault = &apigen.VaultReference{
			Vault: v.Vault, Path: v.Path, UsernameField: optional(v.UsernameField), PasswordField: optional(v.PasswordField),
		}
	case target.KindCommand:
		c := a.Source.Command
		out.Credential.Command = &apigen.CommandReference{Command: c.Command, Reference: optional(c.Reference)}
	case target.KindNone, target.KindConfig, target.KindStored:
	}
	return out
}
