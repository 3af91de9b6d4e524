package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrConflict is returned for a change of something that has changed meanwhile.
var ErrConflict = errors.New("store: changed meanwhile")

// Policy is a text of policies. Of a version Deleted may be set: then the policy was removed at that revision.
type Policy struct {
	ID            string
	Name          string
	Text          string
	Enabled       bool
	Deleted       bool
	Revision      int64 // of all policies, when this one was written
	UpdatedBy     string
	UpdatedByName string
	UpdatedAt     time.Time
}

// Policies is the table of policies and of all their versions.
type Policies struct{ db conn }

const policyColumns = `id, name, text, enabled, revision, updated_by, updated_by_name, updated_at`

// Revision returns a number that changes with every change of any policy; 0 before there are any.
func (r *Policies) Revision(ctx context.Context) (int64, error) {
	var n int64
	err := r.db.QueryRowContext(ctx, `SELECT revision FROM policy_state WHERE id = 1`).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("store: policies' revision: %w", err)
	}
	return n, nil
}

// List returns all policies, by id, and the revision they are of.
func (r *Policies) List(ctx context.Context) ([]Policy, int64, error) {
	for {
		before, err := r.Revision(ctx)
		if err != nil {
			return nil, 0, err
		}
		list, err := r.list(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("store: list policies: %w", err)
		}
		after, err := r.Revision(ctx)
		if err != nil {
			return nil, 0, err
		}
		if before == after { // else somebody wrote in between
			return list, after, nil
		}
	}
}

func (r *Policies) list(ctx context.Context) ([]Policy, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+policyColumns+` FROM policies ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Policy
	for rows.Next() {
		var p Policy
		if err := scanPolicy(rows, &p); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// Get returns the policy of that id, or ErrNotFound.
func (r *Policies) Get(ctx context.Context, id string) (Policy, error) {
	var p Policy
	if err := scanPolicy(r.db.QueryRowContext(ctx, `SELECT `+policyColumns+` FROM policies WHERE id = $1`, id), &p); err != nil {
		return Policy{}, fmt.Errorf("store: policy: %w", mapError(err))
	}
	return p, nil
}

// Versions returns what a policy was, newest first; before is a revision, 0 for the newest.
func (r *Policies) Versions(ctx context.Context, id string, before int64, limit int) ([]Policy, error) {
	rows, err := r.db.QueryContext(ctx,
		`SELECT policy_id, name, text, enabled, revision, updated_by, updated_by_name, updated_at, deleted FROM policy_versions
		 WHERE policy_id = $1 AND ($2 = 0 OR revision < $2) ORDER BY revision DESC LIMIT $3`, id, before, limit)
	if err != nil {
		return nil, fmt.Errorf("store: policy versions: %w", err)
	}
	defer rows.Close()
	var list []Policy
	for rows.Next() {
		var p Policy
		var deleted int
		if err := scanPolicy(rows, &p, &deleted); err != nil {
			return nil, fmt.Errorf("store: policy versions: %w", err)
		}
		p.Deleted = deleted != 0
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: policy versions: %w", err)
	}
	return list, nil
}

// Change writes policies, all or none, so call it in a Tx: those with Deleted are removed, the others put in place. base is
// the revision of the policies the caller has seen; when it is not the present one the error wraps ErrConflict. It returns
// the new revision.
func (r *Policies) Change(ctx context.Context, base int64, changes []Policy) (int64, error) {
	next := base + 1
	var moved sql.Result
	var err error
	if base == 0 {
		moved, err = r.db.ExecContext(ctx, `INSERT INTO policy_state (id, revision) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, next)
	} else {
		moved, err = r.db.ExecContext(ctx, `UPDATE policy_state SET revision = $1 WHERE id = 1 AND revision = $2`, next, base)
	}
	if err = one(moved, err); errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("store: change policies: %w", ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("store: change policies: %w", err)
	}
	for _, p := range changes {
		if err := r.change(ctx, p, next); err != nil {
			return 0, fmt.Errorf("store: change policy %s: %w", p.ID, mapError(err))
		}
	}
	return next, nil
}

func (r *Policies) change(ctx context.Context, p Policy, revision int64) error {
	var err error
	if p.Deleted {
		err = one(r.db.ExecContext(ctx, `DELETE FROM policies WHERE id = $1`, p.ID))
	} else {
		_, err = r.db.ExecContext(ctx,
			`INSERT INTO policies (`+policyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			 ON CONFLICT (id) DO UPDATE SET name = excluded.name, text = excluded.text, enabled = excluded.enabled,
				revision = excluded.revision, updated_by = excluded.updated_by, updated_by_name = excluded.updated_by_name, updated_at = excluded.updated_at`,
			p.ID, p.Name, p.Text, flag(p.Enabled), revision, p.UpdatedBy, p.UpdatedByName, toMicros(p.UpdatedAt))
	}
	if err != nil {
		return err
	}
	_, err = r.db.ExecContext(ctx,
		`INSERT INTO policy_versions (policy_id, revision, name, text, enabled, deleted, updated_by, updated_by_name, updated_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		p.ID, revision, p.Name, p.Text, flag(p.Enabled), flag(p.Deleted), p.UpdatedBy, p.UpdatedByName, toMicros(p.UpdatedAt))
	return err
}

func scanPolicy(row interface{ Scan(...any) error }, p *Policy, more ...any) error {
	var enabled int
	var updated int64
	err := row.Scan(append([]any{&p.ID, &p.Name, &p.Text, &enabled, &p.Revision, &p.UpdatedBy, &p.UpdatedByName, &updated}, more...)...)
	p.Enabled, p.UpdatedAt = enabled != 0, fromMicros(updated)
	return err
}
