package serve

import (
	"context"
	"errors"
	"log/slog"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// OpenIdentity returns the users of a database as the configuration wants them.
func OpenIdentity(c *config.Config, db *store.Store, log *slog.Logger) (*identity.Service, error) {
	return identity.New(identity.TablesOf(db), identityOptions(c, log))
}

func identityOptions(c *config.Config, log *slog.Logger) identity.Options {
	return identity.Options{
		IdleTimeout: c.Identity.IdleTimeout, AbsoluteTimeout: c.Identity.SignInLifetime,
		MinPasswordLength: c.Identity.MinPasswordLength, MaxTokenLifetime: c.Identity.MaxTokenLifetime, Logger: log,
	}
}

// ResetFirstUser makes identity.FirstUser an administrator who may sign in, with a new random password, which it returns,
// whether there was such a user or not.
func (g *Gateway) ResetFirstUser(ctx context.Context) (string, error) {
	if password, err := g.identity.EnsureFirstUser(ctx); err != nil || password != "" {
		g.SetupCode = ""
		return password, err
	}
	password, roles := identity.NewPassword(), []policy.Role{policy.Administrator}
	u, err := g.identity.UserByName(ctx, identity.FirstUser)
	if errors.Is(err, identity.ErrUnknownUser) {
		_, err = g.identity.CreateUser(ctx, identity.NewUser{Name: identity.FirstUser, Password: password, Roles: roles})
		return password, err
	}
	if err != nil {
		return "", err
	}
	if _, err := g.identity.UpdateUser(ctx, u.ID, identity.Change{Disabled: new(false), Roles: &roles}); err != nil {
		return "", err
	}
	return password, g.identity.SetPassword(ctx, u.ID, password, false)
}
