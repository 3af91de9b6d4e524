package serve

import (
	"context"
	"os"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/credential"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// openTargets opens the sealed secrets and the targets, those of the configuration included, and the places where their
// passwords are.
func (g *Gateway) openTargets(ctx context.Context) (*target.Repository, credential.Provider, error) {
	var err error
	if g.vault, err = vault.Open(ctx, g.db, g.cfg.Secrets, g.cfg.Credentials.Vaults, g.log.With("component", "vault")); err != nil {
		return nil, nil, err
	}
	targets := target.NewRepository(g.db, g.vault)
	if err := targets.Configure(ctx, g.cfg.Targets); err != nil {
		return nil, nil, err
	}
	providers, err := credential.New(g.cfg.Credentials, g.vault, targets, os.Environ())
	if err != nil {
		return nil, nil, err
	}
	return targets, providers, nil
}

// providerNames are what accounts may name.
func providerNames(c config.Credentials) api.CredentialProviders {
	var names api.CredentialProviders
	for _, v := range c.Vaults {
		names.Vaults = append(names.Vaults, v.Name)
	}
	for _, k := range c.Commands {
		names.Commands = append(names.Commands, k.Name)
	}
	return names
}
