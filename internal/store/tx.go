package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// How often a transaction is tried that collides with others, and the first wait between, which doubles.
const (
	txAttempts = 12
	txWait     = 2 * time.Millisecond
	txMaxWait  = 250 * time.Millisecond
)

// Tx runs do inside one serializable transaction: what it reads stays true until what it writes is there, and all of it
// is, or nothing when do returns an error, which Tx then returns. do may run several times, when it collides with
// another transaction, so it has no effects but on tx. It uses tx and not s, which in SQLite would wait for itself; it
// closes rows before its next statement, and after a statement has failed it returns, for PostgreSQL takes no other.
// A Tx inside a Tx is part of it.
func (s *Store) Tx(ctx context.Context, do func(tx *Store) error) error {
	if s.tx != nil {
		return do(s)
	}
	wait := txWait
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, do)
		if err == nil || !collided(err) {
			return err
		}
		if attempt == txAttempts {
			return fmt.Errorf("store: transaction collided %d times: %w", attempt, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, txMaxWait)
	}
}

func (s *Store) attempt(ctx context.Context, do func(tx *Store) error) error {
	sqlTx, err := s.db.BeginTx(ctx, &s.engine.tx)
	if err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	defer func() { _ = sqlTx.Rollback() }() // no effect once committed
	tx := repositories(sqlTx)
	tx.db, tx.tx, tx.engine = s.db, sqlTx, s.engine
	if err := do(tx); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", mapError(err))
	}
	return nil
}
