package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func nativeTicket(hash string) store.NativeTicket {
	return store.NativeTicket{
		Hash: hash, UserID: "u", UserName: "alice", TargetID: "desk", AccountID: "a", GrantID: "g", Source: "192.0.2.1", Reason: "disk full",
		Change: "CHG-1", MFAAt: epoch.Add(-time.Minute), CreatedAt: epoch, ExpiresAt: epoch.Add(time.Minute),
	}
}

func TestNativeTickets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, tickets := t.Context(), s.NativeTickets
		want := nativeTicket("h")
		require.NoError(t, tickets.Create(ctx, want))
		require.ErrorIs(t, tickets.Create(ctx, want), store.ErrExists)
		got, err := tickets.Get(ctx, "h")
		require.NoError(t, err)
		require.Equal(t, want, got)

		_, err = tickets.Use(ctx, "other", epoch)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = tickets.Use(ctx, "h", want.ExpiresAt)
		require.ErrorIs(t, err, store.ErrNotFound, "expired")
		want.UsedAt = epoch.Add(time.Second)
		got, err = tickets.Use(ctx, "h", want.UsedAt)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = tickets.Use(ctx, "h", want.UsedAt)
		require.ErrorIs(t, err, store.ErrNotFound, "used")
		got, err = tickets.Get(ctx, "h")
		require.NoError(t, err)
		require.Equal(t, want, got)

		n, err := tickets.DeleteExpired(ctx, want.ExpiresAt.Add(-1000))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = tickets.DeleteExpired(ctx, want.ExpiresAt)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = tickets.Get(ctx, "h")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestNativeTicketIsUsedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		require.NoError(t, s.NativeTickets.Create(t.Context(), nativeTicket("h")))
		var used atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				switch _, err := s.NativeTickets.Use(t.Context(), "h", epoch); {
				case err == nil:
					used.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, used.Load())
	})
}
