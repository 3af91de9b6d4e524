package store

import (
	"context"
	"fmt"
	"time"
)

// IdempotencyKey is a request that must not be done twice.
type IdempotencyKey struct {
	SubjectID   string
	Operation   string
	KeyHash     string // SHA-256 of the key, hex
	RequestHash string // HMAC-SHA-256 of the request under the key, hex
	ExpiresAt   time.Time
	Answer      *KeptAnswer // nil: not answered yet
}

// KeptAnswer is what a request was answered with.
type KeptAnswer struct {
	Status      int
	Kept        bool // the rest is there; an answer that held a secret is not kept
	ContentType string
	Location    string
	Body        []byte
}

// IdempotencyKeys is the table of requests that must not be done twice.
type IdempotencyKeys struct{ db conn }

// Begin takes k's key for k's request at now: begun is true, and the request is the caller's to do. Otherwise the key is
// another request's, which is returned as it stands. A key that has expired is free.
func (r *IdempotencyKeys) Begin(ctx context.Context, k IdempotencyKey, now time.Time) (_ IdempotencyKey, begun bool, err error) {
	// One statement takes the key, so that of many at once one gets it.
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO idempotency_keys (subject_id, operation, key_hash, request_hash, expires_at) VALUES ($1, $2, $3, $4, $5)
		 ON CONFLICT (subject_id, operation, key_hash) DO UPDATE SET request_hash = excluded.request_hash, expires_at = excluded.expires_at,
			status = 0, kept = 0, content_type = '', location = '', body = NULL
		 WHERE idempotency_keys.expires_at <= $6`,
		k.SubjectID, k.Operation, k.KeyHash, k.RequestHash, toMicros(k.ExpiresAt), toMicros(now))
	if err != nil {
		return IdempotencyKey{}, false, fmt.Errorf("store: begin idempotency key: %w", mapError(err))
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return k, n == 1, err
	}
	var expires int64
	var kept int
	var a KeptAnswer
	held := IdempotencyKey{SubjectID: k.SubjectID, Operation: k.Operation, KeyHash: k.KeyHash}
	if err := r.db.QueryRowContext(ctx,
		`SELECT request_hash, expires_at, status, kept, content_type, location, body FROM idempotency_keys
		 WHERE subject_id = $1 AND operation = $2 AND key_hash = $3`, k.SubjectID, k.Operation, k.KeyHash,
	).Scan(&held.RequestHash, &expires, &a.Status, &kept, &a.ContentType, &a.Location, &a.Body); err != nil {
		return IdempotencyKey{}, false, fmt.Errorf("store: idempotency key: %w", mapError(err))
	}
	held.ExpiresAt, a.Kept = fromMicros(expires), kept != 0
	if a.Status != 0 {
		held.Answer = &a
	}
	return held, false, nil
}

// Finish keeps the answer of a request that was begun, until k.ExpiresAt.
func (r *IdempotencyKeys) Finish(ctx context.Context, k IdempotencyKey) error {
	a := k.Answer
	if err := one(r.db.ExecContext(ctx,
		`UPDATE idempotency_keys SET expires_at = $1, status = $2, kept = $3, content_type = $4, location = $5, body = $6
		 WHERE subject_id = $7 AND operation = $8 AND key_hash = $9 AND request_hash = $10 AND status = 0`,
		toMicros(k.ExpiresAt), a.Status, flag(a.Kept), a.ContentType, a.Location, a.Body, k.SubjectID, k.Operation, k.KeyHash, k.RequestHash)); err != nil {
		return fmt.Errorf("store: finish idempotency key: %w", err)
	}
	return nil
}

// Release frees the key of a request that was begun and came to nothing. It may be done again.
func (r *IdempotencyKeys) Release(ctx context.Context, k IdempotencyKey) error {
	if _, err := r.db.ExecContext(ctx,
		`DELETE FROM idempotency_keys WHERE subject_id = $1 AND operation = $2 AND key_hash = $3 AND request_hash = $4 AND status = 0`,
		k.SubjectID, k.Operation, k.KeyHash, k.RequestHash); err != nil {
		return fmt.Errorf("store: release idempotency key: %w", err)
	}
	return nil
}

// DeleteExpired removes keys that were free by now, and returns how many.
func (r *IdempotencyKeys) DeleteExpired(ctx context.Context, now time.Time) (int64, error) {
	result, err := r.db.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= $1`, toMicros(now))
	if err != nil {
		return 0, fmt.Errorf("store: delete expired idempotency keys: %w", err)
	}
	return result.RowsAffected()
}
