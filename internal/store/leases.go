package store

import (
	"context"
	"fmt"
	"time"
)

// Leases is the table of work that one node does at a time.
type Leases struct{ db conn }

// Take gives holder the work of that name until then, unless another one has it at now. Its own it prolongs.
func (r *Leases) Take(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO leases (name, holder, lease_until) VALUES ($1, $2, $3)
		 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
		 WHERE leases.holder = excluded.holder OR leases.lease_until <= $4`,
		name, holder, toMicros(until), toMicros(now))
	if err != nil {
		return false, fmt.Errorf("store: take lease: %w", mapError(err))
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Give ends holder's lease before its time.
func (r *Leases) Give(ctx context.Context, name, holder string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder); err != nil {
		return fmt.Errorf("store: give lease: %w", err)
	}
	return nil
}
