package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// BrowserSession is a sign-in of a browser, known by the hash of its cookie.
type BrowserSession struct {
	TokenHash string
	UserID    string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // absolute end, however much it is used
	Address   string    // the client's, at sign-in
}

// BrowserSessions is the table of sign-ins.
type BrowserSessions struct{ db *sql.DB }

// Create adds b.
func (r *BrowserSessions) Create(ctx context.Context, b BrowserSession) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO browser_sessions (token_hash, user_id, created_at, seen_at, expires_at, address)
		 VALUES ($1, $2, $3, $4, $5, $6)`,
		b.TokenHash, b.UserID, toMicros(b.CreatedAt), toMicros(b.SeenAt), toMicros(b.ExpiresAt), b.Address)
	if err != nil {
		return fmt.Errorf("store: create browser session: %w", mapError(err))
	}
	return nil
}

// Get returns the sign-in of that token hash, or ErrNotFound.
func (r *BrowserSessions) Get(ctx context.Context, tokenHash string) (BrowserSession, error) {
	b := BrowserSession{TokenHash: tokenHash}
	var created, seen, expires int64
	err := r.db.QueryRowContext(ctx,
		`SELECT user_id, created_at, seen_at, expires_at, address FROM browser_sessions WHERE token_hash = $1`,
		tokenHash).Scan(&b.UserID, &created, &seen, &expires, &b.Address)
	if err != nil {
		return BrowserSession{}, fmt.Errorf("store: browser session: %w", mapError(err))
	}
	b.CreatedAt, b.SeenAt, b.ExpiresAt = fromMicros(created), fromMicros(seen), fromMicros(expires)
	return b, nil
}

// Seen notes that the browser was there at that time.
func (r *BrowserSessions) Seen(ctx context.Context, tokenHash string, at time.Time) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE browser_sessions SET seen_at = $1 WHERE token_hash = $2`, toMicros(at), tokenHash)); err != nil {
		return fmt.Errorf("store: browser session seen: %w", err)
	}
	return nil
}

// Delete ends a sign-in. Deleting one that is not there is no error.
func (r *BrowserSessions) Delete(ctx context.Context, tokenHash string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM browser_sessions WHERE token_hash = $1`, tokenHash); err != nil {
		return fmt.Errorf("store: delete browser session: %w", err)
	}
	return nil
}

// DeleteOfUser ends every sign-in of a user.
func (r *BrowserSessions) DeleteOfUser(ctx context.Context, userID string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM browser_sessions WHERE user_id = $1`, userID); err != nil {
		return fmt.Errorf("store: delete browser sessions of a user: %w", err)
	}
	return nil
}

// DeleteExpired removes what ended before now or was not seen since idle, and returns how many.
func (r *BrowserSessions) DeleteExpired(ctx context.Context, now, idle time.Time) (int64, error) {
	result, err := r.db.ExecContext(ctx,
		`DELETE FROM browser_sessions WHERE expires_at <= $1 OR seen_at <= $2`, toMicros(now), toMicros(idle))
	if err != nil {
		return 0, fmt.Errorf("store: delete expired browser sessions: %w", err)
	}
	return result.RowsAffected()
}
