package store

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "v.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestPragmas(t *testing.T) {
	s := open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, s.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
}

func TestNoRows(t *testing.T) { require.ErrorIs(t, mapError(sql.ErrNoRows), ErrNotFound) }

func TestTidyText(t *testing.T) {
	type name string
	args := []any{"a\x00b", name("\xffc"), sql.NullString{String: "d\x00", Valid: true}, 5, nil, "é"}
	require.Equal(t, []any{"a\uFFFDb", "\uFFFDc", sql.NullString{String: "d\uFFFD", Valid: true}, 5, nil, "é"}, tidied(args))
}

func TestDescribe(t *testing.T) {
	for source, want := range map[string]string{
		"postgres://u:hunter2@db:5432/v?password=hunter2": "postgres://db:5432/v",
		"postgresql:///v?host=/run/postgresql":            "postgres:///v",
		"postgres://u:hunter2@ db/%zz":                    "the PostgreSQL database",
		"/var/lib/v.db":                                   "/var/lib/v.db",
	} {
		require.Equal(t, want, engineOf(source).describe(source))
	}
}
