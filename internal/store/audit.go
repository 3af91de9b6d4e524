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

// AuditEntry is a row of the audit log. What counts is Entry; the other fields are copies to search by.
type AuditEntry struct {
	Index      int64
	Time       time.Time
	ActorKind  string
	ActorID    string
	ActorName  string
	Source     string
	Action     string
	Outcome    string
	ObjectKind string
	ObjectID   string
	ObjectName string
	SessionID  string
	Entry      string // canonical JSON, the leaf of the Merkle tree
	Hashes     string // hex, of the subtrees this entry completes, its own first
}

// AuditHead is how far the log has come.
type AuditHead struct {
	Size     int64  // entries
	SignedBy string // the key of checkpoints; "" before the first
}

// AuditCheckpoint is a signed statement about the log.
type AuditCheckpoint struct {
	Size      int64
	Note      string
	CreatedAt time.Time
}

// Audit is the tables of the audit log. There is no way to change or remove what was appended.
type Audit struct {
	conn conn
	db   *sql.DB // nil within Tx, where nothing is appended: the log's lock would be held for too long
}

// How many rows one statement carries: the numbers of parameters both databases take are well above.
const (
	auditRowsPerInsert = 200
	auditEntryColumns  = `idx, time, actor_kind, actor_id, actor_name, source, action, outcome, object_kind, object_id, object_name, session_id, entry, hashes`
	auditEntryFields   = 14
)

// AuditTx is a transaction that holds the log's lock.
type AuditTx struct {
	tx    conn
	First int64     // index of the first entry to append
	Head  AuditHead // as it will be
}

// Append takes the log's lock, lets fill write exactly n entries from tx.First on, and commits. Nobody else appends
// meanwhile. When fill fails nothing has happened.
func (r *Audit) Append(ctx context.Context, n int, fill func(ctx context.Context, tx *AuditTx) error) error {
	if r.db == nil {
		return errors.New("store: append to audit log: within a transaction of other things")
	}
	// Of the lowest isolation: the row that every writer updates first is the lock, and waiting for it is no collision.
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: append to audit log: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	a := &AuditTx{tx: tidy{tx}}
	err = a.tx.QueryRowContext(ctx, `UPDATE audit_head SET size = size + $1 WHERE id = 1 RETURNING size, signed_by`, n).
		Scan(&a.Head.Size, &a.Head.SignedBy)
	if err != nil {
		return fmt.Errorf("store: append to audit log: %w", err)
	}
	a.First = a.Head.Size - int64(n)
	if err := fill(ctx, a); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: append to audit log: %w", err)
	}
	return nil
}

// Hashes returns the hashes columns of the entries of those indexes.
func (a *AuditTx) Hashes(ctx context.Context, indexes []int64) (map[int64]string, error) {
	return auditHashes(ctx, a.tx, indexes)
}

// Insert writes entries.
func (a *AuditTx) Insert(ctx context.Context, entries []AuditEntry) error {
	for len(entries) > 0 {
		some := entries[:min(len(entries), auditRowsPerInsert)]
		entries = entries[len(some):]
		var query strings.Builder
		query.WriteString(`INSERT INTO audit_entries (` + auditEntryColumns + `) VALUES `)
		args := make([]any, 0, len(some)*auditEntryFields)
		for i, e := range some {
			if i > 0 {
				query.WriteString(", ")
			}
			writePlaceholders(&query, len(args)+1, auditEntryFields)
			args = append(args, e.Index, toMicros(e.Time), e.ActorKind, e.ActorID, e.ActorName, e.Source, e.Action, e.Outcome,
				e.ObjectKind, e.ObjectID, e.ObjectName, e.SessionID, e.Entry, e.Hashes)
		}
		if _, err := a.tx.ExecContext(ctx, query.String(), args...); err != nil {
			return fmt.Errorf("store: append to audit log: %w", mapError(err))
		}
	}
	return nil
}

// SignedBy notes the key of the checkpoints to come.
func (a *AuditTx) SignedBy(ctx context.Context, key string) error {
	if err := one(a.tx.ExecContext(ctx, `UPDATE audit_head SET signed_by = $1 WHERE id = 1`, key)); err != nil {
		return fmt.Errorf("store: audit key: %w", err)
	}
	a.Head.SignedBy = key
	return nil
}

// Checkpoint adds a checkpoint along with the entries.
func (a *AuditTx) Checkpoint(ctx context.Context, c AuditCheckpoint) error {
	return addAuditCheckpoint(ctx, a.tx, c)
}

// writePlaceholders writes ($first, ..., $first+n-1).
func writePlaceholders(b *strings.Builder, first, n int) {
	b.WriteByte('(')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	b.WriteByte(')')
}

// Head returns how far the log has come.
func (r *Audit) Head(ctx context.Context) (AuditHead, error) {
	var h AuditHead
	if err := r.conn.QueryRowContext(ctx, `SELECT size, signed_by FROM audit_head WHERE id = 1`).Scan(&h.Size, &h.SignedBy); err != nil {
		return AuditHead{}, fmt.Errorf("store: audit head: %w", mapError(err))
	}
	return h, nil
}

// Get returns the entry of that index, or ErrNotFound.
func (r *Audit) Get(ctx context.Context, index int64) (AuditEntry, error) {
	e, err := scanAuditEntry(r.conn.QueryRowContext(ctx, `SELECT `+auditEntryColumns+` FROM audit_entries WHERE idx = $1`, index))
	if err != nil {
		return AuditEntry{}, fmt.Errorf("store: audit entry: %w", mapError(err))
	}
	return e, nil
}

// Range returns up to limit entries from index first on, in order. Where rows were removed it has gaps.
func (r *Audit) Range(ctx context.Context, first int64, limit int) ([]AuditEntry, error) {
	return r.query(ctx, `SELECT `+auditEntryColumns+` FROM audit_entries WHERE idx >= $1 ORDER BY idx LIMIT $2`, first, limit)
}

// ByAction returns the entries before an index that have one of two actions, in order.
func (r *Audit) ByAction(ctx context.Context, before int64, one, other string) ([]AuditEntry, error) {
	return r.query(ctx, `SELECT `+auditEntryColumns+` FROM audit_entries WHERE idx < $1 AND action IN ($2, $3) ORDER BY idx`, before, one, other)
}

// Hashes returns the hashes columns of the entries of those indexes; one that is not there is left out.
func (r *Audit) Hashes(ctx context.Context, indexes []int64) (map[int64]string, error) {
	return auditHashes(ctx, r.conn, indexes)
}

// AddCheckpoint adds a checkpoint. Adding one that is there already is no error.
func (r *Audit) AddCheckpoint(ctx context.Context, c AuditCheckpoint) error {
	return addAuditCheckpoint(ctx, r.conn, c)
}

// LastCheckpoint returns the checkpoint of the greatest size, or ErrNotFound.
func (r *Audit) LastCheckpoint(ctx context.Context) (AuditCheckpoint, error) {
	list, err := r.checkpoints(ctx, `SELECT size, note, created_at FROM audit_checkpoints ORDER BY size DESC, created_at DESC LIMIT 1`)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("store: audit checkpoint: %w", ErrNotFound)
	}
	if err != nil {
		return AuditCheckpoint{}, err
	}
	return list[0], nil
}

// Checkpoints returns up to limit checkpoints of sizes above after, in order of their sizes.
func (r *Audit) Checkpoints(ctx context.Context, after int64, limit int) ([]AuditCheckpoint, error) {
	return r.checkpoints(ctx, `SELECT size, note, created_at FROM audit_checkpoints WHERE size > $1 ORDER BY size, created_at LIMIT $2`, after, limit)
}

func (r *Audit) checkpoints(ctx context.Context, query string, args ...any) ([]AuditCheckpoint, error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: audit checkpoints: %w", err)
	}
	defer rows.Close()
	var list []AuditCheckpoint
	for rows.Next() {
		var c AuditCheckpoint
		var created int64
		if err := rows.Scan(&c.Size, &c.Note, &created); err != nil {
			return nil, fmt.Errorf("store: audit checkpoints: %w", err)
		}
		c.CreatedAt = fromMicros(created)
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: audit checkpoints: %w", err)
	}
	return list, nil
}

func (r *Audit) query(ctx context.Context, query string, args ...any) ([]AuditEntry, error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: audit entries: %w", err)
	}
	defer rows.Close()
	var list []AuditEntry
	for rows.Next() {
		e, err := scanAuditEntry(rows)
		if err != nil {
			return nil, fmt.Errorf("store: audit entries: %w", err)
		}
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: audit entries: %w", err)
	}
	return list, nil
}

func scanAuditEntry(row interface{ Scan(...any) error }) (AuditEntry, error) {
	var e AuditEntry
	var at int64
	err := row.Scan(&e.Index, &at, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Source, &e.Action, &e.Outcome,
		&e.ObjectKind, &e.ObjectID, &e.ObjectName, &e.SessionID, &e.Entry, &e.Hashes)
	e.Time = fromMicros(at)
	return e, err
}

func addAuditCheckpoint(ctx context.Context, to conn, c AuditCheckpoint) error {
	_, err := to.ExecContext(ctx, `INSERT INTO audit_checkpoints (size, note, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		c.Size, c.Note, toMicros(c.CreatedAt))
	if err != nil {
		return fmt.Errorf("store: add audit checkpoint: %w", err)
	}
	return nil
}

func auditHashes(ctx context.Context, c conn, indexes []int64) (map[int64]string, error) {
	found := make(map[int64]string, len(indexes))
	for len(indexes) > 0 {
		some := indexes[:min(len(indexes), 1000)]
		indexes = indexes[len(some):]
		args := make([]any, len(some))
		for i, index := range some {
			args[i] = index
		}
		var query strings.Builder
		query.WriteString(`SELECT idx, hashes FROM audit_entries WHERE idx IN `)
		writePlaceholders(&query, 1, len(args))
		if err := scanHashes(ctx, c, found, query.String(), args); err != nil {
			return nil, fmt.Errorf("store: audit hashes: %w", err)
		}
	}
	return found, nil
}

func scanHashes(ctx context.Context, c conn, into map[int64]string, query string, args []any) error {
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var index int64
		var hashes string
		if err := rows.Scan(&index, &hashes); err != nil {
			return err
		}
		into[index] = hashes
	}
	return errors.Join(rows.Err(), rows.Close())
}
