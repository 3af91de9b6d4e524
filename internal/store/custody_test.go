package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestCustody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		session := func(id, state string, retention time.Duration) {
			require.NoError(t, s.Sessions.Create(ctx, store.Session{ID: id, UserID: "u", State: "ended", StartedAt: epoch}))
			require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: id, State: state}))
			if retention >= 0 {
				var until time.Time
				if retention > 0 {
					until = epoch.Add(retention)
				}
				require.NoError(t, s.Custodies.Begin(ctx, id, retention, until))
			}
		}
		due := func(at time.Duration) (ids []string) {
			list, err := s.Custodies.Due(ctx, epoch.Add(at), 10)
			require.NoError(t, err)
			for _, c := range list {
				ids = append(ids, c.SessionID)
			}
			return ids
		}
		session("day", store.RecordingSealed, 24*time.Hour)
		session("hour", store.RecordingSealed, time.Hour)
		session("running", store.RecordingRunning, time.Hour)
		session("ever", store.RecordingSealed, 0)
		session("old", store.RecordingSealed, -1)
		require.ErrorIs(t, s.Custodies.Begin(ctx, "day", 0, time.Time{}), store.ErrExists)
		require.Empty(t, due(time.Hour-time.Microsecond))
		require.Equal(t, []string{"hour"}, due(time.Hour))
		require.Equal(t, []string{"hour", "day"}, due(1000*time.Hour))

		// A session that lasts is kept from its end; nothing makes that shorter.
		require.NoError(t, s.Custodies.Extend(ctx, "hour", epoch.Add(2*time.Hour)))
		require.NoError(t, s.Custodies.Extend(ctx, "hour", epoch.Add(time.Hour)))
		require.NoError(t, s.Custodies.Extend(ctx, "ever", epoch.Add(time.Hour)))
		require.Empty(t, due(time.Hour))
		require.Equal(t, []string{"hour"}, due(2*time.Hour))

		// A hold keeps everything: the job, and whoever would shred.
		require.NoError(t, s.Custodies.Hold(ctx, "hour", "alice", "a case", epoch))
		require.NoError(t, s.Custodies.Hold(ctx, "hour", "bob", "two cases", epoch.Add(time.Minute)))
		require.NoError(t, s.Custodies.Hold(ctx, "old", "bob", "a case", epoch))
		got, err := s.Custodies.Get(ctx, "hour")
		require.NoError(t, err)
		require.Equal(t, store.Custody{
			SessionID: "hour", Retention: time.Hour, RetainUntil: epoch.Add(2 * time.Hour), HoldSince: epoch, HoldBy: "bob", HoldReason: "two cases",
		}, got)
		require.True(t, got.Held())
		require.Equal(t, []string{"day"}, due(1000*time.Hour))
		require.ErrorIs(t, s.Custodies.Shred(ctx, "hour", "carol", "asked to", epoch), store.ErrHeld)
		require.ErrorIs(t, s.Custodies.BeginDeletion(ctx, "hour", "over", "ab", epoch.Add(1000*time.Hour)), store.ErrHeld)
		require.ErrorIs(t, s.Custodies.BeginDeletion(ctx, "day", "over", "ab", epoch), store.ErrHeld, "not over")
		require.NoError(t, s.Custodies.Release(ctx, "hour"))
		require.ErrorIs(t, s.Custodies.Release(ctx, "hour"), store.ErrNotHeld)

		require.NoError(t, s.Custodies.Shred(ctx, "hour", "carol", "asked to", epoch))
		require.NoError(t, s.Custodies.Shred(ctx, "hour", "dave", "again", epoch.Add(time.Hour)))
		over := epoch.Add(1000 * time.Hour)
		require.NoError(t, s.Custodies.BeginDeletion(ctx, "hour", "over", "ab", over))
		require.NoError(t, s.Custodies.BeginDeletion(ctx, "hour", "over", "", over.Add(time.Hour)), "after a restart")
		require.ErrorIs(t, s.Custodies.Hold(ctx, "hour", "alice", "too late", over), store.ErrDeleted)
		require.NoError(t, s.Custodies.DeletionFailed(ctx, "hour", "the store is away", over.Add(time.Minute)))
		require.Equal(t, []string{"day"}, due(1000*time.Hour))
		require.Equal(t, []string{"hour", "day"}, due(1000*time.Hour+time.Minute))
		require.NoError(t, s.Custodies.Deleted(ctx, "hour", over))
		require.Equal(t, []string{"day"}, due(2000*time.Hour))
		all, err := s.Custodies.Of(ctx, []string{"hour", "day", "old", "nothing"})
		require.NoError(t, err)
		require.Len(t, all, 3)
		require.Equal(t, store.Custody{
			SessionID: "hour", Retention: time.Hour, RetainUntil: epoch.Add(2 * time.Hour), ShreddedAt: epoch, ShreddedBy: "carol", ShredReason: "asked to",
			DeletingSince: over, DeletedAt: over, DeletedReason: "over", ManifestSHA256: "ab",
		}, all["hour"])
		// The tombstone stays what it is, whatever an uploader still says.
		require.NoError(t, s.Recordings.Put(ctx, store.Recording{SessionID: "hour", State: store.RecordingUploading}))
		rec, err := s.Recordings.Get(ctx, "hour")
		require.NoError(t, err)
		require.Equal(t, store.RecordingDeleted, rec.State)
	})
}

func TestLeases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		take := func(holder string, at, length time.Duration) bool {
			ok, err := s.Leases.Take(t.Context(), "job", holder, epoch.Add(at), epoch.Add(at+length))
			require.NoError(t, err)
			return ok
		}
		require.True(t, take("a", 0, time.Minute))
		require.False(t, take("b", 0, time.Minute))
		require.True(t, take("a", 30*time.Second, time.Minute), "prolonged")
		require.False(t, take("b", time.Minute, time.Minute))
		require.True(t, take("b", 90*time.Second, time.Minute), "over")
		require.NoError(t, s.Leases.Give(t.Context(), "job", "a"), "not a's to give")
		require.False(t, take("a", 91*time.Second, time.Minute))
		require.NoError(t, s.Leases.Give(t.Context(), "job", "b"))
		require.True(t, take("a", 92*time.Second, time.Minute))
	})
}
