package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestIdempotencyKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, keys := t.Context(), s.IdempotencyKeys
		k := store.IdempotencyKey{SubjectID: "u", Operation: "createSession", KeyHash: "k", RequestHash: "r", ExpiresAt: epoch.Add(time.Minute)}
		_, begun, err := keys.Begin(ctx, k, epoch)
		require.NoError(t, err)
		require.True(t, begun)
		held, begun, err := keys.Begin(ctx, store.IdempotencyKey{SubjectID: "u", Operation: "createSession", KeyHash: "k", RequestHash: "other"}, epoch)
		require.NoError(t, err)
		require.False(t, begun)
		require.Equal(t, k, held)
		for _, other := range []store.IdempotencyKey{
			{SubjectID: "v", Operation: "createSession", KeyHash: "k"}, {SubjectID: "u", Operation: "createUser", KeyHash: "k"}, {SubjectID: "u", Operation: "createSession", KeyHash: "l"},
		} {
			_, begun, err := keys.Begin(ctx, other, epoch)
			require.NoError(t, err)
			require.True(t, begun)
		}

		done := k
		done.ExpiresAt = epoch.Add(24 * time.Hour)
		done.Answer = &store.KeptAnswer{Status: 201, Kept: true, ContentType: "application/json", Location: "/x", Body: []byte("{\"a\":\"\\u0000é\xff\"}")}
		require.NoError(t, keys.Finish(ctx, done))
		held, begun, err = keys.Begin(ctx, k, epoch.Add(time.Hour))
		require.NoError(t, err)
		require.False(t, begun)
		require.Equal(t, done, held)
		require.ErrorIs(t, keys.Finish(ctx, done), store.ErrNotFound, "an answer is given once")
		require.NoError(t, keys.Release(ctx, k), "what is answered stays")
		_, begun, err = keys.Begin(ctx, k, epoch.Add(time.Hour))
		require.NoError(t, err)
		require.False(t, begun)

		again := k
		again.RequestHash, again.ExpiresAt = "r2", epoch.Add(26*time.Hour)
		_, begun, err = keys.Begin(ctx, again, done.ExpiresAt)
		require.NoError(t, err)
		require.True(t, begun, "an expired key is free")
		require.ErrorIs(t, keys.Finish(ctx, done), store.ErrNotFound, "the first has lost it")
		require.NoError(t, keys.Release(ctx, again))
		_, begun, err = keys.Begin(ctx, k, epoch)
		require.NoError(t, err)
		require.True(t, begun)

		n, err := keys.DeleteExpired(ctx, epoch)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
	})
}

func TestIdempotencyKeyIsTakenOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		k := store.IdempotencyKey{SubjectID: "u", Operation: "o", KeyHash: "k", RequestHash: "r", ExpiresAt: epoch.Add(time.Minute)}
		for range 2 { // free because it was never there, then because it has expired
			var wg sync.WaitGroup
			begins := make(chan bool, 16)
			for range cap(begins) {
				wg.Go(func() {
					_, begun, err := s.IdempotencyKeys.Begin(t.Context(), k, k.ExpiresAt.Add(-time.Minute))
					if err != nil {
						t.Error(err)
					}
					begins <- begun
				})
			}
			wg.Wait()
			close(begins)
			n := 0
			for begun := range begins {
				if begun {
					n++
				}
			}
			require.Equal(t, 1, n)
			k.ExpiresAt = k.ExpiresAt.Add(time.Minute)
		}
	})
}
