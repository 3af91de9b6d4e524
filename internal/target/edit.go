package target

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// Tx changes targets and accounts, all of it or nothing. It is valid within the call of Change that gave it.
type Tx struct {
	r     *Repository
	db    *store.Store
	count int // targets; negative: not counted yet
}

// Change runs do in a transaction, which is kept when do returns nil. do may run again when it collides with another one.
func (r *Repository) Change(ctx context.Context, do func(tx *Tx) error) error {
	return r.db.Tx(ctx, func(db *store.Store) error { return do(&Tx{r, db, -1}) })
}

// Get returns the target of that id, or ErrNotFound.
func (tx *Tx) Get(ctx context.Context, id string) (Target, error) { return get(ctx, tx.db, id) }

// List returns targets with their accounts, by name and id.
func (tx *Tx) List(ctx context.Context, f Filter) ([]Target, error) { return list(ctx, tx.db, f) }

// Create adds a target without accounts. The errors are *InvalidError, ErrExists and ErrTooMany.
func (tx *Tx) Create(ctx context.Context, t Target) error {
	if err := t.Check(); err != nil {
		return err
	}
	if tx.count < 0 {
		var err error
		if tx.count, err = tx.db.Targets.Count(ctx); err != nil {
			return err
		}
	}
	if tx.count++; tx.count > MaxTargets {
		return fmt.Errorf("%w: there are %d targets", ErrTooMany, MaxTargets)
	}
	return tx.create(ctx, t)
}

func (tx *Tx) create(ctx context.Context, t Target) error {
	t.CreatedAt = tx.r.now()
	t.UpdatedAt = t.CreatedAt
	row, err := t.row()
	if err != nil {
		return err
	}
	return known(tx.db.Targets.Create(ctx, row))
}

// Update replaces the target of t's id and revision, but for its accounts. The errors are *InvalidError, ErrNotFound,
// ErrStale and ErrConfigured. A certificate of first use stays, unless t is at another address.
func (tx *Tx) Update(ctx context.Context, t Target) error {
	if err := t.Check(); err != nil {
		return err
	}
	before, err := tx.editable(ctx, t.ID)
	if err != nil {
		return err
	}
	if before.Protocol != t.Protocol {
		// Accounts and their credentials were made for the other one.
		return &InvalidError{[]Problem{{"protocol", fmt.Sprintf("%q cannot become %q: make another target", before.Protocol, t.Protocol)}}}
	}
	if before.Address != t.Address {
		if err := tx.db.Targets.ForgetCertificate(ctx, t.ID); err != nil {
			return err
		}
	}
	return tx.update(ctx, t)
}

func (tx *Tx) update(ctx context.Context, t Target) error {
	t.UpdatedAt = tx.r.now()
	row, err := t.row()
	if err != nil {
		return err
	}
	return known(tx.db.Targets.Update(ctx, row))
}

// Delete removes a target with its accounts, their secrets and the certificate it is held to. The errors are ErrNotFound,
// ErrStale and ErrConfigured.
func (tx *Tx) Delete(ctx context.Context, id string, revision int64) error {
	if _, err := tx.editable(ctx, id); err != nil {
		return err
	}
	if err := tx.db.Targets.Delete(ctx, id, revision, string(vault.AccountPassword)); err != nil {
		return known(err)
	}
	return tx.db.Targets.ForgetCertificate(ctx, id)
}

// CreateAccount adds an account to a.TargetID and returns it with its id. password is for KindStored only. The errors are
// *InvalidError, ErrNotFound, ErrConfigured, ErrAccountExists and ErrTooMany.
func (tx *Tx) CreateAccount(ctx context.Context, a Account, password Password) (Account, error) {
	t, err := tx.editable(ctx, a.TargetID)
	if err != nil {
		return Account{}, err
	}
	if len(t.Accounts) >= MaxAccounts {
		return Account{}, fmt.Errorf("%w: the target has %d accounts", ErrTooMany, len(t.Accounts))
	}
	if err := errors.Join(a.Check(t.Protocol), checkPassword(a.Source, password)); err != nil {
		return Account{}, err
	}
	a.ID, a.CreatedAt, a.Revision = ulid.Make().String(), tx.r.now(), 1
	a.UpdatedAt = a.CreatedAt
	if a.Source.Kind != KindNone {
		a.SetAt = a.CreatedAt
	}
	return a, tx.createAccount(ctx, a, password)
}

func (tx *Tx) createAccount(ctx context.Context, a Account, password Password) error {
	row, err := a.row()
	if err != nil {
		return err
	}
	if err := tx.db.Targets.CreateAccount(ctx, row); err != nil {
		if errors.Is(err, store.ErrExists) {
			return ErrAccountExists
		}
		return err
	}
	return tx.seal(ctx, a, password)
}

// UpdateAccount replaces the account of a's id and revision, but for its source. The errors are *InvalidError,
// ErrUnknownAccount, ErrStale, ErrConfigured and ErrAccountExists.
func (tx *Tx) UpdateAccount(ctx context.Context, a Account) error {
	before, t, err := tx.account(ctx, a.TargetID, a.ID)
	if err != nil {
		return err
	}
	if err := a.Check(t.Protocol); err != nil {
		return err
	}
	a.Source, a.SetAt = before.Source, before.SetAt
	return tx.updateAccount(ctx, a)
}

// SetCredential says where the password of an account of that revision is. password is for KindStored only, and sealed.
// The errors are *InvalidError, ErrUnknownAccount, ErrStale and ErrConfigured.
func (tx *Tx) SetCredential(ctx context.Context, target, account string, revision int64, source Source, password Password) error {
	a, _, err := tx.account(ctx, target, account)
	if err != nil {
		return err
	}
	if err := errors.Join(CheckSource(&source), checkPassword(source, password)); err != nil {
		return err
	}
	a.Source, a.Revision, a.SetAt = source, revision, tx.r.now()
	if err := tx.updateAccount(ctx, a); err != nil {
		return err
	}
	return tx.seal(ctx, a, password)
}

func (tx *Tx) updateAccount(ctx context.Context, a Account) error {
	a.UpdatedAt = tx.r.now()
	row, err := a.row()
	if err != nil {
		return err
	}
	err = tx.db.Targets.UpdateAccount(ctx, row)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrUnknownAccount
	case errors.Is(err, store.ErrExists):
		return ErrAccountExists
	}
	return known(err)
}

// seal keeps the password of an account, or forgets the one it had.
func (tx *Tx) seal(ctx context.Context, a Account, password Password) error {
	if a.Source.Kind != KindStored {
		return tx.db.Secrets.Delete(ctx, string(vault.AccountPassword), a.ID)
	}
	s, err := tx.r.vault.Wrap(vault.AccountPassword, a.ID, password.Reveal())
	if err != nil {
		return err
	}
	return tx.db.Secrets.Put(ctx, s)
}

// PasswordIs tells whether password is the one that is sealed for an account. One that does not open is another.
func (tx *Tx) PasswordIs(ctx context.Context, a Account, password Password) (bool, error) {
	s, err := tx.db.Secrets.Get(ctx, string(vault.AccountPassword), a.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was, err := tx.r.vault.Unwrap(s)
	if err != nil {
		return false, nil //nolint:nilerr // whoever sets it anew puts it right
	}
	defer clear(was)
	return subtle.ConstantTimeCompare(was, password.Reveal()) == 1, nil
}

// DeleteAccount removes an account of that revision and its secret. The errors are ErrUnknownAccount, ErrStale and
// ErrConfigured.
func (tx *Tx) DeleteAccount(ctx context.Context, target, account string, revision int64) error {
	if _, _, err := tx.account(ctx, target, account); err != nil {
		return err
	}
	return known(tx.db.Targets.DeleteAccount(ctx, account, revision, string(vault.AccountPassword)))
}

// editable returns a target that is not the configuration file's.
func (tx *Tx) editable(ctx context.Context, id string) (Target, error) {
	t, err := tx.Get(ctx, id)
	if err == nil && t.Origin == store.OriginConfig {
		err = ErrConfigured
	}
	return t, err
}

// account returns an account that may be changed, and its target. It is known by its id.
func (tx *Tx) account(ctx context.Context, target, id string) (Account, Target, error) {
	t, err := tx.editable(ctx, target)
	if err != nil {
		return Account{}, Target{}, err
	}
	for _, a := range t.Accounts {
		if a.ID == id {
			return a, t, nil
		}
	}
	return Account{}, Target{}, ErrUnknownAccount
}

func checkPassword(source Source, password Password) error {
	switch n := len(password.Reveal()); {
	case source.Kind == KindConfig:
		return &InvalidError{[]Problem{{"credential.kind", `"config" is for the configuration file`}}}
	case source.Kind != KindStored && n > 0:
		return &InvalidError{[]Problem{{"credential.password", "is only for kind stored"}}}
	case source.Kind == KindStored && n == 0:
		return &InvalidError{[]Problem{{"credential.password", "is needed for kind stored"}}}
	case n > MaxPasswordBytes:
		return &InvalidError{[]Problem{{"credential.password", fmt.Sprintf("holds %d bytes, more than %d", n, MaxPasswordBytes)}}}
	}
	return nil
}
