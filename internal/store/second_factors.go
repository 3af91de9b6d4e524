package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SecondFactors are the tables of what people prove themselves with besides a password.
type SecondFactors struct{ db conn }

// TOTPFactor is a person's generator of one-time passwords, without its seed.
type TOTPFactor struct {
	UserID    string
	CreatedAt time.Time
	LastStep  int64 // of the newest code used
}

// TOTP returns a user's generator, or ErrNotFound.
func (r *SecondFactors) TOTP(ctx context.Context, user string) (TOTPFactor, error) {
	f := TOTPFactor{UserID: user}
	var created int64
	err := r.db.QueryRowContext(ctx, `SELECT created_at, last_step FROM totp_factors WHERE user_id = $1`, user).Scan(&created, &f.LastStep)
	if err != nil {
		return TOTPFactor{}, fmt.Errorf("store: totp: %w", mapError(err))
	}
	f.CreatedAt = fromMicros(created)
	return f, nil
}

// SetTOTP adds a user's generator or replaces it.
func (r *SecondFactors) SetTOTP(ctx context.Context, f TOTPFactor) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO totp_factors (user_id, created_at, last_step) VALUES ($1, $2, $3)
		 ON CONFLICT (user_id) DO UPDATE SET created_at = excluded.created_at, last_step = excluded.last_step`,
		f.UserID, toMicros(f.CreatedAt), f.LastStep)
	if err != nil {
		return fmt.Errorf("store: set totp: %w", mapError(err))
	}
	return nil
}

// UseTOTP notes that the code of a step was used. It returns ErrNotFound when it, or a newer one, was used before.
func (r *SecondFactors) UseTOTP(ctx context.Context, user string, step int64) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE totp_factors SET last_step = $1 WHERE user_id = $2 AND last_step < $1`, step, user)); err != nil {
		return fmt.Errorf("store: use totp: %w", err)
	}
	return nil
}

// DeleteTOTP removes a user's generator, or returns ErrNotFound.
func (r *SecondFactors) DeleteTOTP(ctx context.Context, user string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM totp_factors WHERE user_id = $1`, user)); err != nil {
		return fmt.Errorf("store: delete totp: %w", err)
	}
	return nil
}

// Passkey is a WebAuthn credential of a person.
type Passkey struct {
	ID         string // base64url
	UserID     string
	Name       string // given by the person
	Credential string // JSON, as the WebAuthn library writes it
	SignCount  uint32
	Cloned     bool // its counter went back once: there may be two of it
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

const passkeyColumns = `id, user_id, name, credential, sign_count, cloned, created_at, last_used_at`

// AddPasskey adds p, or returns ErrExists, or ErrTooMany when the user has most already.
func (r *SecondFactors) AddPasskey(ctx context.Context, p Passkey, most int) error {
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO passkeys (id, user_id, name, credential, sign_count, cloned, created_at)
		 SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM passkeys WHERE user_id = $2) < $8`,
		p.ID, p.UserID, p.Name, p.Credential, int64(p.SignCount), flag(p.Cloned), toMicros(p.CreatedAt), most)
	if err != nil {
		return fmt.Errorf("store: add passkey: %w", mapError(err))
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("store: add passkey: %w", cmpErr(err, ErrTooMany))
	}
	return nil
}

// Passkeys returns those of a user, oldest first.
func (r *SecondFactors) Passkeys(ctx context.Context, user string) ([]Passkey, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+passkeyColumns+` FROM passkeys WHERE user_id = $1 ORDER BY created_at, id`, user)
	if err != nil {
		return nil, fmt.Errorf("store: passkeys: %w", err)
	}
	defer rows.Close()
	var list []Passkey
	for rows.Next() {
		var p Passkey
		var count, created int64
		var cloned int
		var used sql.NullInt64
		if err := rows.Scan(&p.ID, &p.UserID, &p.Name, &p.Credential, &count, &cloned, &created, &used); err != nil {
			return nil, fmt.Errorf("store: passkeys: %w", err)
		}
		p.SignCount, p.Cloned, p.CreatedAt = uint32(count), cloned != 0, fromMicros(created)
		if used.Valid {
			p.LastUsedAt = fromMicros(used.Int64)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// UsePasskey writes down what an assertion changed. It returns ErrNotFound when the passkey is gone or its counter was
// moved by another assertion meanwhile.
func (r *SecondFactors) UsePasskey(ctx context.Context, p Passkey, before uint32) error {
	if err := one(r.db.ExecContext(ctx,
		`UPDATE passkeys SET credential = $1, sign_count = $2, cloned = $3, last_used_at = $4 WHERE id = $5 AND user_id = $6 AND sign_count = $7`,
		p.Credential, int64(p.SignCount), flag(p.Cloned), toMicros(p.LastUsedAt), p.ID, p.UserID, int64(before))); err != nil {
		return fmt.Errorf("store: use passkey: %w", err)
	}
	return nil
}

// RenamePasskey gives a user's passkey another name, or returns ErrNotFound.
func (r *SecondFactors) RenamePasskey(ctx context.Context, user, id, name string) error {
	if err := one(r.db.ExecContext(ctx, `UPDATE passkeys SET name = $1 WHERE user_id = $2 AND id = $3`, name, user, id)); err != nil {
		return fmt.Errorf("store: rename passkey: %w", err)
	}
	return nil
}

// DeletePasskey removes a user's passkey, or returns ErrNotFound.
func (r *SecondFactors) DeletePasskey(ctx context.Context, user, id string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM passkeys WHERE user_id = $1 AND id = $2`, user, id)); err != nil {
		return fmt.Errorf("store: delete passkey: %w", err)
	}
	return nil
}

// SetRecoveryCodes replaces a user's codes by those of the hashes; none removes them. Should it fail midway, the old ones
// still work beside the new.
func (r *SecondFactors) SetRecoveryCodes(ctx context.Context, user string, hashes []string, at time.Time) error {
	if len(hashes) == 0 {
		if _, err := r.db.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
			return fmt.Errorf("store: recovery codes: %w", err)
		}
		return nil
	}
	rows, list, args := []string{}, []string{}, []any{user, toMicros(at)}
	for _, hash := range hashes {
		args = append(args, hash)
		rows = append(rows, fmt.Sprintf("($1, $%d, $2)", len(args)))
		list = append(list, fmt.Sprintf("$%d", len(args)-1))
	}
	_, err := r.db.ExecContext(ctx, `INSERT INTO recovery_codes (user_id, code_hash, created_at) VALUES `+strings.Join(rows, ", "), args...)
	if err != nil {
		return fmt.Errorf("store: recovery codes: %w", mapError(err))
	}
	args = slices.Delete(args, 1, 2)
	_, err = r.db.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash NOT IN (`+strings.Join(list, ", ")+`)`, args...)
	if err != nil {
		return fmt.Errorf("store: recovery codes: %w", err)
	}
	return nil
}

// UseRecoveryCode removes the code of that hash, or returns ErrNotFound.
func (r *SecondFactors) UseRecoveryCode(ctx context.Context, user, hash string) error {
	if err := one(r.db.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2`, user, hash)); err != nil {
		return fmt.Errorf("store: use recovery code: %w", err)
	}
	return nil
}

// CountRecoveryCodes returns how many a user has left.
func (r *SecondFactors) CountRecoveryCodes(ctx context.Context, user string) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1`, user).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: recovery codes: %w", err)
	}
	return n, nil
}

// cmpErr returns err, or fallback when it is nil.
func cmpErr(err, fallback error) error {
	if err != nil {
		return err
	}
	return fallback
}
