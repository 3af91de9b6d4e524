package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// Fill puts three rows of awkward values into every table of s, whichever there are: it reads the schema, follows foreign
// keys, and knows no table by name.
func Fill(t *testing.T, s *store.Store) {
	t.Helper()
	f := &filler{t: t, db: Raw(t, s), postgres: strings.HasPrefix(Source(t, s), "postgres"), done: map[string]bool{}}
	names := f.strings(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
		`SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name`)
	for _, name := range names {
		if name != "goose_db_version" && !strings.HasPrefix(name, "search_") { // the search index is in no backup
			f.table(name)
		}
	}
}

type filler struct {
	t        *testing.T
	db       *sql.DB
	postgres bool
	done     map[string]bool
}

func (f *filler) strings(sqlite, postgres string, args ...any) (list []string) {
	f.t.Helper()
	query := sqlite
	if f.postgres {
		query = postgres
	}
	rows, err := f.db.QueryContext(f.t.Context(), query, args...)
	require.NoError(f.t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		require.NoError(f.t, rows.Scan(&s))
		list = append(list, s)
	}
	require.NoError(f.t, rows.Err())
	return list
}

// table fills name, after those it refers to.
func (f *filler) table(name string) {
	f.t.Helper()
	if f.done[name] {
		return
	}
	f.done[name] = true
	refers := map[string]string{} // column to other table
	for _, line := range f.strings(`SELECT "from" || ' ' || "table" FROM pragma_foreign_key_list($1)`,
		`SELECT a.attname || ' ' || c.confrelid::regclass FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
		 WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)`, name) {
		column, other, _ := strings.Cut(line, " ")
		refers[column] = other
		f.table(other)
	}
	var n int
	require.NoError(f.t, f.db.QueryRowContext(f.t.Context(), `SELECT COUNT(*) FROM `+name).Scan(&n))
	if n > 0 {
		return // a migration has put something there
	}
	columns := f.strings(`SELECT name || ' ' || lower(type) FROM pragma_table_info($1) ORDER BY cid`,
		`SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`, name)
	for row := range 3 {
		var names, values []string
		var args []any
		for _, column := range columns {
			c, kind, _ := strings.Cut(column, " ")
			names, values = append(names, c), append(values, fmt.Sprintf("$%d", len(values)+1))
			args = append(args, f.value(c, kind, refers[c], row))
		}
		_, err := f.db.ExecContext(f.t.Context(),
			`INSERT INTO `+name+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(values, ", ")+`)`, args...)
		require.NoError(f.t, err, "%s: %v", name, args)
	}
}

func (f *filler) value(column, kind, other string, row int) any {
	if other != "" {
		key := f.strings(`SELECT name FROM pragma_table_info($1) WHERE pk = 1`,
			`SELECT column_name::text FROM information_schema.key_column_usage WHERE table_schema = current_schema() AND table_name = $1 AND ordinal_position = 1`, other)[0]
		ids := f.strings(`SELECT `+key+` FROM `+other+` ORDER BY 1`, `SELECT `+key+` FROM `+other+` ORDER BY 1`)
		return ids[row%len(ids)]
	}
	switch {
	case strings.Contains(kind, "text"):
		return fmt.Sprintf("%s %d \"'<&>\\ \u2028é\U0001F600\n\t", column, row)
	case strings.Contains(kind, "bytea"):
		return []byte{0, 0xff, byte(row), '"', '\n'}
	case strings.Contains(kind, "small"):
		return row
	case strings.Contains(kind, "bigint"):
		return int64(1)<<53 + 1 + int64(row) // what a float would lose
	case strings.Contains(kind, "int"):
		return row + 7
	}
	require.Failf(f.t, "a column of a kind that is not filled", "%s %s", column, kind)
	return nil
}
