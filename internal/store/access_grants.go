package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// What BeginSession refuses.
var (
	ErrGrantOver = errors.New("store: the grant is not in force")
	ErrGrantUsed = errors.New("store: the grant was started as often as it may be")
	ErrGrantBusy = errors.New("store: as many sessions of the grant run as may")
)

// startGrace is how long a session that was begun on a grant counts as running before it is in the table of sessions. A
// crash in between must not hold a place for ever.
const startGrace = 2 * time.Minute

// AccessGrant is a time-bound invitation to a target.
type AccessGrant struct {
	ID            string // ULID
	RequestID     string // "": an operator's
	UserID        string
	UserName      string
	TargetID      string
	TargetName    string
	Account       string
	Ticket        string
	From          time.Time
	Until         time.Time
	MaxStarts     int // 0: any number
	MaxConcurrent int
	Starts        int
	State         string // active, used_up, ended, expired
	CreatedAt     time.Time
	CreatedBy     string
	ClosedAt      time.Time // zero while it is active or used up
	ClosedBy      string
	Note          string
	Running       []string // ids of its sessions that have not ended; filled by Get and List
}

// AccessGrantFilter says which grants a list holds, newest first.
type AccessGrantFilter struct {
	UserID   string // "": everybody's
	TargetID string // "": any
	States   []string
	Before   string
	Limit    int
}

// AccessGrants is the table of grants and of the sessions begun on them.
type AccessGrants struct{ db conn }

const accessGrantColumns = `id, request_id, user_id, user_name, target_id, target_name, account, ticket, window_from, window_until,
	max_starts, max_concurrent, starts, state, created_at, created_by, closed_at, closed_by, note`

// Create adds a grant in force.
func (r *AccessGrants) Create(ctx context.Context, g AccessGrant) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO access_grants (id, request_id, user_id, user_name, target_id, target_name, account, ticket, window_from, window_until,
			max_starts, max_concurrent, starts, state, warned, created_at, created_by, closed_by, note)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 'active', 0, $13, $14, '', $15)`,
		g.ID, sql.NullString{String: g.RequestID, Valid: g.RequestID != ""}, g.UserID, g.UserName, g.TargetID, g.TargetName, g.Account, g.Ticket,
		toMicros(g.From), toMicros(g.Until), g.MaxStarts, g.MaxConcurrent, toMicros(g.CreatedAt), g.CreatedBy, g.Note)
	if err != nil {
		return fmt.Errorf("store: create access grant: %w", mapError(err))
	}
	return nil
}

// Get returns the grant of that id, or ErrNotFound.
func (r *AccessGrants) Get(ctx context.Context, id string) (AccessGrant, error) {
	return r.first(ctx, ` WHERE id = $1`, id)
}

// OfSession returns the grant a session was begun on, or ErrNotFound.
func (r *AccessGrants) OfSession(ctx context.Context, sessionID string) (AccessGrant, error) {
	return r.first(ctx, ` WHERE id = (SELECT grant_id FROM access_grant_sessions WHERE session_id = $1)`, sessionID)
}

func (r *AccessGrants) first(ctx context.Context, rest string, args ...any) (AccessGrant, error) {
	list, err := r.query(ctx, rest, args...)
	if err != nil {
		return AccessGrant{}, fmt.Errorf("store: access grant: %w", err)
	}
	if len(list) == 0 {
		return AccessGrant{}, fmt.Errorf("store: access grant: %w", ErrNotFound)
	}
	return list[0], nil
}

// List returns grants, newest first.
func (r *AccessGrants) List(ctx context.Context, f AccessGrantFilter) ([]AccessGrant, error) {
	var c conditions
	if f.UserID != "" {
		c.add(`user_id = `, f.UserID)
	}
	if f.TargetID != "" {
		c.add(`target_id = `, f.TargetID)
	}
	if f.Before != "" {
		c.add(`id < `, f.Before)
	}
	c.in(`state`, f.States)
	list, err := r.query(ctx, c.where()+` ORDER BY id DESC LIMIT `+strconv.Itoa(f.Limit), c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list access grants: %w", err)
	}
	return list, nil
}

// InForce returns the grants of a person for an account of a target whose window holds at, those that can be started first.
func (r *AccessGrants) InForce(ctx context.Context, userID, targetID, account string, at time.Time) ([]AccessGrant, error) {
	list, err := r.query(ctx,
		` WHERE user_id = $1 AND target_id = $2 AND account = $3 AND state IN ('active', 'used_up') AND window_from <= $4 AND window_until > $4
		 ORDER BY state, window_until DESC`, userID, targetID, account, toMicros(at)) // active sorts before used_up
	if err != nil {
		return nil, fmt.Errorf("store: access grants in force: %w", err)
	}
	return list, nil
}

// Begin counts a session's start on a grant, at most as often and as many at once as the grant says. It returns
// ErrGrantOver, ErrGrantUsed or ErrGrantBusy; ErrExists for a session begun already. It is to be called in a transaction,
// which must not be committed after an error: however many begin at the same moment, they then come one after another.
func (r *AccessGrants) Begin(ctx context.Context, id, sessionID string, at time.Time) error {
	if err := r.begin(ctx, id, sessionID, at); err != nil {
		return fmt.Errorf("store: begin on access grant: %w", mapError(err))
	}
	return nil
}

func (r *AccessGrants) begin(ctx context.Context, id, sessionID string, at time.Time) error {
	err := one(r.db.ExecContext(ctx,
		`UPDATE access_grants SET starts = starts + 1, state = CASE WHEN starts + 1 = max_starts THEN 'used_up' ELSE state END
		 WHERE id = $1 AND state = 'active' AND window_from <= $2 AND window_until > $2`, id, toMicros(at)))
	if errors.Is(err, ErrNotFound) {
		return r.whyNot(ctx, id)
	}
	if err != nil {
		return err
	}
	var most, running int
	if err := r.db.QueryRowContext(ctx, `SELECT max_concurrent FROM access_grants WHERE id = $1`, id).Scan(&most); err != nil {
		return err
	}
	err = r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM access_grant_sessions `+stillRunning+` AND access_grant_sessions.grant_id = $2`,
		toMicros(at.Add(-startGrace)), id).Scan(&running)
	if err != nil {
		return err
	}
	if running >= most {
		return ErrGrantBusy
	}
	_, err = r.db.ExecContext(ctx, `INSERT INTO access_grant_sessions (session_id, grant_id, started_at) VALUES ($1, $2, $3)`,
		sessionID, id, toMicros(at))
	return err
}

func (r *AccessGrants) whyNot(ctx context.Context, id string) error {
	var state string
	err := r.db.QueryRowContext(ctx, `SELECT state FROM access_grants WHERE id = $1`, id).Scan(&state)
	switch {
	case err != nil:
		return err
	case state == "used_up":
		return ErrGrantUsed
	}
	return ErrGrantOver
}

// stillRunning: sessions that have not ended, or were begun after $1 and are not there yet.
const stillRunning = `LEFT JOIN sessions ON sessions.id = access_grant_sessions.session_id
	WHERE (sessions.state <> 'ended' OR (sessions.id IS NULL AND access_grant_sessions.started_at > $1))`

// Release takes back the start of a session that did not come about. One that was not begun is no error. It is to be
// called in a transaction.
func (r *AccessGrants) Release(ctx context.Context, sessionID string) error {
	_, err := r.db.ExecContext(ctx,
		`UPDATE access_grants SET starts = starts - 1, state = CASE WHEN state = 'used_up' THEN 'active' ELSE state END
		 WHERE id = (SELECT grant_id FROM access_grant_sessions WHERE session_id = $1)`, sessionID)
	if err != nil {
		return fmt.Errorf("store: release access grant: %w", mapError(err))
	}
	if _, err = r.db.ExecContext(ctx, `DELETE FROM access_grant_sessions WHERE session_id = $1`, sessionID); err != nil {
		return fmt.Errorf("store: release access grant: %w", mapError(err))
	}
	return nil
}

// Close ends a grant that is in force and tells whether this call did it. state is ended or expired.
func (r *AccessGrants) Close(ctx context.Context, id, state, by, note string, at time.Time) (bool, error) {
	err := one(r.db.ExecContext(ctx,
		`UPDATE access_grants SET state = $1, closed_by = $2, note = $3, closed_at = $4 WHERE id = $5 AND state IN ('active', 'used_up')`,
		state, by, note, toMicros(at), id))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: close access grant: %w", err)
	}
	return true, nil
}

// Over returns at most limit grants in force by their state whose window is over at now.
func (r *AccessGrants) Over(ctx context.Context, now time.Time, limit int) ([]AccessGrant, error) {
	list, err := r.query(ctx, ` WHERE state IN ('active', 'used_up') AND window_until <= $1 ORDER BY window_until LIMIT $2`, toMicros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("store: access grants that are over: %w", err)
	}
	return list, nil
}

// EndingUnwarned returns at most limit grants in force that were started, end before by, and whose person was not told.
func (r *AccessGrants) EndingUnwarned(ctx context.Context, by time.Time, limit int) ([]AccessGrant, error) {
	list, err := r.query(ctx, ` WHERE state IN ('active', 'used_up') AND warned = 0 AND starts > 0 AND window_until <= $1 ORDER BY window_until LIMIT $2`, toMicros(by), limit)
	if err != nil {
		return nil, fmt.Errorf("store: access grants that end soon: %w", err)
	}
	return list, nil
}

// Warn notes that the person was told that the grant ends soon, and tells whether this call noted it.
func (r *AccessGrants) Warn(ctx context.Context, id string) (bool, error) {
	err := one(r.db.ExecContext(ctx, `UPDATE access_grants SET warned = 1 WHERE id = $1 AND warned = 0`, id))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: warn of an access grant: %w", err)
	}
	return true, nil
}

func (r *AccessGrants) query(ctx context.Context, rest string, args ...any) ([]AccessGrant, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+accessGrantColumns+` FROM access_grants`+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []AccessGrant
	for rows.Next() {
		g, err := scanAccessGrant(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // the connection is free for the next statement
	return list, r.addRunning(ctx, list)
}

func (r *AccessGrants) addRunning(ctx context.Context, list []AccessGrant) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[string]*AccessGrant, len(list))
	ids := make([]string, len(list))
	for i := range list {
		at[list[i].ID], ids[i] = &list[i], list[i].ID
	}
	c := conditions{args: []any{toMicros(time.Now().Add(-startGrace))}}
	c.in(`access_grant_sessions.grant_id`, ids)
	rows, err := r.db.QueryContext(ctx,
		`SELECT access_grant_sessions.grant_id, access_grant_sessions.session_id FROM access_grant_sessions `+stillRunning+` AND `+c.terms[0]+
			` ORDER BY access_grant_sessions.session_id`, c.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var grant, session string
		if err := rows.Scan(&grant, &session); err != nil {
			return err
		}
		at[grant].Running = append(at[grant].Running, session)
	}
	return rows.Err()
}

func scanAccessGrant(row interface{ Scan(...any) error }) (AccessGrant, error) {
	var g AccessGrant
	var request sql.NullString
	var from, until, created int64
	var closed sql.NullInt64
	err := row.Scan(&g.ID, &request, &g.UserID, &g.UserName, &g.TargetID, &g.TargetName, &g.Account, &g.Ticket, &from, &until,
		&g.MaxStarts, &g.MaxConcurrent, &g.Starts, &g.State, &created, &g.CreatedBy, &closed, &g.ClosedBy, &g.Note)
	g.RequestID, g.From, g.Until, g.CreatedAt = request.String, fromMicros(from), fromMicros(until), fromMicros(created)
	if closed.Valid {
		g.ClosedAt = fromMicros(closed.Int64)
	}
	return g, err
}
