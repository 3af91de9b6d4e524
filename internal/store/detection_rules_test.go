package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

func TestDetectionRules(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		change := func(base int64, d store.DetectionRule) (revision int64, err error) {
			err = s.Tx(ctx, func(tx *store.Store) error {
				revision, err = tx.DetectionRules.Change(ctx, base, d)
				return err
			})
			return revision, err
		}
		n, err := s.DetectionRules.Revision(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		rule := store.DetectionRule{Kind: store.DetectionRuleKind, ID: "a", Body: "{}", UpdatedBy: "u", UpdatedByName: "alice", UpdatedAt: epoch}
		list := store.DetectionRule{Kind: store.DetectionListKind, ID: "a", Body: "[]", UpdatedAt: epoch}
		n, err = change(0, rule)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		_, err = change(0, rule)
		require.ErrorIs(t, err, store.ErrConflict, "another was first")
		_, err = change(5, rule)
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = change(1, list)
		require.NoError(t, err, "a list may have the id of a rule")

		rule.Revision, list.Revision = 1, 2
		all, n, err := s.DetectionRules.List(ctx)
		require.NoError(t, err)
		require.Equal(t, []store.DetectionRule{list, rule}, all)
		require.Equal(t, int64(2), n)

		rule.Body, rule.UpdatedAt = `{"rule":1}`, epoch.Add(time.Hour)
		_, err = change(2, rule)
		require.NoError(t, err)
		gone := list
		gone.Deleted = true
		_, err = change(3, gone)
		require.NoError(t, err)
		_, err = change(4, gone)
		require.ErrorIs(t, err, store.ErrNotFound)
		all, n, err = s.DetectionRules.List(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(4), n, "what failed has changed nothing")
		require.Len(t, all, 1)
		require.Equal(t, `{"rule":1}`, all[0].Body)

		versions, err := s.DetectionRules.Versions(ctx, store.DetectionListKind, "a", 0, 10)
		require.NoError(t, err)
		require.Len(t, versions, 2)
		require.True(t, versions[0].Deleted)
		require.False(t, versions[1].Deleted)
		versions, err = s.DetectionRules.Versions(ctx, store.DetectionRuleKind, "a", 3, 10)
		require.NoError(t, err)
		require.Len(t, versions, 1)
		require.Equal(t, "{}", versions[0].Body)
	})
}
