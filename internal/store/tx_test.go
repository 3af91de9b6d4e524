package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// TestWritersWaitForEachOther has more writers than connections; none may fail with "database is locked".
func TestWritersWaitForEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		require.NoError(t, s.Sessions.Create(t.Context(), session(0)))
		const writers, times = 40, 5
		var wg sync.WaitGroup
		errs := make(chan error, writers*times)
		for w := range writers {
			wg.Go(func() {
				for i := range times {
					errs <- s.Sessions.SetProgress(t.Context(), session(0).ID, store.Progress{State: "active", Width: w, Height: i})
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
	})
}

func TestTxIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		no := errors.New("no")
		err := s.Tx(ctx, func(tx *store.Store) error {
			if err := tx.Users.Create(ctx, store.User{ID: "u1", Name: "alice"}); err != nil {
				return err
			}
			n, err := tx.Users.Count(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, n, "a transaction sees what it has written")
			return no
		})
		require.ErrorIs(t, err, no)
		n, err := s.Users.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		require.NoError(t, s.Tx(ctx, func(tx *store.Store) error {
			if err := tx.Users.Create(ctx, store.User{ID: "u1", Name: "alice"}); err != nil {
				return err
			}
			return tx.Tx(ctx, func(inner *store.Store) error { return inner.Users.Create(ctx, store.User{ID: "u2", Name: "bob"}) })
		}))
		n, err = s.Users.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, n)

		err = s.Tx(ctx, func(tx *store.Store) error { return tx.Users.Create(ctx, store.User{ID: "u3", Name: "bob"}) })
		require.ErrorIs(t, err, store.ErrExists)
		require.PanicsWithValue(t, "oh", func() {
			_ = s.Tx(ctx, func(tx *store.Store) error {
				require.NoError(t, tx.Users.Create(ctx, store.User{ID: "u4", Name: "dave"}))
				panic("oh")
			})
		})
		_, err = s.Users.ByID(ctx, "u4")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

// TestTxIsSerializable: among many that each look whether a thing is there and make it when it is not, one makes it.
func TestTxIsSerializable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		const rounds, rivals = 5, 6
		for round := range rounds {
			var made, tried atomic.Int32
			var wg sync.WaitGroup
			for rival := range rivals {
				wg.Go(func() {
					mine := false
					err := s.Tx(ctx, func(tx *store.Store) error {
						tried.Add(1)
						mine = false
						n, err := tx.Users.Count(ctx)
						if err != nil || n > round { // somebody was here
							return err
						}
						mine = true
						return tx.Users.Create(ctx, store.User{ID: fmt.Sprint(round, "-", rival), Name: fmt.Sprint(round, "-", rival)})
					})
					if err == nil && mine {
						made.Add(1)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, made.Load())
			require.GreaterOrEqual(t, tried.Load(), int32(rivals))
			n, err := s.Users.Count(ctx)
			require.NoError(t, err)
			require.Equal(t, round+1, n)
		}
	})
}
