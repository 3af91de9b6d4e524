package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// scanner is a row, of one or of many.
type scanner interface{ Scan(dest ...any) error }

// collect returns all rows of a query; what names them in errors.
func collect[T any](ctx context.Context, db conn, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", what, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		x, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("store: %s: %w", what, err)
		}
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %s: %w", what, err)
	}
	return list, nil
}

// placeholders returns "$1, $2" and so on for values, and the arguments they stand for.
func placeholders(values []string) (string, []any) {
	names, args := make([]string, len(values)), make([]any, len(values))
	for i, v := range values {
		names[i], args[i] = fmt.Sprintf("$%d", i+1), v
	}
	return strings.Join(names, ", "), args
}

// searchText is what likePattern looks in. Databases differ in what they know of letters beyond ASCII, Go knows all.
func searchText(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }

// likePattern finds s anywhere in lower-case text, by LIKE with ESCAPE '!'.
func likePattern(s string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(s)) + "%"
}

// orNull keeps the empty string as NULL.
func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// timeOrNull keeps the zero time as NULL; timeOf reads it back.
func timeOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func timeOf(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return fromMicros(us.Int64)
}
