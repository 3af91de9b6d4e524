package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// NativeTicket lets a native client in, once and in time.
type NativeTicket struct {
	Hash      string // SHA-256 of the ticket, hex
	UserID    string
	UserName  string
	TargetID  string
	AccountID string
	GrantID   string    // of an access request; empty: it needed none
	Source    string    // the only address it may come from; empty: any
	Reason    string    // what a policy wanted to know
	Change    string    // the number of the change or incident
	MFAAt     time.Time // when the sign-in proved a second factor; zero: it did not
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not used
}

// NativeTickets is the table of them.
type NativeTickets struct{ db conn }

const nativeTicketColumns = `hash, user_id, user_name, target_id, account_id, grant_id, source, reason, change_no, mfa_at, created_at, expires_at, used_at`

// Create adds a ticket.
func (r *NativeTickets) Create(ctx context.Context, t NativeTicket) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO native_tickets (`+nativeTicketColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL)`,
		t.Hash, t.UserID, t.UserName, t.TargetID, t.AccountID, t.GrantID, t.Source, t.Reason, t.Change,
		timeOrNull(t.MFAAt), toMicros(t.CreatedAt), toMicros(t.ExpiresAt))
	if err != nil {
		return fmt.Errorf("store: create native ticket: %w", mapError(err))
	}
	return nil
}

// Use uses a ticket that is neither used nor expired at now, and returns it. One of many who use it at once gets it, the others
// ErrNotFound.
func (r *NativeTickets) Use(ctx context.Context, hash string, now time.Time) (NativeTicket, error) {
	return r.one(ctx,
		`UPDATE native_tickets SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1 RETURNING `+nativeTicketColumns,
		toMicros(now), hash)
}

// Get returns a ticket, used or not, or ErrNotFound.
func (r *NativeTickets) Get(ctx context.Context, hash string) (NativeTicket, error) {
	return r.one(ctx, `SELECT `+nativeTicketColumns+` FROM native_tickets WHERE hash = $1`, hash)
}

// DeleteExpired removes tickets that expired before a time, used or not, and returns how many.
func (r *NativeTickets) DeleteExpired(ctx context.Context, before time.Time) (int64, error) {
	result, err := r.db.ExecContext(ctx, `DELETE FROM native_tickets WHERE expires_at <= $1`, toMicros(before))
	if err != nil {
		return 0, fmt.Errorf("store: delete expired native tickets: %w", err)
	}
	return result.RowsAffected()
}

func (r *NativeTickets) one(ctx context.Context, query string, args ...any) (NativeTicket, error) {
	var t NativeTicket
	var created, expires int64
	var mfa, used sql.NullInt64
	err := r.db.QueryRowContext(ctx, query, args...).Scan(&t.Hash, &t.UserID, &t.UserName, &t.TargetID, &t.AccountID, &t.GrantID,
		&t.Source, &t.Reason, &t.Change, &mfa, &created, &expires, &used)
	if err != nil {
		return NativeTicket{}, fmt.Errorf("store: native ticket: %w", mapError(err))
	}
	t.MFAAt, t.CreatedAt, t.ExpiresAt, t.UsedAt = timeOf(mfa), fromMicros(created), fromMicros(expires), timeOf(used)
	return t, nil
}
