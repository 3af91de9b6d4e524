package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Alert is what a rule of detection found in a session, as often as it did in a row.
type Alert struct {
	ID             string // ULID
	SessionID      string
	Rule           string // id
	Name           string // of the rule, as it was then
	Severity       string
	SeverityRank   int // the least is 0
	Action         string
	Source         string
	Person         string // who did what the rule fits
	Excerpt        string // of the first
	Count          int
	FirstAt        time.Time
	LastAt         time.Time
	First, Last    time.Duration // on the recording's clock
	Acknowledged   time.Time     // zero: it is new
	AcknowledgedBy Actor
	Note           string
	Answer         Answer // zero: none yet, or the rule does not ask

	Session Session // whose it is; not written
}

// Answer is what was said to a rule that asks why.
type Answer struct {
	Kind   string // given, refused, expired, withdrawn
	By     string // name; "": nobody
	Reason string
}

// Actor is who did something, by id and by the name they had.
type Actor struct{ ID, Name string }

// AlertFilter says which alerts a list holds. What is zero says nothing.
type AlertFilter struct {
	New      *bool // nil: all
	Severity int   // of this rank or higher
	Rule     string
	User     string // id, of whose session it is
	Target   string // id
	Session  string
	Query    string    // words, all of which must be in the names of person, target and account, or in the addresses
	Since    time.Time // only those that began then or later
	Until    time.Time // only those that began before
	Before   string    // only those older than the one of this id; "": from the newest
	Limit    int
}

// Alerts is the table of alerts.
type Alerts struct {
	db    conn
	store *Store
}

const alertColumns = `alerts.id, session_id, rule, name, severity, severity_rank, action, source, person, excerpt, count, first_at, last_at, first_us, last_us,
	acknowledged_at, acknowledged_by, acknowledged_by_name, note, answer, answered_by, reason`

// Create adds an alert.
func (r *Alerts) Create(ctx context.Context, a Alert) error {
	return r.change(ctx, "create alert", func(db conn) error {
		_, err := db.ExecContext(ctx,
			`INSERT INTO alerts (id, session_id, rule, name, severity, severity_rank, action, source, person, excerpt, count, first_at, last_at, first_us, last_us,
				acknowledged_by, acknowledged_by_name, note)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '', '', '')`,
			a.ID, a.SessionID, a.Rule, a.Name, a.Severity, a.SeverityRank, a.Action, a.Source, a.Person, a.Excerpt, a.Count,
			toMicros(a.FirstAt), toMicros(a.LastAt), a.First.Microseconds(), a.Last.Microseconds())
		return mapError(err)
	})
}

// Again counts more of an alert. ErrNotFound when it is not there, or acknowledged.
func (r *Alerts) Again(ctx context.Context, id string, more int, at time.Time, moment time.Duration) error {
	return r.change(ctx, "count alert", func(db conn) error {
		return one(db.ExecContext(ctx,
			`UPDATE alerts SET count = count + $1, last_at = $2, last_us = $3 WHERE id = $4 AND acknowledged_at IS NULL`,
			more, toMicros(at), moment.Microseconds(), id))
	})
}

// Answered notes what was said to the rule of an alert, acknowledged or not. ErrNotFound when it is not there.
func (r *Alerts) Answered(ctx context.Context, id string, a Answer) error {
	return r.change(ctx, "answer alert", func(db conn) error {
		return one(db.ExecContext(ctx, `UPDATE alerts SET answer = $1, answered_by = $2, reason = $3 WHERE id = $4`, a.Kind, a.By, a.Reason, id))
	})
}

// Acknowledge notes that somebody has seen alerts, and returns how many of them were new.
func (r *Alerts) Acknowledge(ctx context.Context, ids []string, by Actor, note string, at time.Time) (n int, err error) {
	err = r.change(ctx, "acknowledge alerts", func(db conn) error {
		in, args := placeholders(ids)
		base := len(args)
		result, err := db.ExecContext(ctx, fmt.Sprintf(
			`UPDATE alerts SET acknowledged_at = $%d, acknowledged_by = $%d, acknowledged_by_name = $%d, note = $%d
			 WHERE acknowledged_at IS NULL AND id IN (%s)`, base+1, base+2, base+3, base+4, in),
			append(args, toMicros(at), by.ID, by.Name, note)...)
		if err != nil {
			return err
		}
		changed, err := result.RowsAffected()
		n = int(changed)
		return err
	})
	return n, err
}

// Forget removes what alerts of a session quote: it was in a recording that is no more.
func (r *Alerts) Forget(ctx context.Context, session string) error {
	return r.change(ctx, "forget alerts", func(db conn) error {
		_, err := db.ExecContext(ctx, `UPDATE alerts SET excerpt = '' WHERE session_id = $1 AND excerpt <> ''`, session)
		return err
	})
}

// DeleteBefore removes alerts whose last was before at, and all but the newest most, and returns how many.
func (r *Alerts) DeleteBefore(ctx context.Context, at time.Time, most int) (n int64, err error) {
	err = r.change(ctx, "delete alerts", func(db conn) error {
		result, err := db.ExecContext(ctx,
			`DELETE FROM alerts WHERE last_at < $1 OR id <= (SELECT id FROM alerts ORDER BY id DESC LIMIT 1 OFFSET $2)`, toMicros(at), most)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return n, err
}

// change does something with the alerts and moves their revision.
func (r *Alerts) change(ctx context.Context, what string, fn func(db conn) error) error {
	err := r.store.Tx(ctx, func(tx *Store) error {
		db := tx.Alerts.db
		if err := fn(db); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, `UPDATE alert_state SET revision = revision + 1 WHERE id = 1`)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

// Revision returns a number that changes with every change of any alert.
func (r *Alerts) Revision(ctx context.Context) (n int64, err error) {
	if err = r.db.QueryRowContext(ctx, `SELECT revision FROM alert_state WHERE id = 1`).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: alerts' revision: %w", err)
	}
	return n, nil
}

// Get returns the alert of that id, or ErrNotFound.
func (r *Alerts) Get(ctx context.Context, id string) (Alert, error) {
	list, err := r.list(ctx, `alerts.id = $1`, []any{id}, 1)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("store: alert: %w", ErrNotFound)
	}
	if err != nil {
		return Alert{}, err
	}
	return list[0], nil
}

// List returns alerts, newest first.
func (r *Alerts) List(ctx context.Context, f AlertFilter) ([]Alert, error) {
	conditions, args := []string{"1 = 1"}, []any(nil)
	with := func(format string, value any) {
		args = append(args, value)
		conditions = append(conditions, fmt.Sprintf(format, fmt.Sprintf("$%d", len(args))))
	}
	if f.New != nil && *f.New {
		conditions = append(conditions, `acknowledged_at IS NULL`)
	} else if f.New != nil {
		conditions = append(conditions, `acknowledged_at IS NOT NULL`)
	}
	if f.Severity > 0 {
		with(`severity_rank >= %s`, f.Severity)
	}
	for _, c := range []struct{ format, value string }{
		{`rule = %s`, f.Rule},
		{`sessions.user_id = %s`, f.User},
		{`sessions.target_id = %s`, f.Target},
		{`session_id = %s`, f.Session},
		{`alerts.id < %s`, f.Before},
	} {
		if c.value != "" {
			with(c.format, c.value)
		}
	}
	words := strings.Fields(strings.ToLower(f.Query))
	for _, w := range words[:min(len(words), maxSearchWords)] {
		with(`sessions.search LIKE %s ESCAPE '\'`, "%"+escapeLike(w)+"%")
	}
	if !f.Since.IsZero() {
		with(`first_at >= %s`, toMicros(f.Since))
	}
	if !f.Until.IsZero() {
		with(`first_at < %s`, toMicros(f.Until))
	}
	return r.list(ctx, strings.Join(conditions, ` AND `), args, f.Limit)
}

func (r *Alerts) list(ctx context.Context, where string, args []any, limit int) ([]Alert, error) {
	return collect(ctx, r.db, "list alerts", scanAlert, fmt.Sprintf(
		`SELECT `+alertColumns+`, user_id, user_name, target_id, target_name, target_protocol, account_name, state, started_at
		 FROM alerts JOIN sessions ON sessions.id = alerts.session_id WHERE %s ORDER BY alerts.id DESC LIMIT %d`, where, limit), args...)
}

func scanAlert(row scanner) (a Alert, err error) {
	var firstAt, lastAt, firstUS, lastUS, started int64
	var acknowledged sql.NullInt64
	err = row.Scan(&a.ID, &a.SessionID, &a.Rule, &a.Name, &a.Severity, &a.SeverityRank, &a.Action, &a.Source, &a.Person, &a.Excerpt, &a.Count,
		&firstAt, &lastAt, &firstUS, &lastUS, &acknowledged, &a.AcknowledgedBy.ID, &a.AcknowledgedBy.Name, &a.Note,
		&a.Answer.Kind, &a.Answer.By, &a.Answer.Reason,
		&a.Session.UserID, &a.Session.UserName, &a.Session.TargetID, &a.Session.TargetName, &a.Session.TargetProtocol, &a.Session.AccountName,
		&a.Session.State, &started)
	a.FirstAt, a.LastAt, a.Acknowledged = fromMicros(firstAt), fromMicros(lastAt), timeOf(acknowledged)
	a.First, a.Last = time.Duration(firstUS)*time.Microsecond, time.Duration(lastUS)*time.Microsecond
	a.Session.ID, a.Session.StartedAt = a.SessionID, fromMicros(started)
	return a, err
}
