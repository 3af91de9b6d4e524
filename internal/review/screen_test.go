package review_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// TestScreenIsFoundWhereItWasSeen: text on the screen is read after it was there; a hit leads to when it was, and stands in that order.
func TestScreenIsFoundWhereItWasSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		r := newRig(t, db)
		id, seal := r.record(
			copied("harbour one"), recording.ScreenEvent{Text: "the harbour\ntwo", ShownUS: 1}, recording.ScreenEvent{Text: "harbour three", ShownUS: 1 << 50},
			recording.ScreenUnreadEvent{Reason: recording.UnreadBusy, Count: 2},
		)
		s := r.service()
		check := func() {
			t.Helper()
			hits, _, err := s.FindIn(t.Context(), id, review.Query{Text: "harbour", Limit: 10})
			require.NoError(t, err)
			require.Len(t, hits, 3)
			require.Equal(t, review.KindScreen, hits[0].Kind)
			require.Equal(t, int64(1), hits[0].US)
			require.Equal(t, review.KindClipboard, hits[1].Kind)
			require.Less(t, hits[2].US, int64(1<<50), "it cannot have been seen after it was read")
		}
		seal()
		check() // by reading the recording
		r.run(s)
		check() // by the index
		found, _, err := s.Find(t.Context(), review.Query{Text: `"harbour two"`, Kinds: []string{review.KindScreen}, Limit: 10}, everybody)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, int64(1), found[0].Hits[0].US)
		timeline, err := s.Timeline(t.Context(), id)
		require.NoError(t, err)
		for _, m := range timeline.Markers {
			require.NotEqual(t, review.KindScreen, m.Kind, "there would be too many marks")
		}
	})
}
