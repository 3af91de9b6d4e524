package api

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// TestFillPage walks all pages: nothing is missed or seen twice, pages are full but the last, and no page looks at too many.
func TestFillPage(t *testing.T) {
	for _, tc := range []struct{ total, limit, every, pages int }{
		{total: 0, limit: 10, every: 1, pages: 1},
		{total: 10, limit: 10, every: 1, pages: 1},
		{total: 11, limit: 10, every: 1, pages: 2},
		{total: 1000, limit: 100, every: 3, pages: 4},
		{total: 500, limit: 1, every: 100, pages: 5},
		{total: 3*maxSessionsRead + 1, limit: 10, every: 1 << 30, pages: 4}, // none is allowed
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			var got []int
			looked := 0
			read := func(_ context.Context, f store.SessionFilter) (list []int, _ error) {
				first := tc.total // newest first: numbers fall
				if f.Before != "" {
					_, err := fmt.Sscan(f.Before, &first)
					require.NoError(t, err)
				}
				for n := first - 1; n >= 0 && len(list) < f.Limit; n-- {
					list = append(list, n)
				}
				looked += len(list)
				return list, nil
			}
			filter, pages := store.SessionFilter{}, 0
			for {
				looked = 0
				page, next, err := fillPage(t.Context(), filter, tc.limit, read, func(n *int) string { return fmt.Sprint(*n) }, func(n *int) error {
					if *n%tc.every != 0 || tc.every > tc.total && tc.every > 1 {
						return &policy.DeniedError{}
					}
					return nil
				})
				require.NoError(t, err)
				require.LessOrEqual(t, looked, maxSessionsRead)
				got, pages = append(got, page...), pages+1
				if next == "" {
					break
				}
				require.True(t, len(page) == tc.limit || looked == maxSessionsRead, "a page that is not full has looked at as many as it may")
				filter.Before = next
			}
			require.Equal(t, tc.pages, pages)
			var want []int
			for n := tc.total - 1; n >= 0 && tc.every <= max(1, tc.total); n-- {
				if n%tc.every == 0 {
					want = append(want, n)
				}
			}
			require.Equal(t, want, got)
		})
	}
	_, _, err := fillPage(t.Context(), store.SessionFilter{}, 1, func(context.Context, store.SessionFilter) ([]int, error) { return []int{1}, nil },
		func(*int) string { return "" }, func(*int) error { return errBroken })
	require.True(t, errors.Is(err, errBroken), "no decision is no page")
}
