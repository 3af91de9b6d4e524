package store

import (
	"context"
	"fmt"
	"time"
)

// SealedSecret is a secret as it rests: its data key wrapped by a master key, and itself sealed with the data key.
type SealedSecret struct {
	Purpose    string
	RecordID   string
	KeyID      string // of the master key
	DataKey    []byte // wrapped
	Ciphertext []byte
	CreatedAt  time.Time
}

// Secrets is the table of sealed secrets, one for each purpose and record.
type Secrets struct{ db conn }

const secretColumns = `purpose, record_id, key_id, data_key, ciphertext, created_at`

// Put adds a secret or replaces the one of its purpose and record.
func (r *Secrets) Put(ctx context.Context, s SealedSecret) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO secrets (`+secretColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		 ON CONFLICT (purpose, record_id) DO UPDATE SET key_id = excluded.key_id, data_key = excluded.data_key,
			ciphertext = excluded.ciphertext, created_at = excluded.created_at`,
		s.Purpose, s.RecordID, s.KeyID, s.DataKey, s.Ciphertext, toMicros(s.CreatedAt))
	if err != nil {
		return fmt.Errorf("store: put secret: %w", err)
	}
	return nil
}

// Get returns the secret of that purpose and record, or ErrNotFound.
func (r *Secrets) Get(ctx context.Context, purpose, record string) (SealedSecret, error) {
	s, err := scanSecret(r.db.QueryRowContext(ctx,
		`SELECT `+secretColumns+` FROM secrets WHERE purpose = $1 AND record_id = $2`, purpose, record))
	if err != nil {
		return SealedSecret{}, fmt.Errorf("store: secret: %w", mapError(err))
	}
	return s, nil
}

// Delete removes a secret. That there is none is no error.
func (r *Secrets) Delete(ctx context.Context, purpose, record string) error {
	if _, err := r.db.ExecContext(ctx, `DELETE FROM secrets WHERE purpose = $1 AND record_id = $2`, purpose, record); err != nil {
		return fmt.Errorf("store: delete secret: %w", err)
	}
	return nil
}

// CountByKey returns how many secrets each master key wraps.
func (r *Secrets) CountByKey(ctx context.Context) (map[string]int, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT key_id, COUNT(*) FROM secrets GROUP BY key_id`)
	if err != nil {
		return nil, fmt.Errorf("store: count secrets: %w", err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("store: count secrets: %w", err)
		}
		counts[id] = n
	}
	return counts, rows.Err()
}

// ElsewherePrefix begins the id of a key that is kept elsewhere: its service wraps, and nobody here has it.
const ElsewherePrefix = "transit:"

// NotUnder returns at most limit secrets that another master key wraps than the one of that id, and no key elsewhere.
func (r *Secrets) NotUnder(ctx context.Context, key string, limit int) ([]SealedSecret, error) {
	return collect(ctx, r.db, "secrets", scanSecret,
		`SELECT `+secretColumns+` FROM secrets WHERE key_id <> $1 AND key_id NOT LIKE '`+ElsewherePrefix+`%' LIMIT $2`, key, limit)
}

// OfPurpose returns at most limit secrets of a purpose that any other key wraps than the one of that id, in the order of their
// records, which come after the one given.
func (r *Secrets) OfPurpose(ctx context.Context, purpose, notUnder, after string, limit int) ([]SealedSecret, error) {
	return collect(ctx, r.db, "secrets", scanSecret,
		`SELECT `+secretColumns+` FROM secrets WHERE purpose = $1 AND key_id <> $2 AND record_id > $3 ORDER BY record_id LIMIT $4`, purpose, notUnder, after, limit)
}

// Rewrap replaces the wrapped data key of a secret, if it is still as in before.
func (r *Secrets) Rewrap(ctx context.Context, before SealedSecret, key string, dataKey []byte) (done bool, err error) {
	result, err := r.db.ExecContext(ctx,
		`UPDATE secrets SET key_id = $1, data_key = $2 WHERE purpose = $3 AND record_id = $4 AND key_id = $5 AND data_key = $6`,
		key, dataKey, before.Purpose, before.RecordID, before.KeyID, before.DataKey)
	if err != nil {
		return false, fmt.Errorf("store: rewrap secret: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func scanSecret(row scanner) (SealedSecret, error) {
	var s SealedSecret
	var created int64
	err := row.Scan(&s.Purpose, &s.RecordID, &s.KeyID, &s.DataKey, &s.Ciphertext, &created)
	s.CreatedAt = fromMicros(created)
	return s, err
}
