package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// MaxNotes bounds the notes of one recording.
const MaxNotes = 1000

// RecordingNote is what a reviewer wrote about a moment of a recording.
type RecordingNote struct {
	ID        string // ULID
	SessionID string
	At        time.Duration // on the session's clock
	Text      string
	UserID    string
	UserName  string // as it was then
	CreatedAt time.Time
	EditedAt  time.Time // zero: never
}

// RecordingNotes is the table of reviewers' notes.
type RecordingNotes struct {
	db    conn
	store *Store
}

const noteColumns = `id, session_id, t_us, text, user_id, user_name, created_at, edited_at`

// List returns the notes of a recording in the order of their moments.
func (r *RecordingNotes) List(ctx context.Context, sessionID string) ([]RecordingNote, error) {
	return collect(ctx, r.db, "notes", scanNote, `SELECT `+noteColumns+` FROM recording_notes WHERE session_id = $1 ORDER BY t_us, id`, sessionID)
}

// Get returns a note of a recording, or ErrNotFound.
func (r *RecordingNotes) Get(ctx context.Context, sessionID, id string) (RecordingNote, error) {
	n, err := scanNote(r.db.QueryRowContext(ctx, `SELECT `+noteColumns+` FROM recording_notes WHERE session_id = $1 AND id = $2`, sessionID, id))
	if err != nil {
		return RecordingNote{}, fmt.Errorf("store: note: %w", mapError(err))
	}
	return n, nil
}

// Create adds a note. ErrTooMany when the recording has MaxNotes.
func (r *RecordingNotes) Create(ctx context.Context, n RecordingNote) error {
	return r.store.Tx(ctx, func(tx *Store) error {
		db := tx.RecordingNotes.db
		var notes int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM recording_notes WHERE session_id = $1`, n.SessionID).Scan(&notes); err != nil {
			return fmt.Errorf("store: create note: %w", err)
		}
		if notes >= MaxNotes {
			return ErrTooMany
		}
		_, err := db.ExecContext(ctx, `INSERT INTO recording_notes (`+noteColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			n.ID, n.SessionID, n.At.Microseconds(), n.Text, n.UserID, n.UserName, toMicros(n.CreatedAt), timeOrNull(n.EditedAt))
		if err != nil {
			return fmt.Errorf("store: create note: %w", mapError(err))
		}
		return nil
	})
}

// Edit replaces the text of a person's own note. It returns ErrNotFound for one that is not there or not theirs.
func (r *RecordingNotes) Edit(ctx context.Context, sessionID, id, userID, text string, at time.Time) error {
	err := one(r.db.ExecContext(ctx, `UPDATE recording_notes SET text = $1, edited_at = $2 WHERE session_id = $3 AND id = $4 AND user_id = $5`,
		text, toMicros(at), sessionID, id, userID))
	if err != nil {
		return fmt.Errorf("store: edit note: %w", err)
	}
	return nil
}

// Delete removes a person's own note. It returns ErrNotFound for one that is not there or not theirs.
func (r *RecordingNotes) Delete(ctx context.Context, sessionID, id, userID string) error {
	err := one(r.db.ExecContext(ctx, `DELETE FROM recording_notes WHERE session_id = $1 AND id = $2 AND user_id = $3`, sessionID, id, userID))
	if err != nil {
		return fmt.Errorf("store: delete note: %w", err)
	}
	return nil
}

func scanNote(row scanner) (n RecordingNote, err error) {
	var us, created int64
	var edited sql.NullInt64
	err = row.Scan(&n.ID, &n.SessionID, &us, &n.Text, &n.UserID, &n.UserName, &created, &edited)
	n.At, n.CreatedAt, n.EditedAt = time.Duration(us)*time.Microsecond, fromMicros(created), timeOf(edited)
	return n, err
}
