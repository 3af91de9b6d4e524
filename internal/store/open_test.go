package store_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestOpenEmptyAndExisting(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		s, err := store.Open(t.Context(), source)
		require.NoError(t, err)
		require.NoError(t, s.Users.Create(t.Context(), store.User{ID: "1", Name: "admin", CreatedAt: epoch, PasswordAt: epoch}))
		require.NoError(t, s.Ping(t.Context()))
		require.NoError(t, s.Close())
		if info, err := os.Stat(source); err == nil {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
		u, err := storetest.Open(t, source).Users.ByName(t.Context(), "admin")
		require.NoError(t, err)
		require.Equal(t, epoch, u.CreatedAt)
	})
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	storetest.EachSource(t, func(t *testing.T, source string) {
		s, err := store.Open(t.Context(), source)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = storetest.RawSource(t, source).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)`, 9999, true)
		require.NoError(t, err)
		_, err = store.Open(t.Context(), source)
		require.ErrorContains(t, err, "schema version 9999 is newer")
	})
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	noDatabase := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(noDatabase, []byte("this is not a database, whatever its name says....."), 0o600))
	for name, source := range map[string]string{
		"a folder": dir, "below a file": filepath.Join(noDatabase, "x.db"), "not a database": noDatabase,
		"nobody listens":   "postgres://u:hunter2@127.0.0.1:1/v",
		"not a URL":        "postgres://u:hunter2@:x/",
		"no such CA":       "postgres://u:hunter2@127.0.0.1:1/v?sslmode=verify-full&sslrootcert=/missing.pem",
		"no such TLS mode": "postgres://u:hunter2@127.0.0.1:1/v?sslmode=hunter2",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Open(t.Context(), source)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// TestWrongPassword asks a real server.
func TestWrongPassword(t *testing.T) {
	source := storetest.Postgres(t)
	at := source[:len("postgres://postgres:")] + "hunter2" + source[slices.Index([]byte(source), '@'):]
	_, err := store.Open(t.Context(), at)
	require.ErrorContains(t, err, "password authentication failed")
	require.NotContains(t, err.Error(), "hunter2")
}

// TestOpenTogether has several nodes start on one empty database.
func TestOpenTogether(t *testing.T) {
	source := storetest.Postgres(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			s, err := store.Open(t.Context(), source)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
}

// TestOrderOfText: a PostgreSQL server that sorts as English does must not make lists differ from SQLite's.
func TestOrderOfText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ids := []string{"-x", "A", "B", "a", "a-1", "a1", "b", "é"} // by bytes
		for _, id := range slices.Backward(ids) {
			_, err := s.Certificates.Trust(t.Context(), store.TargetCertificate{TargetID: id, FirstSeen: epoch})
			require.NoError(t, err)
		}
		list, err := s.Certificates.List(t.Context())
		require.NoError(t, err)
		var got []string
		for _, c := range list {
			got = append(got, c.TargetID)
		}
		require.Equal(t, ids, got)
	})
}

// TestAwkwardText: what a person or target sends is text both databases take, or an id that is unknown.
func TestAwkwardText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		_, err := s.Sessions.Get(t.Context(), "\x00")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.Sessions.Get(t.Context(), "\xff'; --")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.Sessions.Create(t.Context(), session(1)))
		require.NoError(t, s.Sessions.SetProgress(t.Context(), session(1).ID, store.Progress{State: "active", DesktopName: "a\x00b\xff'\u2028"}))
		got, err := s.Sessions.Get(t.Context(), session(1).ID)
		require.NoError(t, err)
		require.Equal(t, "a\uFFFDb\uFFFD'\u2028", got.DesktopName)
	})
}

func TestCancelledContext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Users.Count(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, s.Tx(ctx, func(*store.Store) error { return nil }), context.Canceled)
	})
}
