package store

import (
	"context"
	"fmt"
	"time"
)

// TargetCertificate is the certificate a target has shown first and is held to since.
type TargetCertificate struct {
	TargetID    string
	Fingerprint string // SHA-256, lower-case hex
	FirstSeen   time.Time
	SessionID   string // which saw it first
}

// TargetCertificates is the table of certificates trusted at first use.
type TargetCertificates struct{ db conn }

const certificateColumns = `target_id, fingerprint, first_seen, session_id`

// Trust adds c unless the target has one, and returns the one it has then.
func (r *TargetCertificates) Trust(ctx context.Context, c TargetCertificate) (TargetCertificate, error) {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO target_certificates (`+certificateColumns+`) VALUES ($1, $2, $3, $4) ON CONFLICT (target_id) DO NOTHING`,
		c.TargetID, c.Fingerprint, toMicros(c.FirstSeen), c.SessionID)
	if err != nil {
		return TargetCertificate{}, fmt.Errorf("store: trust certificate: %w", mapError(err))
	}
	return r.Get(ctx, c.TargetID)
}

// Get returns the certificate of a target, or ErrNotFound.
func (r *TargetCertificates) Get(ctx context.Context, target string) (TargetCertificate, error) {
	row := r.db.QueryRowContext(ctx, `SELECT `+certificateColumns+` FROM target_certificates WHERE target_id = $1`, target)
	c, err := scanCertificate(row)
	if err != nil {
		return TargetCertificate{}, fmt.Errorf("store: certificate: %w", mapError(err))
	}
	return c, nil
}

// List returns the certificates of all targets that have one, by target.
func (r *TargetCertificates) List(ctx context.Context) ([]TargetCertificate, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+certificateColumns+` FROM target_certificates ORDER BY target_id`)
	if err != nil {
		return nil, fmt.Errorf("store: certificates: %w", err)
	}
	defer rows.Close()
	var list []TargetCertificate
	for rows.Next() {
		c, err := scanCertificate(rows)
		if err != nil {
			return nil, fmt.Errorf("store: certificates: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Forget removes the certificate of a target: the next session takes whichever it shows. ErrNotFound when there is none.
func (r *TargetCertificates) Forget(ctx context.Context, target string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM target_certificates WHERE target_id = $1`, target)); err != nil {
		return fmt.Errorf("store: forget certificate: %w", err)
	}
	return nil
}

func scanCertificate(row interface{ Scan(...any) error }) (TargetCertificate, error) {
	var c TargetCertificate
	var seen int64
	err := row.Scan(&c.TargetID, &c.Fingerprint, &seen, &c.SessionID)
	c.FirstSeen = fromMicros(seen)
	return c, err
}
