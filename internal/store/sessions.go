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

// SessionFilter says which sessions a list holds.
type SessionFilter struct {
	Running *bool  // nil: all
	Before  string // only those that started before the session of this id; "": from the newest
	Limit   int
}

// Sessions is the table of sessions.
type Sessions struct{ db *sql.DB }

const sessionColumns = `sessions.id, user_id, user_name, target_id, target_name, target_protocol, target_address, client_address,
	sessions.state, started_at, ended_at, end_code, end_message, width, height, desktop_name`

// Create adds a session, or returns ErrExists.
func (r *Sessions) Create(ctx context.Context, s Session) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO sessions (id, user_id, user_name, target_id, target_name, target_protocol, target_address,
			client_address, state, started_at, width, height, desktop_name)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		s.ID, s.UserID, s.UserName, s.TargetID, s.TargetName, s.TargetProtocol, s.TargetAddress,
		s.ClientAddress, s.State, toMicros(s.StartedAt), s.Width, s.Height, s.DesktopName)
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
	query := `SELECT ` + sessionColumns + ` FROM sessions WHERE ($1 = '' OR id < $1)`
	if f.Running != nil {
		if *f.Running {
			query += ` AND state <> 'ended'`
		} else {
			query += ` AND state = 'ended'`
		}
	}
	rows, err := r.db.QueryContext(ctx, query+` ORDER BY id DESC LIMIT $2`, f.Before, f.Limit)
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
		&s.ClientAddress, &s.State, &started, &ended, &s.EndCode, &s.EndMessage, &s.Width, &s.Height, &s.DesktopName)
	s.StartedAt = fromMicros(started)
	if ended.Valid {
		s.EndedAt = fromMicros(ended.Int64)
	}
	return s, err
}
