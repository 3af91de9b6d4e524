package serve

import (
	"context"
	"log/slog"

	"github.com/alexedwards/argon2id"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/ldap"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/identity/passkey"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// openIdentity makes what people sign in by. It asks no provider and no directory anything: one that is down stops nobody else.
func (g *Gateway) openIdentity(ctx context.Context, hashing *argon2id.Params) (err error) {
	cfg, log := &g.cfg.Identity, g.log.With("component", "identity")
	listen := g.cfg.HTTP.Listen
	if g.listener.Listener != nil {
		listen = g.listener.Addr().String()
	}
	origin := passkey.Origin(g.cfg.HTTP.PublicURL, listen, g.cfg.HTTP.SecureListener())
	rp, err := passkey.New(origin)
	if err == nil {
		g.passkeys = origin
	} else {
		log.InfoContext(ctx, "no passkeys at this address", "reason", err)
	}
	g.factors = factor.New(g.db.SecondFactors, g.db.Ceremonies, seeds{g.vault}, factor.Options{RP: rp, Logger: log})
	opts := identityOptions(g.cfg, log)
	opts.Hashing = hashing
	opts.MFA = identity.MFA{Mode: cfg.MFA, Roles: policyRoles(cfg.MFARoles), Factors: g.factors, Ceremonies: g.db.Ceremonies}
	for _, l := range cfg.LDAP {
		d, err := ldap.New(l, log)
		if err != nil {
			return err
		}
		opts.Directories = append(opts.Directories, d)
	}
	if g.openid, err = oidc.New(cfg.OIDC, origin, g.db.Ceremonies, oidc.Options{Logger: log}); err != nil {
		return err
	}
	g.identity, err = identity.New(identity.TablesOf(g.db), opts)
	return err
}

// OpenFactors returns the second factors in a database, for what an operator does to them.
func OpenFactors(ctx context.Context, cfg *config.Config, db *store.Store, log *slog.Logger) (*factor.Service, error) {
	v, err := vault.Open(ctx, db, cfg.Secrets, cfg.Credentials.Vaults, log)
	if err != nil {
		return nil, err
	}
	return factor.New(db.SecondFactors, db.Ceremonies, seeds{v}, factor.Options{Logger: log}), nil
}

// mfaOf is the API's part of the policy on second factors.
func (g *Gateway) mfaOf() api.MFA {
	i := &g.cfg.Identity
	return api.MFA{On: i.MFA != config.MFAOff, PasskeyOrigin: g.passkeys, StepUpAge: i.StepUpAge}
}

func policyRoles(names []string) []policy.Role {
	var out []policy.Role
	for _, n := range names {
		out = append(out, policy.Role(n))
	}
	return out
}

// seeds are the vault's part for second factors.
type seeds struct{ vault *vault.Vault }

func (s seeds) Seal(ctx context.Context, record string, seed []byte) error {
	return s.vault.Seal(ctx, vault.TOTPSeed, record, seed)
}

func (s seeds) Open(ctx context.Context, record string) ([]byte, error) {
	return s.vault.Open(ctx, vault.TOTPSeed, record)
}

func (s seeds) Forget(ctx context.Context, record string) error {
	return s.vault.Forget(ctx, vault.TOTPSeed, record)
}
