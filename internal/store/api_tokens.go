package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// APIToken is what a program acts for a user with, known by the hash of the token.
type APIToken struct {
	ID          string
	UserID      string
	Name        string // the user's own, for telling them apart
	TokenHash   string
	Scopes      []string // actions
	CreatedAt   time.Time
	ExpiresAt   time.Time
	LastUsedAt  time.Time // zero: never
	LastAddress string    // the client's, at the last use
}

// APITokens is the table of tokens.
type APITokens struct {
	db    conn
	store *Store // for what takes several statements
}

const tokenColumns = `id, user_id, name, token_hash, scopes, created_at, expires_at, last_used_at, last_address`

// Create adds t unless its user has max tokens already, which is ErrTooMany.
func (r *APITokens) Create(ctx context.Context, t APIToken, most int) error {
	return r.tx(ctx, func(db conn) error {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM api_tokens WHERE user_id = $1`, t.UserID).Scan(&n); err != nil {
			return fmt.Errorf("store: count tokens: %w", err)
		}
		if n >= most {
			return fmt.Errorf("store: create token: %w", ErrTooMany)
		}
		_, err := db.ExecContext(ctx,
			`INSERT INTO api_tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.ID, t.UserID, t.Name, t.TokenHash, strings.Join(t.Scopes, " "), toMicros(t.CreatedAt), toMicros(t.ExpiresAt),
			timeOrNull(t.LastUsedAt), t.LastAddress)
		if err != nil {
			return fmt.Errorf("store: create token: %w", mapError(err))
		}
		return nil
	})
}

// ByHash returns the token of that hash, or ErrNotFound.
func (r *APITokens) ByHash(ctx context.Context, hash string) (APIToken, error) {
	t, err := scanToken(r.db.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM api_tokens WHERE token_hash = $1`, hash))
	if err != nil {
		return APIToken{}, fmt.Errorf("store: token: %w", mapError(err))
	}
	return t, nil
}

// OfUser returns the tokens of a user, newest first.
func (r *APITokens) OfUser(ctx context.Context, user string) ([]APIToken, error) {
	return collect(ctx, r.db, "tokens", scanToken,
		`SELECT `+tokenColumns+` FROM api_tokens WHERE user_id = $1 ORDER BY created_at DESC, id`, user)
}

// Used notes that a token was used. One that is gone is no error.
func (r *APITokens) Used(ctx context.Context, id string, at time.Time, address string) error {
	if _, err := r.db.ExecContext(ctx,
		`UPDATE api_tokens SET last_used_at = $1, last_address = $2 WHERE id = $3`, toMicros(at), address, id); err != nil {
		return fmt.Errorf("store: token used: %w", err)
	}
	return nil
}

// Delete revokes a token of a user. ErrNotFound: the user has none of that id.
func (r *APITokens) Delete(ctx context.Context, user, id string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM api_tokens WHERE user_id = $1 AND id = $2`, user, id)); err != nil {
		return fmt.Errorf("store: delete token: %w", err)
	}
	return nil
}

// DeleteOfUser revokes every token of a user.
func (r *APITokens) DeleteOfUser(ctx context.Context, user string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM api_tokens WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("store: delete tokens of a user: %w", err)
	}
	return nil
}

// DeleteExpired removes the tokens that ended before that time, and returns how many.
func (r *APITokens) DeleteExpired(ctx context.Context, before time.Time) (int64, error) {
	result, err := r.db.ExecContext(ctx, `DELETE FROM api_tokens WHERE expires_at <= $1`, toMicros(before))
	if err != nil {
		return 0, fmt.Errorf("store: delete expired tokens: %w", err)
	}
	return result.RowsAffected()
}

func scanToken(row scanner) (APIToken, error) {
	var t APIToken
	var scopes string
	var created, expires int64
	var used sql.NullInt64
	err := row.Scan(&t.ID, &t.UserID, &t.Name, &t.TokenHash, &scopes, &created, &expires, &used, &t.LastAddress)
	t.Scopes = strings.Fields(scopes)
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt = fromMicros(created), fromMicros(expires), timeOf(used)
	return t, err
}

// tx runs do with the connection of one transaction.
func (r *APITokens) tx(ctx context.Context, do func(db conn) error) error {
	return r.store.Tx(ctx, func(tx *Store) error { return do(tx.APITokens.db) })
}
