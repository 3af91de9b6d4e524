package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "new folder", "a?b#c%20.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestOpenEmptyAndExisting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Users.Create(t.Context(), User{ID: "1", Name: "admin", CreatedAt: epoch, PasswordAt: epoch}))
	require.NoError(t, s.Ping(t.Context()))
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	s, err = Open(t.Context(), path)
	require.NoError(t, err)
	u, err := s.Users.ByName(t.Context(), "admin")
	require.NoError(t, err)
	require.Equal(t, epoch, u.CreatedAt)
	require.NoError(t, s.Close())
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	_, err = s.db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(t.Context(), path)
	require.ErrorContains(t, err, "schema version 9999 is newer")
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	noDatabase := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(noDatabase, []byte("this is not a database, whatever its name says....."), 0o600))
	for name, path := range map[string]string{"a folder": dir, "below a file": filepath.Join(noDatabase, "x.db"), "not a database": noDatabase} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), path)
			require.Error(t, err)
		})
	}
}

func TestPragmas(t *testing.T) {
	s := open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, s.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
}

func TestUsers(t *testing.T) {
	s, ctx := open(t), t.Context()
	n, err := s.Users.Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	u := User{ID: "u1", Name: "alice", PasswordHash: "h", CreatedAt: epoch, PasswordAt: epoch, Disabled: true}
	require.NoError(t, s.Users.Create(ctx, u))
	require.ErrorIs(t, s.Users.Create(ctx, User{ID: "u2", Name: "alice"}), ErrExists)
	require.ErrorIs(t, s.Users.Create(ctx, User{ID: "u1", Name: "bob"}), ErrExists)
	got, err := s.Users.ByID(ctx, "u1")
	require.NoError(t, err)
	require.Equal(t, u, got)
	_, err = s.Users.ByName(ctx, "nobody")
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, s.Users.SetPassword(ctx, "u1", "h2", epoch.Add(time.Hour)))
	got, err = s.Users.ByName(ctx, "alice")
	require.NoError(t, err)
	require.Equal(t, "h2", got.PasswordHash)
	require.Equal(t, epoch.Add(time.Hour), got.PasswordAt)
	require.ErrorIs(t, s.Users.SetPassword(ctx, "u9", "h", epoch), ErrNotFound)
}

func TestBrowserSessions(t *testing.T) {
	s, ctx := open(t), t.Context()
	require.NoError(t, s.Users.Create(ctx, User{ID: "u1", Name: "alice"}))
	b := BrowserSession{TokenHash: "t1", UserID: "u1", CreatedAt: epoch, SeenAt: epoch, ExpiresAt: epoch.Add(time.Hour), Address: "192.0.2.1"}
	require.NoError(t, s.BrowserSessions.Create(ctx, b))
	orphan := b
	orphan.TokenHash, orphan.UserID = "t2", "nobody"
	require.Error(t, s.BrowserSessions.Create(ctx, orphan), "foreign keys are on")
	got, err := s.BrowserSessions.Get(ctx, "t1")
	require.NoError(t, err)
	require.Equal(t, b, got)
	require.NoError(t, s.BrowserSessions.Seen(ctx, "t1", epoch.Add(time.Minute)))
	require.ErrorIs(t, s.BrowserSessions.Seen(ctx, "t9", epoch), ErrNotFound)

	for _, tc := range []struct {
		name      string
		now, idle time.Time
		want      int64
	}{
		{"in use", epoch.Add(2 * time.Minute), epoch, 0},
		{"idle", epoch.Add(2 * time.Minute), epoch.Add(time.Minute), 1},
		{"expired", epoch.Add(time.Hour), epoch, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, s.BrowserSessions.Delete(ctx, "t1"))
			again := b
			again.SeenAt = epoch.Add(time.Minute)
			require.NoError(t, s.BrowserSessions.Create(ctx, again))
			n, err := s.BrowserSessions.DeleteExpired(ctx, tc.now, tc.idle)
			require.NoError(t, err)
			require.Equal(t, tc.want, n)
		})
	}
	require.NoError(t, s.BrowserSessions.Create(ctx, BrowserSession{TokenHash: "t3", UserID: "u1"}))
	require.NoError(t, s.BrowserSessions.DeleteOfUser(ctx, "u1"))
	_, err = s.BrowserSessions.Get(ctx, "t3")
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, s.BrowserSessions.Delete(ctx, "t3"))
}

func session(n int) Session {
	return Session{
		ID: fmt.Sprintf("01J%023d", n), UserID: "u", UserName: "alice", TargetID: "t", TargetName: "T", TargetProtocol: "vnc",
		TargetAddress: "h:1", ClientAddress: "192.0.2.1", State: "connecting", StartedAt: epoch.Add(time.Duration(n) * time.Second),
	}
}

func TestSessions(t *testing.T) {
	s, ctx := open(t), t.Context()
	for n := range 5 {
		require.NoError(t, s.Sessions.Create(ctx, session(n)))
	}
	require.ErrorIs(t, s.Sessions.Create(ctx, session(0)), ErrExists)
	require.NoError(t, s.Sessions.SetProgress(ctx, session(1).ID, Progress{State: "active", Width: 800, Height: 600, DesktopName: "d"}))
	require.NoError(t, s.Sessions.End(ctx, session(2).ID, "user_disconnected", "bye", epoch.Add(time.Hour)))
	require.NoError(t, s.Sessions.End(ctx, session(2).ID, "worker_crashed", "later word", epoch.Add(2*time.Hour)))
	require.NoError(t, s.Sessions.SetProgress(ctx, session(2).ID, Progress{State: "active"}))

	got, err := s.Sessions.Get(ctx, session(2).ID)
	require.NoError(t, err)
	want := session(2)
	want.State, want.EndCode, want.EndMessage, want.EndedAt = StateEnded, "user_disconnected", "bye", epoch.Add(time.Hour)
	require.Equal(t, want, got)
	got, err = s.Sessions.Get(ctx, session(1).ID)
	require.NoError(t, err)
	require.Equal(t, "active", got.State)
	require.Equal(t, 800, got.Width)
	require.Zero(t, got.EndedAt)
	_, err = s.Sessions.Get(ctx, "x")
	require.ErrorIs(t, err, ErrNotFound)

	for _, tc := range []struct {
		name   string
		filter SessionFilter
		want   []int
	}{
		{"all", SessionFilter{Limit: 10}, []int{4, 3, 2, 1, 0}},
		{"a page", SessionFilter{Limit: 2}, []int{4, 3}},
		{"the next page", SessionFilter{Limit: 2, Before: session(3).ID}, []int{2, 1}},
		{"running", SessionFilter{Limit: 10, Running: new(true)}, []int{4, 3, 1, 0}},
		{"ended", SessionFilter{Limit: 10, Running: new(false)}, []int{2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list, err := s.Sessions.List(ctx, tc.filter)
			require.NoError(t, err)
			var ids, want []string
			for _, x := range list {
				ids = append(ids, x.ID)
			}
			for _, n := range tc.want {
				want = append(want, session(n).ID)
			}
			require.Equal(t, want, ids)
		})
	}
}

func TestRecordings(t *testing.T) {
	s, ctx := open(t), t.Context()
	for n := range 4 {
		require.NoError(t, s.Sessions.Create(ctx, session(n)))
		if n < 3 {
			require.NoError(t, s.Recordings.Put(ctx, Recording{SessionID: session(n).ID, State: RecordingRunning}))
		}
	}
	require.Error(t, s.Recordings.Put(ctx, Recording{SessionID: "nobody's", State: RecordingRunning}), "a recording is of a session")
	id := session(1).ID
	got, err := s.Recordings.Get(ctx, id)
	require.NoError(t, err)
	require.Equal(t, RecordedSession{Recording{SessionID: id, State: RecordingRunning}, session(1)}, got)
	waiting := Recording{SessionID: session(0).ID, State: RecordingUploading, Bytes: 7, Duration: time.Second, PendingFiles: 3, Error: "no store"}
	require.NoError(t, s.Recordings.Put(ctx, waiting))
	sealed := Recording{SessionID: id, State: RecordingSealed, Bytes: 1 << 40, Duration: 90 * time.Second, SealedBy: "worker"}
	require.NoError(t, s.Recordings.Put(ctx, sealed))
	require.NoError(t, s.Recordings.Put(ctx, Recording{SessionID: id, State: RecordingUploading, Error: "late"}))
	got, err = s.Recordings.Get(ctx, id)
	require.NoError(t, err)
	require.Equal(t, sealed, got.Recording)
	_, err = s.Recordings.Get(ctx, session(3).ID)
	require.ErrorIs(t, err, ErrNotFound, "nothing was recorded of it")

	unsealed, err := s.Recordings.Unsealed(ctx)
	require.NoError(t, err)
	require.Equal(t, []Recording{waiting, {SessionID: session(2).ID, State: RecordingRunning}}, unsealed)

	page, err := s.Recordings.List(ctx, "", 2)
	require.NoError(t, err)
	require.Len(t, page, 2)
	require.Equal(t, session(2).ID, page[0].SessionID)
	page, err = s.Recordings.List(ctx, page[1].SessionID, 2)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Equal(t, "alice", page[0].Session.UserName)
}

// TestWritersWaitForEachOther has more writers than connections; none may fail with "database is locked".
func TestWritersWaitForEachOther(t *testing.T) {
	s := open(t)
	require.NoError(t, s.Sessions.Create(t.Context(), session(0)))
	var wg sync.WaitGroup
	errs := make(chan error, 4*maxConnections*5)
	for w := range 4 * maxConnections {
		wg.Go(func() {
			for i := range 5 {
				errs <- s.Sessions.SetProgress(t.Context(), session(0).ID, Progress{State: "active", Width: w, Height: i})
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

func TestCancelledContext(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Users.Count(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, mapError(sql.ErrNoRows), ErrNotFound)
}
