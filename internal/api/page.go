package api

import (
	"context"
	"errors"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// minRead is how many are read at least when a page is not full: one at a time would be slow where most are refused.
const minRead = 100

// fillPage reads what filter is about, newest first, until limit of it are allowed, there is no more, or maxSessionsRead were
// looked at. next, unless "", is the id before which the rest begins.
func fillPage[T any](
	ctx context.Context, filter store.SessionFilter, limit int, read func(context.Context, store.SessionFilter) ([]T, error),
	id func(*T) string, allowed func(*T) error,
) (page []T, next string, err error) {
	for looked := 0; ; {
		filter.Limit = min(max(limit-len(page)+1, minRead), maxSessionsRead-looked)
		list, err := read(ctx, filter)
		if err != nil {
			return nil, "", err
		}
		for i := range list {
			if len(page) == limit {
				return page, filter.Before, nil // the page is full, and there is at least this one more
			}
			err := allowed(&list[i])
			if _, denied := errors.AsType[*policy.DeniedError](err); err != nil && !denied {
				return nil, "", err
			}
			if err == nil {
				page = append(page, list[i])
			}
			filter.Before = id(&list[i])
		}
		looked += len(list)
		switch {
		case len(list) < filter.Limit:
			return page, "", nil
		case looked >= maxSessionsRead:
			return page, filter.Before, nil
		}
	}
}
