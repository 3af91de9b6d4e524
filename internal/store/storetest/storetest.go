// Package storetest runs tests of what is kept in the store against every database it can be: SQLite, and a real
// PostgreSQL server unless the tests are short.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// opened holds where the stores of this package are: *store.Store to string.
var opened sync.Map

// Each runs test against an empty store in SQLite and, as a test of its own, against one in PostgreSQL.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, Open(t, Migrated(t))) })
	t.Run("postgresql", func(t *testing.T) { test(t, Open(t, Postgres(t))) })
}

// EachSource is Each for tests that open the store themselves: source is what store.Open takes, and nothing is there yet.
func EachSource(t *testing.T, test func(t *testing.T, source string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite returns the path of a file that is not there yet, in a folder and under a name that are awkward.
func SQLite(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "new folder", "a?b#c%20.db")
}

// migrated is an empty SQLite database with the newest schema.
var migrated = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "vitrine-store-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "v.db")
	s, err := store.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // the last connection moves the log into the file
		return nil, err
	}
	return os.ReadFile(path)
})

// Migrated returns the path of a SQLite file without rows that has the newest schema. Making that once for all tests of
// a process saves most of their time.
func Migrated(t testing.TB) string {
	t.Helper()
	file, err := migrated()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "v.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return path
}

// Postgres returns the URL of an empty database. It skips short tests.
func Postgres(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a PostgreSQL server")
	}
	return testbed.Postgres(t)
}

// Open opens the store at source and closes it when the test ends.
func Open(t *testing.T, source string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), source)
	require.NoError(t, err)
	opened.Store(s, source)
	t.Cleanup(func() {
		opened.Delete(s)
		require.NoError(t, s.Close())
	})
	return s
}

// Source returns where a store of this package is, for what opens it a second time.
func Source(t *testing.T, s *store.Store) string {
	t.Helper()
	source, ok := opened.Load(s)
	require.True(t, ok, "a store that storetest opened")
	return source.(string)
}

// Raw opens a connection of its own to the database under s, for what the store does not do: looking at its tables and
// tampering with them. The statements' parameters are $1, $2, as everywhere.
func Raw(t *testing.T, s *store.Store) *sql.DB {
	t.Helper()
	return RawSource(t, Source(t, s))
}

// RawSource is Raw for a store that is not open.
func RawSource(t *testing.T, source string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(source, "postgres") {
		driver = "pgx"
	} else {
		source = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(source)
		source = "file:" + source + "?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
