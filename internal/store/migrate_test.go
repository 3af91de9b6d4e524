package store_test

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// schema2 makes the database of a gateway at schema version 2 at source, with rows in every table.
func schema2(t *testing.T, source string) {
	t.Helper()
	if filepath.IsAbs(source) {
		file, err := os.ReadFile("testdata/schema2.db")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(source), 0o700))
		require.NoError(t, os.WriteFile(source, file, 0o600))
		return
	}
	db := storetest.RawSource(t, source)
	migrations := os.DirFS("migrations")
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations)
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 2)
	require.NoError(t, err)
	rows, err := os.ReadFile("testdata/schema2.sql")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), string(rows))
	require.NoError(t, err)
}

func newest(t *testing.T) (version int64) {
	t.Helper()
	files, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	require.NoError(t, err)
	version, err = goose.NumericComponent(files[len(files)-1])
	require.NoError(t, err)
	return version
}

func schemaVersion(ctx context.Context, t *testing.T, db *sql.DB) (version int64) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version))
	return version
}

// TestMigrateFromThePreviousRelease: whatever newer versions do to the tables, what was there is still there.
func TestMigrateFromThePreviousRelease(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		ctx := t.Context()
		schema2(t, source)
		require.EqualValues(t, 2, schemaVersion(ctx, t, storetest.RawSource(t, source)))
		s := storetest.Open(t, source)
		require.Equal(t, newest(t), schemaVersion(ctx, t, storetest.Raw(t, s)))

		admin, err := s.Users.ByName(ctx, "admin")
		require.NoError(t, err)
		require.Equal(t, "01KAT9Z0000000000000000001", admin.ID)
		require.Equal(t, "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", admin.PasswordHash)
		require.Equal(t, time.UnixMicro(1764144000000002).UTC(), admin.PasswordAt)
		require.False(t, admin.Disabled)
		bob, err := s.Users.ByName(ctx, "bob")
		require.NoError(t, err)
		require.True(t, bob.Disabled)

		signedIn, err := s.BrowserSessions.Get(ctx, "aa00000000000000000000000000000000000000000000000000000000000001")
		require.NoError(t, err)
		require.Equal(t, admin.ID, signedIn.UserID)

		list, err := s.Sessions.List(ctx, store.SessionFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, list, 3)
		require.Equal(t, "active", list[0].State)
		require.True(t, list[0].EndedAt.IsZero())
		require.Equal(t, "Desk “é”", list[2].TargetName)
		require.Equal(t, time.UnixMicro(1764144460000000).UTC(), list[2].EndedAt)

		sealed, err := s.Recordings.Get(ctx, list[2].ID)
		require.NoError(t, err)
		require.EqualValues(t, 5_000_000_000, sealed.Bytes)
		unsealed, err := s.Recordings.Unsealed(ctx)
		require.NoError(t, err)
		require.Len(t, unsealed, 1)
		require.Equal(t, "store: not now", unsealed[0].Error)

		held, err := s.Certificates.Get(ctx, "win")
		require.NoError(t, err)
		require.Equal(t, list[1].ID, held.SessionID)
	})
}

// TestMigrateFromEmpty also opens what it has made once more: the newest version has nothing left to do.
func TestMigrateFromEmpty(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		s := storetest.Open(t, source)
		require.Equal(t, newest(t), schemaVersion(t.Context(), t, storetest.Raw(t, s)))
		again := storetest.Open(t, source)
		require.NoError(t, again.Users.Create(t.Context(), store.User{ID: "u", Name: "n"}))
		n, err := s.Users.Count(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}
