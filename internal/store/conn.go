package store

import (
	"context"
	"database/sql"
	"reflect"
	"strings"
)

// conn is what repositories speak to: the pool of connections, or one transaction.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tidy is a conn whose text is valid UTF-8 without NUL. PostgreSQL refuses other text, also where it is only compared:
// an id that somebody made up would be an error there and an unknown id in SQLite. Targets send names, too.
type tidy struct{ conn conn }

func (c tidy) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.conn.ExecContext(ctx, query, tidied(args)...)
}

func (c tidy) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.conn.QueryContext(ctx, query, tidied(args)...)
}

func (c tidy) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.conn.QueryRowContext(ctx, query, tidied(args)...)
}

// tidied replaces in args, which it changes, what no text of both databases can hold.
func tidied(args []any) []any {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			args[i] = tidyText(v)
		case sql.NullString:
			v.String = tidyText(v.String)
			args[i] = v
		default:
			if r := reflect.ValueOf(arg); r.Kind() == reflect.String {
				args[i] = tidyText(r.String())
			}
		}
	}
	return args
}

func tidyText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
