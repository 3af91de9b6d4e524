package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// BrowserSession is a sign-in of a browser, known by the hash of its cookie.
type BrowserSession struct {
	ID        string // public: what lists show and revoking names
	TokenHash string
	UserID    string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // absolute end, however much it is used
	MFAAt     time.Time // when it proved a second factor; zero: it did not
	Method    string    // password, passkey, oidc:NAME, ldap:NAME
	Address   string    // the client's, at sign-in
	UserAgent string    // the browser's, at sign-in, cut short
}

// BrowserSessions is the table of sign-ins.
type BrowserSessions struct{ db conn }

const browserColumns = `id, token_hash, user_id, created_at, seen_at, expires_at, mfa_at, method, address, user_agent`

// Create adds b.
func (r *BrowserSessions) Create(ctx context.Context, b BrowserSession) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO browser_sessions (`+browserColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		b.ID, b.TokenHash, b.UserID, toMicros(b.CreatedAt), toMicros(b.SeenAt), toMicros(b.ExpiresAt), timeOrNull(b.MFAAt),
		b.Method, b.Address, b.UserAgent)
	if err != nil {
		return fmt.Errorf("store: create browser session: %w", mapError(err))
	}
	return nil
}

// Get returns the sign-in of that token hash, or ErrNotFound.
func (r *BrowserSessions) Get(ctx context.Context, tokenHash string) (BrowserSession, error) {
	b, err := scanBrowser(r.db.QueryRowContext(ctx, `SELECT `+browserColumns+` FROM browser_sessions WHERE token_hash = $1`, tokenHash))
	if err != nil {
		return BrowserSession{}, fmt.Errorf("store: browser session: %w", mapError(err))
	}
	return b, nil
}

// OfUser returns the sign-ins of a user, last used first.
func (r *BrowserSessions) OfUser(ctx context.Context, user string) ([]BrowserSession, error) {
	return collect(ctx, r.db, "browser sessions", scanBrowser,
		`SELECT `+browserColumns+` FROM browser_sessions WHERE user_id = $1 ORDER BY seen_at DESC, id`, user)
}

// Seen notes that the browser was there at that time.
func (r *BrowserSessions) Seen(ctx context.Context, tokenHash string, at time.Time) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE browser_sessions SET seen_at = $1 WHERE token_hash = $2`, toMicros(at), tokenHash)); err != nil {
		return fmt.Errorf("store: browser session seen: %w", err)
	}
	return nil
}

// SetMFA notes that the sign-in proved a second factor at that time.
func (r *BrowserSessions) SetMFA(ctx context.Context, tokenHash string, at time.Time) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE browser_sessions SET mfa_at = $1 WHERE token_hash = $2`, toMicros(at), tokenHash)); err != nil {
		return fmt.Errorf("store: browser session's second factor: %w", err)
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

// Revoke ends the sign-in of that public id. ErrNotFound: the user has none of it.
func (r *BrowserSessions) Revoke(ctx context.Context, user, id string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM browser_sessions WHERE user_id = $1 AND id = $2`, user, id)); err != nil {
		return fmt.Errorf("store: revoke browser session: %w", err)
	}
	return nil
}

// DeleteOfUser ends every sign-in of a user but the one of the token hash keep, which may be empty.
func (r *BrowserSessions) DeleteOfUser(ctx context.Context, userID, keep string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM browser_sessions WHERE user_id = $1 AND token_hash <> $2`, userID, keep); err != nil {
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

func scanBrowser(row scanner) (BrowserSession, error) {
	var b BrowserSession
	var created, seen, expires int64
	var mfa sql.NullInt64
	err := row.Scan(&b.ID, &b.TokenHash, &b.UserID, &created, &seen, &expires, &mfa, &b.Method, &b.Address, &b.UserAgent)
	b.CreatedAt, b.SeenAt, b.ExpiresAt, b.MFAAt = fromMicros(created), fromMicros(seen), fromMicros(expires), timeOf(mfa)
	return b, err
}
