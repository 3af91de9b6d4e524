package serve

import (
	"context"
	"errors"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
)

// openReview prepares what answers reviewers and keeps the search index.
func (g *Gateway) openReview(library *recording.Library) {
	g.review = review.New(review.Options{
		DB: g.db, Library: library, Logger: g.log, Mode: review.Mode(g.cfg.Recording.Search),
		NewTypist: review.NewTypist,
		Encrypted: func(ctx context.Context, session string) (bool, error) {
			key, err := recordingKeys{g.vault}.Key(ctx, session)
			clear(key)
			if errors.Is(err, recording.ErrNoKey) {
				return false, nil
			}
			return err == nil, err
		},
	})
}
