package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Access is who accessed what, when and for how long: one session, as the audit log tells it.
type Access struct {
	SessionID  string
	UserID     string
	UserName   string
	TargetID   string
	TargetName string
	Protocol   string
	Address    string
	Account    string
	Tags       []string
	Source     string
	StartedAt  time.Time
	EndedAt    time.Time // zero while it runs
	EndCode    string
	EndMessage string
	StartIndex int64 // of the entry that says so
	EndIndex   int64 // -1 while it runs

	search string // as it is in the database; "" otherwise
}

// maxSearchBytes bounds the text to look through: PostgreSQL's indexes take no longer ones.
const maxSearchBytes = 1000

// searchText is what AccessFilter.Query is looked for in: lower-case, with a line break between, of which no name has one
// in it that people can type.
func (x Access) searchText() string {
	s := strings.ToLower(strings.Join([]string{x.UserName, x.TargetName, x.TargetID, x.Account, x.Source, x.Address}, "\n"))
	for len(s) > maxSearchBytes {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

const accessColumns = `session_id, user_id, user_name, target_id, target_name, protocol, address, account, tags, source,
	started_at, ended_at, end_code, end_message, start_index, end_index, search`

// BeginAccess adds a session to the access report. The first entry about a session counts.
func (a *AuditTx) BeginAccess(ctx context.Context, x Access) error {
	_, err := a.tx.ExecContext(ctx, `INSERT INTO audit_access (`+accessColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, '', '', $12, NULL, $13) ON CONFLICT DO NOTHING`,
		x.SessionID, x.UserID, x.UserName, x.TargetID, x.TargetName, x.Protocol, x.Address, x.Account, joinTags(x.Tags), x.Source,
		toMicros(x.StartedAt), x.StartIndex, x.searchText())
	if err != nil {
		return fmt.Errorf("store: access report: %w", err)
	}
	return nil
}

// EndAccess notes when and why a session ended. The first entry about that counts, and one of a session that never began
// does not.
func (a *AuditTx) EndAccess(ctx context.Context, session string, index int64, at time.Time, code, message string) error {
	_, err := a.tx.ExecContext(ctx,
		`UPDATE audit_access SET ended_at = $1, end_code = $2, end_message = $3, end_index = $4 WHERE session_id = $5 AND end_index IS NULL`,
		toMicros(at), code, message, index, session)
	if err != nil {
		return fmt.Errorf("store: access report: %w", err)
	}
	return nil
}

// Equal tells whether two say the same, also to those who search.
func (x Access) Equal(y Access) bool {
	for _, a := range []Access{x, y} {
		if a.search != "" && a.search != a.searchText() {
			return false
		}
	}
	x.search, y.search = "", ""
	same := x.StartedAt.Equal(y.StartedAt) && x.EndedAt.Equal(y.EndedAt) && slices.Equal(x.Tags, y.Tags)
	x.StartedAt, x.EndedAt, x.Tags, y.StartedAt, y.EndedAt, y.Tags = time.Time{}, time.Time{}, nil, time.Time{}, time.Time{}, nil
	return same && reflect.DeepEqual(x, y)
}

// Accesses returns the rows of those sessions, by their ids.
func (r *Audit) Accesses(ctx context.Context, sessions []string) (map[string]Access, error) {
	found := make(map[string]Access, len(sessions))
	for some := range slices.Chunk(sessions, 500) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		var query strings.Builder
		query.WriteString(`SELECT ` + accessColumns + ` FROM audit_access WHERE session_id IN `)
		writePlaceholders(&query, 1, len(args))
		list, err := r.accesses(ctx, query.String(), args...)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			found[a.SessionID] = a
		}
	}
	return found, nil
}

// CountAccesses returns how many rows say that they come of entries before index.
func (r *Audit) CountAccesses(ctx context.Context, index int64) (int64, error) {
	var n int64
	if err := r.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_access WHERE start_index < $1`, index).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: access report: %w", err)
	}
	return n, nil
}

func (r *Audit) accesses(ctx context.Context, query string, args ...any) ([]Access, error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: access report: %w", err)
	}
	defer rows.Close()
	var list []Access
	for rows.Next() {
		a, err := scanAccess(rows)
		if err != nil {
			return nil, fmt.Errorf("store: access report: %w", err)
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: access report: %w", err)
	}
	return list, nil
}

// joinTags puts each tag between commas, so that one can be looked for.
func joinTags(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "," + strings.Join(tags, ",") + ","
}

func scanAccess(row interface{ Scan(...any) error }) (Access, error) {
	var a Access
	var tags string
	var started int64
	var ended, endIndex sql.NullInt64
	err := row.Scan(&a.SessionID, &a.UserID, &a.UserName, &a.TargetID, &a.TargetName, &a.Protocol, &a.Address, &a.Account, &tags, &a.Source,
		&started, &ended, &a.EndCode, &a.EndMessage, &a.StartIndex, &endIndex, &a.search)
	if tags != "" {
		a.Tags = strings.Split(strings.Trim(tags, ","), ",")
	}
	a.StartedAt, a.EndIndex = fromMicros(started), -1
	if ended.Valid {
		a.EndedAt = fromMicros(ended.Int64)
	}
	if endIndex.Valid {
		a.EndIndex = endIndex.Int64
	}
	return a, err
}
