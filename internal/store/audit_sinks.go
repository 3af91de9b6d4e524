package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LeaseSink takes or renews the right to serve a sink until then, unless another owner has it at now, and returns the
// index of the first entry that was not sent.
func (r *Audit) LeaseSink(ctx context.Context, name, owner string, now, until time.Time) (next int64, mine bool, err error) {
	_, err = r.conn.ExecContext(ctx, `INSERT INTO audit_sinks (name) VALUES ($1) ON CONFLICT DO NOTHING`, name)
	if err == nil {
		err = r.conn.QueryRowContext(ctx,
			`UPDATE audit_sinks SET owner = $1, lease_until = $2 WHERE name = $3 AND (owner = $1 OR lease_until <= $4) RETURNING next`,
			owner, toMicros(until), name, toMicros(now)).Scan(&next)
	}
	if err = mapError(err); errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("store: audit sink: %w", err)
	}
	return next, true, nil
}

// MoveSink notes how far a sink was served. It returns ErrNotFound when owner has lost the lease.
func (r *Audit) MoveSink(ctx context.Context, name, owner string, next int64) error {
	if err := one(r.conn.ExecContext(ctx, `UPDATE audit_sinks SET next = $1 WHERE name = $2 AND owner = $3`, next, name, owner)); err != nil {
		return fmt.Errorf("store: audit sink: %w", err)
	}
	return nil
}

// FreeSink gives the lease back.
func (r *Audit) FreeSink(ctx context.Context, name, owner string) error {
	if _, err := r.conn.ExecContext(ctx, `UPDATE audit_sinks SET lease_until = 0 WHERE name = $1 AND owner = $2`, name, owner); err != nil {
		return fmt.Errorf("store: audit sink: %w", err)
	}
	return nil
}

// SinkNext returns the index of the first entry that was not sent, or ErrNotFound for a sink that was never served.
func (r *Audit) SinkNext(ctx context.Context, name string) (int64, error) {
	var next int64
	if err := r.conn.QueryRowContext(ctx, `SELECT next FROM audit_sinks WHERE name = $1`, name).Scan(&next); err != nil {
		return 0, fmt.Errorf("store: audit sink: %w", mapError(err))
	}
	return next, nil
}
