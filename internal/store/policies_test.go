package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestPolicies(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		change := func(base int64, changes ...store.Policy) (revision int64, err error) {
			err = s.Tx(ctx, func(tx *store.Store) error {
				revision, err = tx.Policies.Change(ctx, base, changes)
				return err
			})
			return revision, err
		}
		n, err := s.Policies.Revision(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		a := store.Policy{ID: "a", Name: "A", Text: "one", Enabled: true, UpdatedBy: "u", UpdatedByName: "alice", UpdatedAt: epoch}
		b := store.Policy{ID: "b", Name: "B", Text: "two", UpdatedAt: epoch}
		n, err = change(0, b, a)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		_, err = change(0, a)
		require.ErrorIs(t, err, store.ErrConflict, "another was first")
		_, err = change(5, a)
		require.ErrorIs(t, err, store.ErrConflict)

		a.Revision, b.Revision = 1, 1
		list, n, err := s.Policies.List(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.Policy{a, b}, list)
		require.Equal(t, int64(1), n)

		a.Text, a.UpdatedAt = "three", epoch.Add(time.Hour)
		b.Deleted = true
		n, err = change(1, a, b)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		a.Revision = 2
		got, err := s.Policies.Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, a, got)
		_, err = s.Policies.Get(ctx, "b")
		require.ErrorIs(t, err, store.ErrNotFound)

		// All or none.
		_, err = change(2, a, store.Policy{ID: "nothing", Deleted: true})
		require.ErrorIs(t, err, store.ErrNotFound)
		n, err = s.Policies.Revision(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(2), n)

		versions, err := s.Policies.Versions(ctx, "b", 0, 10)
		require.NoError(t, err)
		require.Len(t, versions, 2)
		require.True(t, versions[0].Deleted)
		require.False(t, versions[1].Deleted)
		versions, err = s.Policies.Versions(ctx, "a", 2, 10)
		require.NoError(t, err)
		require.Len(t, versions, 1)
		require.Equal(t, "one", versions[0].Text)
	})
}
