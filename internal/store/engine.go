package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/pressly/goose/v3"
)

// engine is what the two databases do each in their own way.
type engine struct {
	name     string
	dialect  goose.Dialect
	open     func(source string) (*sql.DB, error)
	describe func(source string) string // for people: no password
	tx       sql.TxOptions
	snapshot sql.TxOptions // reads the database as of one moment

	tables, columns, key string // statements about the catalog

	search searchEngine

	deferKeys func(context.Context, *sql.Tx) (check func() error, err error)
	restore   func(ctx context.Context, source string, replace bool, build func(*sql.DB) error) (replaced string, err error)
}

// engineOf tells a PostgreSQL URL from the path of a file.
func engineOf(source string) engine {
	if strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://") {
		return postgres
	}
	return sqliteFile
}
