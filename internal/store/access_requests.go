package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AccessRequest is what somebody asked for, with what was decided on it.
type AccessRequest struct {
	ID              string // ULID
	Revision        int64
	Kind            string // request, break_glass
	State           string // pending, approved, denied, cancelled, expired; needs_review, reviewed
	UserID          string
	UserName        string
	TargetID        string
	TargetName      string
	Account         string
	Floating        bool // the window begins with the approval
	WantedFrom      time.Time
	WantedUntil     time.Time
	From            time.Time // the window as it stands
	Until           time.Time
	Reason          string
	Ticket          string
	ApprovalsNeeded int
	MaxStarts       int // of the grant; 0: any number
	CreatedAt       time.Time
	ExpiresAt       time.Time // of a pending one
	ClosedAt        time.Time // zero while it is open
	Decisions       []AccessDecision
	GrantID         string // "": none
}

// AccessDecision is one person's word on a request.
type AccessDecision struct {
	UserID    string
	UserName  string
	Verdict   string // approved, denied, reviewed
	Note      string
	From      time.Time // the window as this person left it
	Until     time.Time
	DecidedAt time.Time
}

// AccessRequestFilter says which requests a list holds, newest first.
type AccessRequestFilter struct {
	UserID string   // only theirs; "": everybody's
	NotOf  string   // none of theirs; "": everybody's
	States []string // none: all
	Before string   // only those made before the one of this id; "": from the newest
	Limit  int
}

// AccessRequests is the table of access requests and decisions.
type AccessRequests struct{ db conn }

const accessRequestColumns = `access_requests.id, revision, kind, access_requests.state, access_requests.user_id, access_requests.user_name,
	access_requests.target_id, access_requests.target_name, access_requests.account, floating, wanted_from, wanted_until,
	access_requests.window_from, access_requests.window_until, reason, access_requests.ticket, approvals_needed, access_requests.max_starts,
	access_requests.created_at, expires_at, access_requests.closed_at, access_grants.id`

const accessRequestTables = ` FROM access_requests LEFT JOIN access_grants ON access_grants.request_id = access_requests.id`

// Create adds a request. ErrExists when the id is taken.
func (r *AccessRequests) Create(ctx context.Context, q AccessRequest) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO access_requests (id, revision, kind, state, user_id, user_name, target_id, target_name, account, floating,
			wanted_from, wanted_until, window_from, window_until, reason, ticket, approvals_needed, max_starts, created_at, expires_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
		q.ID, q.Revision, q.Kind, q.State, q.UserID, q.UserName, q.TargetID, q.TargetName, q.Account, flag(q.Floating),
		toMicros(q.WantedFrom), toMicros(q.WantedUntil), toMicros(q.From), toMicros(q.Until), q.Reason, q.Ticket,
		q.ApprovalsNeeded, q.MaxStarts, toMicros(q.CreatedAt), toMicros(q.ExpiresAt))
	if err != nil {
		return fmt.Errorf("store: create access request: %w", mapError(err))
	}
	return nil
}

// Change replaces the state, the window and the end of a request whose revision is still q.Revision, and returns the new
// revision. ErrStale when it is another. In a transaction it comes first, because it locks the row.
func (r *AccessRequests) Change(ctx context.Context, q AccessRequest) (int64, error) {
	err := one(r.db.ExecContext(ctx,
		`UPDATE access_requests SET revision = revision + 1, state = $1, window_from = $2, window_until = $3, closed_at = $4
		 WHERE id = $5 AND revision = $6`,
		q.State, toMicros(q.From), toMicros(q.Until), maybeMicros(q.ClosedAt), q.ID, q.Revision))
	if errors.Is(err, ErrNotFound) {
		err = ErrStale
	}
	if err != nil {
		return 0, fmt.Errorf("store: change access request: %w", err)
	}
	return q.Revision + 1, nil
}

// Decide adds a person's word. ErrExists when that person has spoken already.
func (r *AccessRequests) Decide(ctx context.Context, requestID string, d AccessDecision) error {
	_, err := r.db.ExecContext(ctx,
		`INSERT INTO access_decisions (request_id, user_id, user_name, verdict, note, window_from, window_until, decided_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		requestID, d.UserID, d.UserName, d.Verdict, d.Note, toMicros(d.From), toMicros(d.Until), toMicros(d.DecidedAt))
	if err != nil {
		return fmt.Errorf("store: decide on access request: %w", mapError(err))
	}
	return nil
}

// Get returns the request of that id, or ErrNotFound.
func (r *AccessRequests) Get(ctx context.Context, id string) (AccessRequest, error) {
	list, err := r.query(ctx, ` WHERE access_requests.id = $1`, id)
	if err != nil {
		return AccessRequest{}, fmt.Errorf("store: access request: %w", err)
	}
	if len(list) == 0 {
		return AccessRequest{}, fmt.Errorf("store: access request: %w", ErrNotFound)
	}
	return list[0], nil
}

// List returns requests, newest first.
func (r *AccessRequests) List(ctx context.Context, f AccessRequestFilter) ([]AccessRequest, error) {
	var c conditions
	if f.UserID != "" {
		c.add(`access_requests.user_id = `, f.UserID)
	}
	if f.NotOf != "" {
		c.add(`access_requests.user_id <> `, f.NotOf)
	}
	if f.Before != "" {
		c.add(`access_requests.id < `, f.Before)
	}
	c.in(`access_requests.state`, f.States)
	list, err := r.query(ctx, c.where()+` ORDER BY access_requests.id DESC LIMIT `+strconv.Itoa(f.Limit), c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list access requests: %w", err)
	}
	return list, nil
}

// Expired returns at most limit pending requests whose time is over at now, oldest first.
func (r *AccessRequests) Expired(ctx context.Context, now time.Time, limit int) ([]AccessRequest, error) {
	list, err := r.query(ctx, ` WHERE access_requests.state = 'pending' AND expires_at <= $1 ORDER BY access_requests.id LIMIT $2`, toMicros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("store: expired access requests: %w", err)
	}
	return list, nil
}

// CountPending returns how many requests of a user are undecided.
func (r *AccessRequests) CountPending(ctx context.Context, userID string) (int, error) {
	var n int
	err := r.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM access_requests WHERE user_id = $1 AND state = 'pending'`, userID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count pending access requests: %w", err)
	}
	return n, nil
}

func (r *AccessRequests) query(ctx context.Context, rest string, args ...any) ([]AccessRequest, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+accessRequestColumns+accessRequestTables+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []AccessRequest
	for rows.Next() {
		q, err := scanAccessRequest(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, q)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close() // the connection is free for the next statement
	return list, r.addDecisions(ctx, list)
}

func (r *AccessRequests) addDecisions(ctx context.Context, list []AccessRequest) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[string]*AccessRequest, len(list))
	ids := make([]string, len(list))
	for i := range list {
		at[list[i].ID], ids[i] = &list[i], list[i].ID
	}
	var c conditions
	c.in(`request_id`, ids)
	rows, err := r.db.QueryContext(ctx,
		`SELECT request_id, user_id, user_name, verdict, note, window_from, window_until, decided_at FROM access_decisions`+c.where()+
			` ORDER BY decided_at, user_id`, c.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d AccessDecision
		var id string
		var from, until, decided int64
		if err := rows.Scan(&id, &d.UserID, &d.UserName, &d.Verdict, &d.Note, &from, &until, &decided); err != nil {
			return err
		}
		d.From, d.Until, d.DecidedAt = fromMicros(from), fromMicros(until), fromMicros(decided)
		at[id].Decisions = append(at[id].Decisions, d)
	}
	return rows.Err()
}

func scanAccessRequest(row interface{ Scan(...any) error }) (AccessRequest, error) {
	var q AccessRequest
	var floating int
	var wantedFrom, wantedUntil, from, until, created, expires int64
	var closed sql.NullInt64
	var grant sql.NullString
	err := row.Scan(&q.ID, &q.Revision, &q.Kind, &q.State, &q.UserID, &q.UserName, &q.TargetID, &q.TargetName, &q.Account, &floating,
		&wantedFrom, &wantedUntil, &from, &until, &q.Reason, &q.Ticket, &q.ApprovalsNeeded, &q.MaxStarts, &created, &expires, &closed, &grant)
	q.Floating, q.GrantID = floating != 0, grant.String
	q.WantedFrom, q.WantedUntil, q.From, q.Until = fromMicros(wantedFrom), fromMicros(wantedUntil), fromMicros(from), fromMicros(until)
	q.CreatedAt, q.ExpiresAt = fromMicros(created), fromMicros(expires)
	if closed.Valid {
		q.ClosedAt = fromMicros(closed.Int64)
	}
	return q, err
}

// maybeMicros is NULL for the zero time.
func maybeMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return toMicros(t)
}

// conditions gathers what rows of a list must fulfil, and the values of its parameters.
type conditions struct {
	terms []string
	args  []any
}

// add appends a condition that ends before its one value.
func (c *conditions) add(term string, value any) {
	c.args = append(c.args, value)
	c.terms = append(c.terms, term+`$`+strconv.Itoa(len(c.args)))
}

// in appends that column is one of values; none: any.
func (c *conditions) in(column string, values []string) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		c.args = append(c.args, v)
		marks[i] = `$` + strconv.Itoa(len(c.args))
	}
	c.terms = append(c.terms, column+` IN (`+strings.Join(marks, `, `)+`)`)
}

func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ``
	}
	return ` WHERE ` + strings.Join(c.terms, ` AND `)
}
