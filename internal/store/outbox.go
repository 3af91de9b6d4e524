package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Delivery is a notification on its way out of the gateway.
type Delivery struct {
	ID        string // ULID
	EventID   string // of what it tells of; others may tell of the same
	Channel   string // webhook, email
	Recipient string // the webhook's name, the mail's address
	Urgent    bool
	Payload   string
	Attempts  int
	NextAt    time.Time // when it is tried
	CreatedAt time.Time
	Error     string // of the last try
}

// Outbox is the table of deliveries: waiting, sent, failed.
type Outbox struct{ db conn }

// Add puts a delivery among those that wait.
func (r *Outbox) Add(ctx context.Context, d Delivery) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO notification_deliveries (id, event_id, channel, recipient, urgent, payload, state, attempts, next_at, created_at, error)
		 VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 0, $7, $8, '')`,
		d.ID, d.EventID, d.Channel, d.Recipient, flag(d.Urgent), d.Payload, toMicros(d.NextAt), toMicros(d.CreatedAt))
	if err != nil {
		return fmt.Errorf("store: add delivery: %w", mapError(err))
	}
	return nil
}

// Waiting returns how many deliveries wait.
func (r *Outbox) Waiting(ctx context.Context) (int, error) { return r.count(ctx, `state = 'waiting'`) }

// Failed returns how many deliveries were given up.
func (r *Outbox) Failed(ctx context.Context) (int, error) { return r.count(ctx, `state = 'failed'`) }

// Since returns how many deliveries to a recipient were made since at, whatever became of them.
func (r *Outbox) Since(ctx context.Context, recipient string, at time.Time) (int, error) {
	return r.count(ctx, `recipient = $1 AND created_at >= $2`, recipient, toMicros(at))
}

func (r *Outbox) count(ctx context.Context, what string, args ...any) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM notification_deliveries WHERE `+what, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count deliveries: %w", err)
	}
	return n, nil
}

// Due returns at most limit deliveries to try at now, urgent ones first, then those that waited longest. The sent and
// the failed are not among them.
func (r *Outbox) Due(ctx context.Context, now time.Time, limit int) ([]Delivery, error) {
	rows, err := r.db.QueryContext(ctx,
		`SELECT id, event_id, channel, recipient, urgent, payload, attempts, next_at, created_at, error FROM notification_deliveries
		 WHERE state = 'waiting' AND next_at <= $1 ORDER BY urgent DESC, next_at, id LIMIT $2`, toMicros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("store: due deliveries: %w", err)
	}
	defer rows.Close()
	var list []Delivery
	for rows.Next() {
		var d Delivery
		var urgent int
		var next, created int64
		if err := rows.Scan(&d.ID, &d.EventID, &d.Channel, &d.Recipient, &urgent, &d.Payload, &d.Attempts, &next, &created, &d.Error); err != nil {
			return nil, fmt.Errorf("store: due deliveries: %w", err)
		}
		d.Urgent, d.NextAt, d.CreatedAt = urgent != 0, fromMicros(next), fromMicros(created)
		list = append(list, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: due deliveries: %w", err)
	}
	return list, nil
}

// Claim moves d ahead to until, so that nobody else tries it meanwhile, and tells whether it was still as d says.
func (r *Outbox) Claim(ctx context.Context, d Delivery, until time.Time) (bool, error) {
	err := one(r.db.ExecContext(ctx,
		`UPDATE notification_deliveries SET next_at = $1, attempts = attempts + 1 WHERE id = $2 AND state = 'waiting' AND attempts = $3`,
		toMicros(until), d.ID, d.Attempts))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: claim delivery: %w", err)
	}
	return true, nil
}

// Sent notes that a delivery arrived. What it said is forgotten.
func (r *Outbox) Sent(ctx context.Context, id string) error {
	return r.set(ctx, `state = 'sent', payload = '', error = ''`, id)
}

// Retry notes why a try failed and when the next is.
func (r *Outbox) Retry(ctx context.Context, id, reason string, next time.Time) error {
	return r.set(ctx, `error = $2, next_at = $3`, id, reason, toMicros(next))
}

// Fail gives a delivery up.
func (r *Outbox) Fail(ctx context.Context, id, reason string) error {
	return r.set(ctx, `state = 'failed', payload = '', error = $2`, id, reason)
}

func (r *Outbox) set(ctx context.Context, what, id string, args ...any) error {
	_, err := r.db.ExecContext(ctx, `UPDATE notification_deliveries SET `+what+` WHERE id = $1 AND state = 'waiting'`, append([]any{id}, args...)...)
	if err != nil {
		return fmt.Errorf("store: note delivery: %w", err)
	}
	return nil
}

// DropOldest gives up the oldest of the waiting deliveries that are not urgent, to make room for an urgent one.
func (r *Outbox) DropOldest(ctx context.Context, reason string) error {
	_, err := r.db.ExecContext(ctx,
		`UPDATE notification_deliveries SET state = 'failed', payload = '', error = $1
		 WHERE id = (SELECT MIN(id) FROM notification_deliveries WHERE state = 'waiting' AND urgent = 0)`, reason)
	if err != nil {
		return fmt.Errorf("store: drop delivery: %w", err)
	}
	return nil
}

// DeleteDoneBefore removes what was sent or given up and is older than at.
func (r *Outbox) DeleteDoneBefore(ctx context.Context, at time.Time) error {
	_, err := r.db.ExecContext(ctx, `DELETE FROM notification_deliveries WHERE state <> 'waiting' AND created_at < $1`, toMicros(at))
	if err != nil {
		return fmt.Errorf("store: delete deliveries: %w", err)
	}
	return nil
}
