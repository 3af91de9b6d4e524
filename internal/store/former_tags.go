package store

import (
	"context"
	"fmt"
)

// What is kept of the tags of accounts, and of targets.
const (
	keepAccountTags = `INSERT INTO former_tags (target_id, account, tag)
		SELECT a.target_id, a.name, t.tag FROM target_accounts a JOIN account_tags t ON t.account_id = a.id WHERE %s ON CONFLICT DO NOTHING`
	keepTargetTags = `INSERT INTO former_tags (target_id, account, tag)
		SELECT target_id, '', tag FROM target_tags WHERE target_id = $1 ON CONFLICT DO NOTHING`
)

// FormerTags returns the tags that a target, and an account on it, had when they were removed, sorted. An account that was
// given another name counts as removed under the one before; the empty name is none.
func (r *Targets) FormerTags(ctx context.Context, target, account string) (ofTarget, ofAccount []string, err error) {
	rows, err := r.db.QueryContext(ctx,
		`SELECT account, tag FROM former_tags WHERE target_id = $1 AND (account = '' OR account = $2) ORDER BY tag`, target, account)
	if err != nil {
		return nil, nil, fmt.Errorf("store: former tags: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var of, tag string
		if err := rows.Scan(&of, &tag); err != nil {
			return nil, nil, fmt.Errorf("store: former tags: %w", err)
		}
		if of == "" {
			ofTarget = append(ofTarget, tag)
		} else {
			ofAccount = append(ofAccount, tag)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("store: former tags: %w", err)
	}
	return ofTarget, ofAccount, nil
}

// keepTags remembers the tags of the accounts that match where, before they go.
func (r *Targets) keepTags(ctx context.Context, where string, args ...any) error {
	if _, err := r.db.ExecContext(ctx, fmt.Sprintf(keepAccountTags, where), args...); err != nil {
		return fmt.Errorf("store: keep tags: %w", err)
	}
	return nil
}

// keepAllTags remembers the tags of a target and its accounts, before they go.
func (r *Targets) keepAllTags(ctx context.Context, target string) error {
	if _, err := r.db.ExecContext(ctx, keepTargetTags, target); err != nil {
		return fmt.Errorf("store: keep tags: %w", err)
	}
	return r.keepTags(ctx, `a.target_id = $1`, target)
}
