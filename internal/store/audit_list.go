package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AuditFilter says which entries a list holds. Empty fields do not filter.
type AuditFilter struct {
	Actor   string // name or id
	Action  string
	Outcome string
	Object  string // id
	Session string
	From    time.Time // at or after
	Until   time.Time // before
	Before  int64     // only what comes before the entry of this index in the list; negative: from the newest
	Limit   int
}

// List returns entries, the newest first.
func (r *Audit) List(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	w := where{}
	if f.Actor != "" {
		column := "actor_name"
		if n, err := r.byActorID(ctx, f.Actor); err != nil {
			return nil, err
		} else if n {
			column = "actor_id"
		}
		w.equal(column, f.Actor)
	}
	w.equal("action", f.Action)
	w.equal("outcome", f.Outcome)
	w.equal("object_id", f.Object)
	w.equal("session_id", f.Session)
	w.between("time", f.From, f.Until)
	if f.Before >= 0 {
		cursor, err := r.Get(ctx, f.Before)
		if err != nil {
			return nil, err
		}
		w.add("(time, idx) < (" + w.arg(toMicros(cursor.Time)) + ", " + w.arg(cursor.Index) + ")")
	}
	return r.query(ctx, `SELECT `+auditEntryColumns+` FROM audit_entries`+w.String()+` ORDER BY time DESC, idx DESC LIMIT `+w.arg(f.Limit), w.args...)
}

// byActorID tells whether somebody of that id has ever acted. One condition for name or id would use no index.
func (r *Audit) byActorID(ctx context.Context, id string) (bool, error) {
	var n int
	err := r.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM audit_entries WHERE actor_id = $1 LIMIT 1) AS found`, id).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("store: audit entries: %w", err)
	}
	return n > 0, nil
}

// AccessFilter says which sessions the access report holds. Empty fields do not filter.
type AccessFilter struct {
	User    string // name
	Target  string // id
	Tag     string
	Account string
	Query   string    // part of a user's, target's or account's name, of the client's or target's address, whatever the case
	From    time.Time // sessions that ran at or after
	Until   time.Time // and began before
	Before  string    // only what comes before the session of this id in the list
	Limit   int
}

// Access returns the access report, the latest begun first.
func (r *Audit) Access(ctx context.Context, f AccessFilter) ([]Access, error) {
	w := where{}
	w.equal("user_name", f.User)
	w.equal("target_id", f.Target)
	w.equal("account", f.Account)
	if f.Tag != "" {
		w.add(`tags LIKE ` + w.arg("%,"+escapeLike(f.Tag)+",%") + ` ESCAPE '\'`)
	}
	if f.Query != "" {
		w.add(`search LIKE ` + w.arg("%"+escapeLike(strings.ToLower(f.Query))+"%") + ` ESCAPE '\'`)
	}
	w.between("started_at", time.Time{}, f.Until)
	if !f.From.IsZero() {
		w.add("(ended_at IS NULL OR ended_at >= " + w.arg(toMicros(f.From)) + ")")
	}
	if f.Before != "" {
		var started int64
		err := r.conn.QueryRowContext(ctx, `SELECT started_at FROM audit_access WHERE session_id = $1`, f.Before).Scan(&started)
		if err != nil {
			return nil, fmt.Errorf("store: access report: %w", mapError(err))
		}
		w.add("(started_at, session_id) < (" + w.arg(started) + ", " + w.arg(f.Before) + ")")
	}
	return r.accesses(ctx, `SELECT `+accessColumns+` FROM audit_access`+w.String()+` ORDER BY started_at DESC, session_id DESC LIMIT `+w.arg(f.Limit), w.args...)
}

// where gathers conditions.
type where struct {
	conditions []string
	args       []any
}

// arg adds a parameter and returns its name.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *where) add(condition string) {
	w.conditions = append(w.conditions, condition)
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column + " = " + w.arg(value))
	}
}

func (w *where) between(column string, from, until time.Time) {
	if !from.IsZero() {
		w.add(column + " >= " + w.arg(toMicros(from)))
	}
	if !until.IsZero() {
		w.add(column + " < " + w.arg(toMicros(until)))
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
