package target

import (
	"context"
	"errors"
	"time"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// Repository is the targets and their accounts. Its methods may be called from any goroutine.
type Repository struct {
	db    *store.Store
	vault Sealer
	now   func() time.Time

	configured map[string]Credential // by target; it never changes after Configure
}

// Sealer seals passwords; a vault.Vault does.
type Sealer interface {
	Wrap(purpose vault.Purpose, record string, plaintext []byte) (store.SealedSecret, error)
	Unwrap(s store.SealedSecret) ([]byte, error)
}

// Filter says which targets a list holds.
type Filter struct {
	Query    string   // words, all of which must be in id, name, description, address or tags
	Tags     []string // all of which it must have
	Protocol string
	Origin   string
	After    Cursor
	Limit    int // 0: no bound
}

// Cursor is a place in the list: after the target of that name and id.
type Cursor = store.TargetCursor

// NewRepository returns the targets of a database.
func NewRepository(db *store.Store, sealer Sealer) *Repository {
	return &Repository{db: db, vault: sealer, now: time.Now}
}

// List returns targets with their accounts, by name and id.
func (r *Repository) List(ctx context.Context, f Filter) ([]Target, error) { return list(ctx, r.db, f) }

func list(ctx context.Context, db *store.Store, f Filter) ([]Target, error) {
	rows, err := db.Targets.List(ctx, store.TargetFilter{
		Query: f.Query, Tags: f.Tags, Protocol: f.Protocol, Origin: f.Origin, After: f.After, Limit: f.Limit,
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	accounts, err := db.Targets.Accounts(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]Target, len(rows))
	for i, row := range rows {
		if out[i], err = join(row, accounts[row.ID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Get returns the target of that id, or ErrNotFound.
func (r *Repository) Get(ctx context.Context, id string) (Target, error) { return get(ctx, r.db, id) }

func get(ctx context.Context, db *store.Store, id string) (Target, error) {
	row, err := db.Targets.Get(ctx, id)
	if err != nil {
		return Target{}, known(err)
	}
	accounts, err := db.Targets.Accounts(ctx, id)
	if err != nil {
		return Target{}, err
	}
	return join(row, accounts[id])
}

// Count returns how many targets there are.
func (r *Repository) Count(ctx context.Context) (int, error) { return r.db.Targets.Count(ctx) }

// Configured returns what the configuration file says to sign in to a target with.
func (r *Repository) Configured(target string) (Credential, bool) {
	c, ok := r.configured[target]
	return c, ok
}

func join(row store.Target, accounts []store.Account) (Target, error) {
	t, err := targetOf(row)
	if err != nil {
		return Target{}, err
	}
	for _, a := range accounts {
		account, err := accountOf(a)
		if err != nil {
			return Target{}, err
		}
		t.Accounts = append(t.Accounts, account)
	}
	return t, nil
}

// known turns what the store says of a target into what callers tell apart.
func known(err error) error {
	for _, k := range []struct{ is, as error }{
		{store.ErrNotFound, ErrNotFound},
		{store.ErrExists, ErrExists},
		{store.ErrStale, ErrStale},
	} {
		if errors.Is(err, k.is) {
			return k.as
		}
	}
	return err
}
