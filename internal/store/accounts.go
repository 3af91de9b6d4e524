package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Account is somebody on a target, as it rests. Reference is JSON, which package target reads; it holds no secret.
type Account struct {
	ID           string // ULID
	TargetID     string
	Name         string // unique on its target
	Username     string
	Domain       string
	Description  string
	Tags         []string // sorted
	Credential   string   // the kind
	Reference    string
	CredentialAt time.Time // when it was set; zero: never
	Revision     int64     // counts changes, from 1
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

const accountColumns = `id, target_id, name, username, domain, description, credential, reference, credential_at, revision, created_at, updated_at`

// Account returns the account of that id, or ErrNotFound.
func (r *Targets) Account(ctx context.Context, id string) (Account, error) {
	a, err := scanAccount(r.db.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM target_accounts WHERE id = $1`, id))
	if err != nil {
		return Account{}, fmt.Errorf("store: account: %w", mapError(err))
	}
	tags, err := r.tags(ctx, `account_tags`, `account_id`, []string{id})
	a.Tags = tags[id]
	return a, err
}

// Accounts returns the accounts of targets by the target's id, each list by name.
func (r *Targets) Accounts(ctx context.Context, targets ...string) (map[string][]Account, error) {
	byTarget := make(map[string][]Account, len(targets))
	var ids []string
	query := `SELECT ` + accountColumns + ` FROM target_accounts WHERE target_id IN (%s) ORDER BY name`
	err := r.eachBatch(ctx, query, targets, func(rows *sql.Rows) error {
		a, err := scanAccount(rows)
		if err != nil {
			return err
		}
		byTarget[a.TargetID] = append(byTarget[a.TargetID], a)
		ids = append(ids, a.ID)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: accounts: %w", err)
	}
	tags, err := r.tags(ctx, `account_tags`, `account_id`, ids)
	if err != nil {
		return nil, err
	}
	for _, list := range byTarget {
		for i := range list {
			list[i].Tags = tags[list[i].ID]
		}
	}
	return byTarget, nil
}

// CreateAccount adds an account, or returns ErrExists. Its revision is 1.
func (r *Targets) CreateAccount(ctx context.Context, a Account) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO target_accounts (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		a.ID, a.TargetID, a.Name, a.Username, a.Domain, a.Description, a.Credential, a.Reference, microsOrNull(a.CredentialAt), 1,
		toMicros(a.CreatedAt), toMicros(a.UpdatedAt))
	if err != nil {
		return fmt.Errorf("store: create account: %w", mapError(err))
	}
	return r.setTags(ctx, `account_tags`, `account_id`, a.ID, a.Tags)
}

// UpdateAccount replaces an account of a's revision, which it counts up: ErrStale when there is another by now,
// ErrNotFound when it is gone, ErrExists when the target has another account of its name.
func (r *Targets) UpdateAccount(ctx context.Context, a Account) error {
	if err := r.keepTags(ctx, `a.id = $1 AND a.name <> $2`, a.ID, a.Name); err != nil {
		return fmt.Errorf("store: update account: %w", err)
	}
	result, err := r.db.ExecContext(ctx,
		`UPDATE target_accounts SET name = $1, username = $2, domain = $3, description = $4, credential = $5, reference = $6,
			credential_at = $7, updated_at = $8, revision = revision + 1
		 WHERE id = $9 AND revision = $10`,
		a.Name, a.Username, a.Domain, a.Description, a.Credential, a.Reference, microsOrNull(a.CredentialAt), toMicros(a.UpdatedAt),
		a.ID, a.Revision)
	if err := r.changed(ctx, `target_accounts`, a.ID, result, err); err != nil {
		return fmt.Errorf("store: update account: %w", err)
	}
	return r.setTags(ctx, `account_tags`, `account_id`, a.ID, a.Tags)
}

// DeleteAccount removes an account of that revision, with its secret of purpose.
func (r *Targets) DeleteAccount(ctx context.Context, id string, revision int64, purpose string) error {
	if err := r.keepTags(ctx, `a.id = $1`, id); err != nil {
		return fmt.Errorf("store: delete account: %w", err)
	}
	if _, err := r.db.ExecContext(ctx, `DELETE FROM secrets WHERE purpose = $1 AND record_id = $2`, purpose, id); err != nil {
		return fmt.Errorf("store: delete account: %w", err)
	}
	result, err := r.db.ExecContext(ctx, `DELETE FROM target_accounts WHERE id = $1 AND revision = $2`, id, revision)
	if err := r.changed(ctx, `target_accounts`, id, result, err); err != nil {
		return fmt.Errorf("store: delete account: %w", err)
	}
	return nil
}

func microsOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: toMicros(t), Valid: !t.IsZero()}
}

func scanAccount(row interface{ Scan(...any) error }) (Account, error) {
	var a Account
	var set sql.NullInt64
	var created, updated int64
	err := row.Scan(&a.ID, &a.TargetID, &a.Name, &a.Username, &a.Domain, &a.Description, &a.Credential, &a.Reference, &set,
		&a.Revision, &created, &updated)
	if set.Valid {
		a.CredentialAt = fromMicros(set.Int64)
	}
	a.CreatedAt, a.UpdatedAt = fromMicros(created), fromMicros(updated)
	return a, err
}
