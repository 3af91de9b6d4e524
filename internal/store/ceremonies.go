package store

import (
	"context"
	"fmt"
	"time"
)

// maxCeremonies bounds the table: strangers can begin ceremonies. When it is full, those that end first make room.
const maxCeremonies = 20_000

// Ceremony is something begun in one request that another finishes, once and in time.
type Ceremony struct {
	ID        string
	UserID    string // empty: not known yet
	Payload   string
	ExpiresAt time.Time
}

// Ceremonies is the table of them.
type Ceremonies struct{ db conn }

// Put adds c or replaces the one of its id, and removes what has expired by now.
func (r *Ceremonies) Put(ctx context.Context, c Ceremony, now time.Time) error {
	if err := r.makeRoom(ctx, now); err != nil {
		return fmt.Errorf("store: ceremonies: %w", err)
	}
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO ceremonies (id, user_id, payload, attempts, expires_at) VALUES ($1, $2, $3, 0, $4)
		 ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, payload = excluded.payload, attempts = 0, expires_at = excluded.expires_at`,
		c.ID, c.UserID, c.Payload, toMicros(c.ExpiresAt))
	if err != nil {
		return fmt.Errorf("store: put ceremony: %w", mapError(err))
	}
	return nil
}

func (r *Ceremonies) makeRoom(ctx context.Context, now time.Time) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM ceremonies WHERE expires_at <= $1`, toMicros(now)); err != nil {
		return err
	}
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM ceremonies`).Scan(&n); err != nil || n < maxCeremonies {
		return err
	}
	_, err := r.db.ExecContext(ctx,
		`DELETE FROM ceremonies WHERE id IN (SELECT id FROM ceremonies ORDER BY expires_at LIMIT $1)`, maxCeremonies/10)
	return err
}

// Get returns the ceremony of that id that has not expired, or ErrNotFound.
func (r *Ceremonies) Get(ctx context.Context, id string, now time.Time) (Ceremony, error) {
	return r.one(ctx, `SELECT id, user_id, payload, expires_at FROM ceremonies WHERE id = $1 AND expires_at > $2`, id, toMicros(now))
}

// Attempt counts a try and returns the ceremony, or ErrNotFound when it has expired or was tried most times already.
func (r *Ceremonies) Attempt(ctx context.Context, id string, most int, now time.Time) (Ceremony, error) {
	return r.one(ctx,
		`UPDATE ceremonies SET attempts = attempts + 1 WHERE id = $1 AND expires_at > $2 AND attempts < $3
		 RETURNING id, user_id, payload, expires_at`, id, toMicros(now), most)
}

// Take removes the ceremony of that id and returns it. One of many who take it at once gets it, the others ErrNotFound.
func (r *Ceremonies) Take(ctx context.Context, id string, now time.Time) (Ceremony, error) {
	return r.one(ctx, `DELETE FROM ceremonies WHERE id = $1 AND expires_at > $2 RETURNING id, user_id, payload, expires_at`, id, toMicros(now))
}

// Delete removes a ceremony. That there is none is no error.
func (r *Ceremonies) Delete(ctx context.Context, id string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM ceremonies WHERE id = $1`, id); err != nil {
		return fmt.Errorf("store: delete ceremony: %w", err)
	}
	return nil
}

func (r *Ceremonies) one(ctx context.Context, query string, args ...any) (Ceremony, error) {
	var c Ceremony
	var expires int64
	if err := r.db.QueryRowContext(ctx, query, args...).Scan(&c.ID, &c.UserID, &c.Payload, &expires); err != nil {
		return Ceremony{}, fmt.Errorf("store: ceremony: %w", mapError(err))
	}
	c.ExpiresAt = fromMicros(expires)
	return c, nil
}
