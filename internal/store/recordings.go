package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// States of a recording.
const (
	RecordingRunning   = "recording" // the session runs
	RecordingUploading = "uploading" // the session is over; not all is in the store
	RecordingSealed    = "sealed"    // complete and in the store
	RecordingFailed    = "failed"    // nothing of it can be kept; Error says why
	RecordingDeleted   = "deleted"   // its retention is over and all of it removed; its Custody says when and why
)

// Recording is the state of a session's recording.
type Recording struct {
	SessionID    string
	State        string
	Bytes        int64
	Duration     time.Duration
	PendingFiles int    // not yet confirmed by the store
	Error        string // why uploading waits or failed
	SealedBy     string // worker or recovery, once sealed
}

// RecordedSession is a recording with the session it is of.
type RecordedSession struct {
	Recording
	Session Session
	Review  Review
}

// Recordings is the table of recordings. A session has a row from the moment something was recorded.
type Recordings struct{ db conn }

const recordingColumns = `recordings.session_id, recordings.state, bytes, duration_us, pending_files, error, sealed_by`

// recordedColumns and recordedTables are what RecordedSession is made of.
const (
	recordedColumns = recordingColumns + `, COALESCE(recording_reviews.state, 'to_do'), COALESCE(reviewer_id, ''), COALESCE(reviewer_name, ''),
		reviewed_at, ` + sessionColumns
	recordedTables = `recordings JOIN sessions ON sessions.id = recordings.session_id
		 LEFT JOIN recording_reviews ON recording_reviews.session_id = recordings.session_id`
)

// Get returns the recording of a session, or ErrNotFound.
func (r *Recordings) Get(ctx context.Context, sessionID string) (RecordedSession, error) {
	rec, err := scanRecorded(r.db.QueryRowContext(ctx,
		`SELECT `+recordedColumns+` FROM `+recordedTables+` WHERE recordings.session_id = $1`, sessionID))
	if err != nil {
		return RecordedSession{}, fmt.Errorf("store: recording: %w", mapError(err))
	}
	return rec, nil
}

// List returns the recordings of the sessions that f is about, newest first.
func (r *Recordings) List(ctx context.Context, f SessionFilter) ([]RecordedSession, error) {
	where, args := f.where()
	if f.Review != "" {
		args = append(args, f.Review)
		where += fmt.Sprintf(` AND COALESCE(recording_reviews.state, 'to_do') = $%d`, len(args))
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(
		`SELECT `+recordedColumns+` FROM `+recordedTables+`
		 WHERE %s ORDER BY sessions.id DESC LIMIT %d`, where, f.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("store: list recordings: %w", err)
	}
	defer rows.Close()
	var list []RecordedSession
	for rows.Next() {
		rec, err := scanRecorded(rows)
		if err != nil {
			return nil, fmt.Errorf("store: list recordings: %w", err)
		}
		list = append(list, rec)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: list recordings: %w", err)
	}
	return list, nil
}

// Put replaces everything about the recording of a session, or begins it. A sealed one is never changed, nor a deleted one.
func (r *Recordings) Put(ctx context.Context, rec Recording) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO recordings (session_id, state, bytes, duration_us, pending_files, error, sealed_by)
		 VALUES ($1, $2, $3, $4, $5, $6, $7)
		 ON CONFLICT (session_id) DO UPDATE SET state = excluded.state, bytes = excluded.bytes, duration_us = excluded.duration_us,
			pending_files = excluded.pending_files, error = excluded.error, sealed_by = excluded.sealed_by
		 WHERE recordings.state NOT IN ('sealed', 'deleted')`,
		rec.SessionID, rec.State, rec.Bytes, rec.Duration.Microseconds(), rec.PendingFiles, rec.Error, rec.SealedBy)
	if err != nil {
		return fmt.Errorf("store: put recording: %w", mapError(err))
	}
	return nil
}

// Unsealed returns the recordings that were neither sealed nor given up, oldest first.
func (r *Recordings) Unsealed(ctx context.Context) ([]Recording, error) {
	rows, err := r.db.QueryContext(ctx,
		`SELECT `+recordingColumns+` FROM recordings WHERE state IN ('recording', 'uploading') ORDER BY session_id`)
	if err != nil {
		return nil, fmt.Errorf("store: unsealed recordings: %w", err)
	}
	defer rows.Close()
	var list []Recording
	for rows.Next() {
		var rec Recording
		var durationUS int64
		if err := rows.Scan(&rec.SessionID, &rec.State, &rec.Bytes, &durationUS, &rec.PendingFiles, &rec.Error, &rec.SealedBy); err != nil {
			return nil, fmt.Errorf("store: unsealed recordings: %w", err)
		}
		rec.Duration = time.Duration(durationUS) * time.Microsecond
		list = append(list, rec)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: unsealed recordings: %w", err)
	}
	return list, nil
}

func scanRecorded(row interface{ Scan(...any) error }) (RecordedSession, error) {
	var rec RecordedSession
	var durationUS int64
	var reviewed sql.NullInt64
	session, err := scanSession(prefixed{row, []any{
		&rec.SessionID, &rec.State, &rec.Bytes, &durationUS, &rec.PendingFiles, &rec.Error, &rec.SealedBy,
		&rec.Review.State, &rec.Review.UserID, &rec.Review.UserName, &reviewed,
	}})
	rec.Review.At = timeOf(reviewed)
	rec.Session, rec.Duration = session, time.Duration(durationUS)*time.Microsecond
	return rec, err
}

// prefixed scans columns of its own before those it is asked for.
type prefixed struct {
	row   interface{ Scan(...any) error }
	first []any
}

func (p prefixed) Scan(dest ...any) error { return p.row.Scan(append(p.first, dest...)...) }
