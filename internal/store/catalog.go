package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// gooseTable holds the schema's version. It is part of the schema, not of what is kept.
const gooseTable = "goose_db_version"

// table is one as the database's catalog describes it.
type table struct {
	name    string
	columns []string // in their order
	key     []string // the primary key's columns, in the key's order; none: no key
}

// tablesOf returns the tables of the schema, by name, from the catalog: a new migration needs no word here. The search index
// is not among them: it is made of the recordings, and no backup is to hold their texts.
func tablesOf(ctx context.Context, db conn, kind engine) ([]table, error) {
	names, err := texts(ctx, db, kind.tables)
	if err != nil {
		return nil, fmt.Errorf("store: list tables: %w", err)
	}
	slices.Sort(names) // by bytes in both
	var tables []table
	for _, name := range names {
		if name == gooseTable || strings.HasPrefix(name, searchTables) {
			continue
		}
		t := table{name: name}
		if t.columns, err = texts(ctx, db, kind.columns, name); err == nil {
			t.key, err = texts(ctx, db, kind.key, name)
		}
		if err != nil {
			return nil, fmt.Errorf("store: table %s: %w", name, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// schemaVersion returns the newest migration the database has had, and false when it has had none.
func schemaVersion(ctx context.Context, db conn, kind engine) (int64, bool, error) {
	names, err := texts(ctx, db, kind.tables)
	if err != nil || !slices.Contains(names, gooseTable) {
		return 0, false, err
	}
	var version sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM `+gooseTable).Scan(&version)
	return version.Int64, version.Int64 > 0, err
}

func texts(ctx context.Context, db conn, query string, args ...any) ([]string, error) {
	return collect(ctx, db, "catalog", func(row scanner) (s string, err error) { return s, row.Scan(&s) }, query, args...)
}

// quote makes an SQL identifier; both databases know double quotes.
func quote(names ...string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return strings.Join(quoted, ", ")
}

// The catalogs: names of tables, then of a table's columns, then of its key's columns.
const (
	sqliteTables  = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	sqliteColumns = `SELECT name FROM pragma_table_info($1) ORDER BY cid`
	sqliteKey     = `SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk`

	postgresTables  = `SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	postgresColumns = `SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`
	postgresKey     = `SELECT column_name::text FROM information_schema.key_column_usage JOIN information_schema.table_constraints
		USING (constraint_schema, constraint_name, table_schema, table_name)
		WHERE table_schema = current_schema() AND table_name = $1 AND constraint_type = 'PRIMARY KEY' ORDER BY ordinal_position`
)

// ErrNoDatabase is about a database that was never set up.
var ErrNoDatabase = errors.New("store: there is no database of Vitrine")
