package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func TestUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		n, err := s.Users.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		u := store.User{ID: "u1", Name: "alice", PasswordHash: "h", CreatedAt: epoch, PasswordAt: epoch, Disabled: true, Source: store.SourceLocal}
		require.NoError(t, s.Users.Create(ctx, u))
		require.ErrorIs(t, s.Users.Create(ctx, store.User{ID: "u2", Name: "alice"}), store.ErrExists)
		require.ErrorIs(t, s.Users.Create(ctx, store.User{ID: "u1", Name: "bob"}), store.ErrExists)
		got, err := s.Users.ByID(ctx, "u1")
		require.NoError(t, err)
		require.Equal(t, u, got)
		_, err = s.Users.ByName(ctx, "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.Users.SetPassword(ctx, "u1", "h2", epoch.Add(time.Hour), true))
		got, err = s.Users.ByName(ctx, "alice")
		require.NoError(t, err)
		require.Equal(t, "h2", got.PasswordHash)
		require.Equal(t, epoch.Add(time.Hour), got.PasswordAt)
		require.True(t, got.MustChangePassword)
		require.ErrorIs(t, s.Users.SetPassword(ctx, "u9", "h", epoch, false), store.ErrNotFound)
	})
}

func TestBrowserSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		require.NoError(t, s.Users.Create(ctx, store.User{ID: "u1", Name: "alice"}))
		b := store.BrowserSession{ID: "public", TokenHash: "t1", UserID: "u1", CreatedAt: epoch, SeenAt: epoch, ExpiresAt: epoch.Add(time.Hour), Address: "192.0.2.1"}
		require.NoError(t, s.BrowserSessions.Create(ctx, b))
		orphan := b
		orphan.ID, orphan.TokenHash, orphan.UserID = "other", "t2", "nobody"
		require.Error(t, s.BrowserSessions.Create(ctx, orphan), "foreign keys are on")
		got, err := s.BrowserSessions.Get(ctx, "t1")
		require.NoError(t, err)
		require.Equal(t, b, got)
		require.NoError(t, s.BrowserSessions.Seen(ctx, "t1", epoch.Add(time.Minute)))
		require.ErrorIs(t, s.BrowserSessions.Seen(ctx, "t9", epoch), store.ErrNotFound)

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
		require.NoError(t, s.BrowserSessions.Create(ctx, store.BrowserSession{ID: "third", TokenHash: "t3", UserID: "u1"}))
		require.NoError(t, s.BrowserSessions.DeleteOfUser(ctx, "u1", ""))
		_, err = s.BrowserSessions.Get(ctx, "t3")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.BrowserSessions.Delete(ctx, "t3"))
	})
}

func session(n int) store.Session {
	return store.Session{
		ID: fmt.Sprintf("01J%023d", n), UserID: "u", UserName: "alice", TargetID: "t", TargetName: "T", TargetProtocol: "vnc",
		TargetAddress: "h:1", ClientAddress: "192.0.2.1", State: "connecting", StartedAt: epoch.Add(time.Duration(n) * time.Second),
	}
}

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for n := range 5 {
			require.NoError(t, s.Sessions.Create(ctx, session(n)))
		}
		require.ErrorIs(t, s.Sessions.Create(ctx, session(0)), store.ErrExists)
		require.NoError(t, s.Sessions.SetProgress(ctx, session(1).ID, store.Progress{State: "active", Width: 800, Height: 600, DesktopName: "d"}))
		require.NoError(t, s.Sessions.End(ctx, session(2).ID, "user_disconnected", "bye", epoch.Add(time.Hour)))
		require.NoError(t, s.Sessions.End(ctx, session(2).ID, "worker_crashed", "later word", epoch.Add(2*time.Hour)))
		require.NoError(t, s.Sessions.SetProgress(ctx, session(2).ID, store.Progress{State: "active"}))

		got, err := s.Sessions.Get(ctx, session(2).ID)
		require.NoError(t, err)
		want := session(2)
		want.State, want.EndCode, want.EndMessage, want.EndedAt = store.StateEnded, "user_disconnected", "bye", epoch.Add(time.Hour)
		require.Equal(t, want, got)
		got, err = s.Sessions.Get(ctx, session(1).ID)
		require.NoError(t, err)
		require.Equal(t, "active", got.State)
		require.Equal(t, 800, got.Width)
		require.Zero(t, got.EndedAt)
		_, err = s.Sessions.Get(ctx, "x")
		require.ErrorIs(t, err, store.ErrNotFound)

		for _, tc := range []struct {
			name   string
			filter store.SessionFilter
			want   []int
		}{
			{"all", store.SessionFilter{Limit: 10}, []int{4, 3, 2, 1, 0}},
			{"a page", store.SessionFilter{Limit: 2}, []int{4, 3}},
			{"the next page", store.SessionFilter{Limit: 2, Before: session(3).ID}, []int{2, 1}},
			{"running", store.SessionFilter{Limit: 10, Running: new(true)}, []int{4, 3, 1, 0}},
			{"ended", store.SessionFilter{Limit: 10, Running: new(false)}, []int{2}},
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
	})
}

func TestRecordings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for n := range 4 {
			require.NoError(t, s.Sessions.Create(ctx, session(n)))
			if n < 3 {
				require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: session(n).ID, State: store.RecordingRunning}))
			}
		}
		require.Error(t, s.Recordings.Put(ctx, store.Recording{SessionID: "nobody's", State: store.RecordingRunning}), "a recording is of a session")
		id := session(1).ID
		got, err := s.Recordings.Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, store.RecordedSession{store.Recording{SessionID: id, State: store.RecordingRunning}, session(1), store.Review{State: store.ReviewToDo}}, got)
		waiting := store.Recording{SessionID: session(0).ID, State: store.RecordingUploading, Bytes: 7, Duration: time.Second, PendingFiles: 3, Error: "no store"}
		require.NoError(t, s.Recordings.Put(ctx, waiting))
		sealed := store.Recording{SessionID: id, State: store.RecordingSealed, Bytes: 1 << 40, Duration: 90 * time.Second, SealedBy: "worker"}
		require.NoError(t, s.Recordings.Put(ctx, sealed))
		require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: id, State: store.RecordingUploading, Error: "late"}))
		got, err = s.Recordings.Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, sealed, got.Recording)
		_, err = s.Recordings.Get(ctx, session(3).ID)
		require.ErrorIs(t, err, store.ErrNotFound, "nothing was recorded of it")

		unsealed, err := s.Recordings.Unsealed(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.Recording{waiting, {SessionID: session(2).ID, State: store.RecordingRunning}}, unsealed)

		page, err := s.Recordings.List(ctx, store.SessionFilter{Limit: 2})
		require.NoError(t, err)
		require.Len(t, page, 2)
		require.Equal(t, session(2).ID, page[0].SessionID)
		page, err = s.Recordings.List(ctx, store.SessionFilter{Before: page[1].SessionID, Limit: 2})
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.Equal(t, "alice", page[0].Session.UserName)
	})
}
