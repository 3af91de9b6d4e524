package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Custody is what becomes of a session's recording. Zero times are what has not happened.
type Custody struct {
	SessionID   string
	Retention   time.Duration // after the session's end; 0: without end
	RetainUntil time.Time     // as far as it is known; zero: without end

	HoldSince  time.Time
	HoldBy     string
	HoldReason string

	ShreddedAt  time.Time
	ShreddedBy  string
	ShredReason string

	DeletingSince  time.Time
	DeletedAt      time.Time
	DeletedReason  string
	ManifestSHA256 string // hex
	DeletionError  string
}

// Held tells whether a legal hold is on it.
func (c *Custody) Held() bool { return !c.HoldSince.IsZero() }

// Why a change of a Custody is refused.
var (
	ErrHeld     = errors.New("store: the recording is on legal hold")
	ErrDeleted  = errors.New("store: the recording is deleted")
	ErrShredded = errors.New("store: the recording's key is shredded")
	ErrNotHeld  = errors.New("store: the recording is not on legal hold")
)

// Custodies is the table of what becomes of recordings.
type Custodies struct{ db conn }

const custodyColumns = `recording_custody.session_id, retention_us, retain_until, hold_since, hold_by, hold_reason, shredded_at, shredded_by, shred_reason,
	deleting_since, deleted_at, deleted_reason, manifest_sha256, deletion_error`

// Begin writes how long the recording of a session that is about to begin will be kept.
func (r *Custodies) Begin(ctx context.Context, session string, retention time.Duration, until time.Time) error {
	if _, err := r.db.ExecContext(ctx, `INSERT INTO recording_custody (session_id, retention_us, retain_until) VALUES ($1, $2, $3)`,
		session, retention.Microseconds(), timeOrNull(until)); err != nil {
		return fmt.Errorf("store: begin custody: %w", mapError(err))
	}
	return nil
}

// Get returns the custody of a session, or ErrNotFound: those of before there were retentions have none.
func (r *Custodies) Get(ctx context.Context, session string) (Custody, error) {
	c, err := scanCustody(r.db.QueryRowContext(ctx, `SELECT `+custodyColumns+` FROM recording_custody WHERE session_id = $1`, session))
	if err != nil {
		return Custody{}, fmt.Errorf("store: custody: %w", mapError(err))
	}
	return c, nil
}

// Of returns the custodies of sessions, by id. Those that have none are missing.
func (r *Custodies) Of(ctx context.Context, sessions []string) (map[string]Custody, error) {
	if len(sessions) == 0 {
		return map[string]Custody{}, nil
	}
	names, args := placeholders(sessions)
	list, err := collect(ctx, r.db, "custodies", scanCustody, `SELECT `+custodyColumns+` FROM recording_custody WHERE session_id IN (`+names+`)`, args...)
	out := make(map[string]Custody, len(list))
	for _, c := range list {
		out[c.SessionID] = c
	}
	return out, err
}

// Extend keeps a recording until then, if that is later than before.
func (r *Custodies) Extend(ctx context.Context, session string, until time.Time) error {
	if _, err := r.db.ExecContext(ctx, `UPDATE recording_custody SET retain_until = $1 WHERE session_id = $2 AND retain_until < $1`,
		toMicros(until), session); err != nil {
		return fmt.Errorf("store: extend custody: %w", err)
	}
	return nil
}

// Hold puts a legal hold on a recording; one of before there were retentions gets its row by that. A second hold keeps
// the time of the first. It returns ErrDeleted once a deletion has begun.
func (r *Custodies) Hold(ctx context.Context, session, by, reason string, at time.Time) error {
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO recording_custody (session_id, retention_us, hold_since, hold_by, hold_reason) VALUES ($1, 0, $2, $3, $4)
		 ON CONFLICT (session_id) DO UPDATE SET hold_since = COALESCE(recording_custody.hold_since, excluded.hold_since), hold_by = excluded.hold_by,
			hold_reason = excluded.hold_reason
		 WHERE recording_custody.deleting_since IS NULL`, session, toMicros(at), by, reason)
	return changed(result, err, "hold", ErrDeleted)
}

// Release takes the legal hold off, or returns ErrNotHeld.
func (r *Custodies) Release(ctx context.Context, session string) error {
	result, err := r.db.ExecContext(ctx,
		`UPDATE recording_custody SET hold_since = NULL, hold_by = '', hold_reason = '' WHERE session_id = $1 AND hold_since IS NOT NULL`, session)
	return changed(result, err, "release", ErrNotHeld)
}

// Shred notes that the key of a recording is about to be destroyed. It returns ErrHeld for one that is on hold; done
// twice it is done.
func (r *Custodies) Shred(ctx context.Context, session, by, reason string, at time.Time) error {
	result, err := r.db.ExecContext(ctx,
		`INSERT INTO recording_custody (session_id, retention_us, shredded_at, shredded_by, shred_reason) VALUES ($1, 0, $2, $3, $4)
		 ON CONFLICT (session_id) DO UPDATE SET
			shredded_by = CASE WHEN recording_custody.shredded_at IS NULL THEN excluded.shredded_by ELSE recording_custody.shredded_by END,
			shred_reason = CASE WHEN recording_custody.shredded_at IS NULL THEN excluded.shred_reason ELSE recording_custody.shred_reason END,
			shredded_at = COALESCE(recording_custody.shredded_at, excluded.shredded_at)
		 WHERE recording_custody.hold_since IS NULL`, session, toMicros(at), by, reason)
	return changed(result, err, "shred", ErrHeld)
}

// Due returns sealed recordings whose retention is over at now, or whose deletion has begun, and whose next try is due, the
// longest over first. None that is on hold.
func (r *Custodies) Due(ctx context.Context, now time.Time, limit int) ([]Custody, error) {
	return collect(ctx, r.db, "due custodies", scanCustody, `SELECT `+custodyColumns+`
		FROM recording_custody JOIN recordings ON recordings.session_id = recording_custody.session_id
		WHERE deleted_at IS NULL AND hold_since IS NULL AND retain_until <= $1 AND next_try <= $1 AND recordings.state IN ('sealed', 'failed')
		ORDER BY retain_until, recording_custody.session_id LIMIT $2`, toMicros(now), limit)
}

// BeginDeletion marks a recording so that nothing can hold it any more, and notes the hash of its manifest. It returns
// ErrHeld when it was held, or is kept longer, since it was found due.
func (r *Custodies) BeginDeletion(ctx context.Context, session, reason, manifest string, now time.Time) error {
	result, err := r.db.ExecContext(ctx,
		`UPDATE recording_custody SET deleting_since = COALESCE(deleting_since, $2), deleted_reason = $3,
			manifest_sha256 = CASE WHEN manifest_sha256 = '' THEN $4 ELSE manifest_sha256 END
		 WHERE session_id = $1 AND deleted_at IS NULL AND hold_since IS NULL AND retain_until <= $2`, session, toMicros(now), reason, manifest)
	return changed(result, err, "begin deletion", ErrHeld)
}

// UndoDeletion takes back a deletion that has not removed anything.
func (r *Custodies) UndoDeletion(ctx context.Context, session string) error {
	if _, err := r.db.ExecContext(ctx, `UPDATE recording_custody SET deleting_since = NULL, deleted_reason = '' WHERE session_id = $1 AND deleted_at IS NULL`,
		session); err != nil {
		return fmt.Errorf("store: undo deletion: %w", err)
	}
	return nil
}

// DeletionFailed notes why a try failed, and when the next one is.
func (r *Custodies) DeletionFailed(ctx context.Context, session, why string, next time.Time) error {
	if _, err := r.db.ExecContext(ctx, `UPDATE recording_custody SET deletion_error = $2, next_try = $3 WHERE session_id = $1`,
		session, why, toMicros(next)); err != nil {
		return fmt.Errorf("store: deletion failed: %w", err)
	}
	return nil
}

// Deleted makes a tombstone of a recording: the rows of session and recording stay, and say that it is gone.
func (r *Custodies) Deleted(ctx context.Context, session string, at time.Time) error {
	if _, err := r.db.ExecContext(ctx, `UPDATE recording_custody SET deleted_at = $2, deletion_error = '' WHERE session_id = $1`,
		session, toMicros(at)); err != nil {
		return fmt.Errorf("store: deleted: %w", err)
	}
	if _, err := r.db.ExecContext(ctx, `UPDATE recordings SET state = 'deleted', pending_files = 0, error = '' WHERE session_id = $1`, session); err != nil {
		return fmt.Errorf("store: deleted: %w", err)
	}
	return nil
}

// changed returns why when a statement changed no row.
func changed(result sql.Result, err error, what string, why error) error {
	if err = one(result, err); errors.Is(err, ErrNotFound) {
		return why
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func scanCustody(row scanner) (Custody, error) {
	var c Custody
	var retention int64
	var until, held, shredded, deleting, deleted sql.NullInt64
	err := row.Scan(&c.SessionID, &retention, &until, &held, &c.HoldBy, &c.HoldReason, &shredded, &c.ShreddedBy, &c.ShredReason,
		&deleting, &deleted, &c.DeletedReason, &c.ManifestSHA256, &c.DeletionError)
	c.Retention = time.Duration(retention) * time.Microsecond
	c.RetainUntil, c.HoldSince, c.ShreddedAt, c.DeletingSince, c.DeletedAt = timeOf(until), timeOf(held), timeOf(shredded), timeOf(deleting), timeOf(deleted)
	return c, err
}
