package serve

import (
	"context"
	"errors"
	"slices"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// openPolicies makes the engine that decides, with the policies there are; at the first start those Vitrine comes with.
func (g *Gateway) openPolicies(ctx context.Context) error {
	kept := policy.StoreOf(g.db)
	g.engine = policy.NewEngine(policy.Kept(kept), policy.EngineOptions{
		Zone: g.cfg.Policy.Zone(), Tags: g.tagsOf, Logger: g.log.With("component", "policy"),
	})
	g.policies = policy.NewBook(kept, g.engine)
	if err := g.policies.Seed(ctx); err != nil {
		return err
	}
	return g.engine.Load(ctx)
}

// tagsOf returns the tags of a target and of an account on it, as connecting to it is decided by. Of what is gone they are
// the last it had.
func (g *Gateway) tagsOf(ctx context.Context, id, account string) ([]string, error) {
	return TagsOf(ctx, g.targets, g.db.Targets, id, account)
}

// TagsOf returns the tags of a target with those of an account on it, which may be none, and may both be gone.
func TagsOf(ctx context.Context, targets targetsByID, former *store.Targets, id, account string) ([]string, error) {
	if id == "" {
		return nil, nil
	}
	t, err := targets.Get(ctx, id)
	gone := errors.Is(err, target.ErrNotFound)
	if err != nil && !gone {
		return nil, err
	}
	for _, a := range t.Accounts {
		if account != "" && a.Name == account {
			return slices.Concat(t.Tags, a.Tags), nil
		}
	}
	ofTarget, ofAccount, err := former.FormerTags(ctx, id, account)
	if err != nil {
		return nil, err
	}
	if !gone {
		ofTarget = t.Tags
	}
	return slices.Concat(ofTarget, ofAccount), nil
}
