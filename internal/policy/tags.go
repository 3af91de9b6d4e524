package policy

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// tagCache keeps the tags of targets for a moment, so that a list of sessions does not ask for the same ones over and over.
type tagCache struct {
	source func(ctx context.Context, target, account string) ([]string, error)

	mu    sync.Mutex
	known map[[2]string]tagged
}

type tagged struct {
	tags []string
	at   time.Time
}

const (
	tagsKept      = time.Second
	maxTagsCached = 20_000 // targets
)

func newTagCache(source func(context.Context, string, string) ([]string, error)) *tagCache {
	return &tagCache{source: source, known: map[[2]string]tagged{}}
}

func (c *tagCache) get(ctx context.Context, target, account string, now time.Time) ([]string, error) {
	c.mu.Lock()
	t, ok := c.known[[2]string{target, account}]
	c.mu.Unlock()
	if ok && now.Sub(t.at) < tagsKept && !now.Before(t.at) {
		return t.tags, nil
	}
	tags, err := c.source(ctx, target, account)
	if err != nil {
		return nil, fmt.Errorf("policy: tags of the target: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxTagsCached {
		clear(c.known)
	}
	c.known[[2]string{target, account}] = tagged{tags, now}
	return tags, nil
}

// addTags completes what a question is about: sessions, recordings and requests know their target, not its tags.
func (e *Engine) addTags(ctx context.Context, set *Set, q *Query) error {
	if e.tags.source == nil || !set.tags || q.Resource.Target == "" || q.Resource.Tags != nil {
		return nil
	}
	var err error
	q.Resource.Tags, err = e.tags.get(ctx, q.Resource.Target, q.Resource.Account, e.now())
	return err
}
