package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How far the review of a recording is.
const (
	ReviewToDo    = "to_do" // also of a recording that nobody has said anything of
	ReviewSeen    = "seen"
	ReviewFlagged = "flagged" // something in it needs looking after
)

// MaxReviewActs bounds the changes of one recording's review state.
const MaxReviewActs = 1000

// Review is how far the review of a recording is, and who said so. UserID is empty and At zero when nobody has yet.
type Review struct {
	State    string
	UserID   string
	UserName string // as it was then
	At       time.Time
}

// ReviewAct is one change of the state.
type ReviewAct struct {
	ID        string // ULID
	SessionID string
	Comment   string
	Review
}

// Reviews are the tables of what reviewers make of recordings.
type Reviews struct {
	db    conn
	store *Store
}

// Get returns how far the review of a recording is.
func (r *Reviews) Get(ctx context.Context, sessionID string) (Review, error) {
	v := Review{State: ReviewToDo}
	var at int64
	err := mapError(r.db.QueryRowContext(ctx, `SELECT state, reviewer_id, reviewer_name, reviewed_at FROM recording_reviews WHERE session_id = $1`, sessionID).
		Scan(&v.State, &v.UserID, &v.UserName, &at))
	if errors.Is(err, ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return Review{}, fmt.Errorf("store: review: %w", err)
	}
	v.At = fromMicros(at)
	return v, nil
}

// Set notes the state, and that it changed. ErrTooMany when it has changed MaxReviewActs times.
func (r *Reviews) Set(ctx context.Context, a ReviewAct) error {
	return r.store.Tx(ctx, func(tx *Store) error {
		db := tx.Reviews.db
		var acts int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM recording_review_acts WHERE session_id = $1`, a.SessionID).Scan(&acts); err != nil {
			return fmt.Errorf("store: set review: %w", err)
		}
		if acts >= MaxReviewActs {
			return ErrTooMany
		}
		_, err := db.ExecContext(ctx,
			`INSERT INTO recording_review_acts (id, session_id, state, comment, user_id, user_name, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			a.ID, a.SessionID, a.State, a.Comment, a.UserID, a.UserName, toMicros(a.At))
		if err != nil {
			return fmt.Errorf("store: set review: %w", mapError(err))
		}
		_, err = db.ExecContext(ctx,
			`INSERT INTO recording_reviews (session_id, state, reviewer_id, reviewer_name, reviewed_at) VALUES ($1, $2, $3, $4, $5)
			 ON CONFLICT (session_id) DO UPDATE SET state = excluded.state, reviewer_id = excluded.reviewer_id,
				reviewer_name = excluded.reviewer_name, reviewed_at = excluded.reviewed_at`,
			a.SessionID, a.State, a.UserID, a.UserName, toMicros(a.At))
		if err != nil {
			return fmt.Errorf("store: set review: %w", mapError(err))
		}
		return nil
	})
}

// Acts returns every change of a recording's state, newest first.
func (r *Reviews) Acts(ctx context.Context, sessionID string) ([]ReviewAct, error) {
	return collect(ctx, r.db, "review acts", func(row scanner) (a ReviewAct, err error) {
		var at int64
		err = row.Scan(&a.ID, &a.SessionID, &a.State, &a.Comment, &a.UserID, &a.UserName, &at)
		a.At = fromMicros(at)
		return a, err
	}, `SELECT id, session_id, state, comment, user_id, user_name, at FROM recording_review_acts WHERE session_id = $1 ORDER BY id DESC`, sessionID)
}
