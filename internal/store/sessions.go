package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// StateEnded is the state of a session that is over; every other state is a running one.
const StateEnded = "ended"

// Session is a session to a target, running or ended.
type Session struct {
	ID             string // ULID
	UserID         string
	UserName       string
	TargetID       string
	TargetName     string
	TargetProtocol string
	TargetAddress  string
	AccountID      string // of the target; empty in sessions before there were accounts
	AccountName    string
	ClientAddress  string
	State          string // connecting, active, frozen, ended
	StartedAt      time.Time
	EndedAt        time.Time // zero while it runs
	EndCode        string
	EndMessage     string
	Width, Height  int
	DesktopName    string
}

// Progress is what changes while a session runs.
type Progress struct {
	State         string
	Width, Height int
	DesktopName   string
}

// Sessions is the table of sessions.
type Sessions struct{ db conn }

const sessionColumns = `sessions.id, user_id, user_name, target_id, target_name, target_protocol, target_address, account_id, account_name, client_address,
	sessions.state, started_at, ended_at, end_code, end_message, width, height, desktop_name`

// Create adds a session, or returns ErrExists.
func (r *Sessions) Create(ctx context.Context, s Session) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO sessions (id, user_id, user_name, target_id, target_name, target_protocol, target_address,
			account_id, account_name, client_address, state, started_at, width, height, desktop_name, search)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		s.ID, s.UserID, s.UserName, s.TargetID, s.TargetName, s.TargetProtocol, s.TargetAddress,
		s.AccountID, s.AccountName, s.ClientAddress, s.State, toMicros(s.StartedAt), s.Width, s.Height, s.DesktopName, s.searchText())
	if err != nil {
		return fmt.Errorf("store: create session: %w", mapError(err))
	}
	return nil
}

// Get returns the session of that id, or ErrNotFound.
func (r *Sessions) Get(ctx context.Context, id string) (Session, error) {
	s, err := scanSession(r.db.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id))
	if err != nil {
		return Session{}, fmt.Errorf("store: session: %w", mapError(err))
	}
	return s, nil
}

// List returns sessions, newest first.
func (r *Sessions) List(ctx context.Context, f SessionFilter) ([]Session, error) {
	where, args := f.page()
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf(
		`SELECT `+sessionColumns+` FROM sessions WHERE %s ORDER BY sessions.id DESC LIMIT %d`, where, f.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("store: list sessions: %w", err)
	}
	defer rows.Close()
	var list []Session
	for rows.Next() {
		s, err := scanSession(rows)
		if err != nil {
			return nil, fmt.Errorf("store: list sessions: %w", err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: list sessions: %w", err)
	}
	return list, nil
}

// SetProgress notes how a running session is. One that has ended is left alone, so that a late word cannot revive it.
func (r *Sessions) SetProgress(ctx context.Context, id string, p Progress) error {
	_, err := r.db.ExecContext(ctx,
		`UPDATE sessions SET state = $1, width = $2, height = $3, desktop_name = $4 WHERE id = $5 AND state <> 'ended'`,
		p.State, p.Width, p.Height, p.DesktopName, id)
	if err != nil {
		return fmt.Errorf("store: session progress: %w", err)
	}
	return nil
}

// End notes why and when a session ended. The first reason stays.
func (r *Sessions) End(ctx context.Context, id, code, message string, at time.Time) error {
	_, err := r.db.ExecContext(ctx,
		`UPDATE sessions SET state = 'ended', end_code = $1, end_message = $2, ended_at = $3 WHERE id = $4 AND state <> 'ended'`,
		code, message, toMicros(at), id)
	if err != nil {
		return fmt.Errorf("store: end session: %w", err)
	}
	return nil
}

func scanSession(row interface{ Scan(...any) error }) (Session, error) {
	var s Session
	var started int64
	var ended sql.NullInt64
	err := row.Scan(&s.ID, &s.UserID, &s.UserName, &s.TargetID, &s.TargetName, &s.TargetProtocol, &s.TargetAddress,
		&s.AccountID, &s.AccountName, &s.ClientAddress, &s.State, &started, &ended, &s.EndCode, &s.EndMessage, &s.Width, &s.Height, &s.DesktopName)
	s.StartedAt = fromMicros(started)
	if ended.Valid {
		s.EndedAt = fromMicros(ended.Int64)
	}
	return s, err
}

// CountBefore returns how many sessions run of a person, on a target, or of that person there, where "" is any, and began before the
// session of an id; "" counts all. Ids are in the order of beginnings.
func (r *Sessions) CountBefore(ctx context.Context, userID, targetID, before string) (int, error) {
	var n int
	err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions WHERE state <> 'ended' AND ($1 = '' OR user_id = $1) AND ($2 = '' OR target_id = $2)
		AND ($3 = '' OR id < $3)`, userID, targetID, before).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count sessions: %w", err)
	}
	return n, nil
}

// CountRunning returns how many sessions of a person run.
func (r *Sessions) CountRunning(ctx context.Context, userID string) (int, error) {
	var n int
	if err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions WHERE user_id = $1 AND state <> 'ended'`, userID).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count sessions: %w", err)
	}
	return n, nil
}
