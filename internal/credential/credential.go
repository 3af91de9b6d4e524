// Package credential fetches what a session signs in to its target with, at the moment the session begins and for that
// session alone. Where a password is, its account says (target.Source): sealed in the database, in a HashiCorp Vault, with
// a command, in the configuration file, or nowhere.
//
// What is fetched is kept nowhere here. Errors say which provider failed and how, and quote nothing that came from it.
package credential

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/vault"
)

// ErrUnavailable is returned when a credential cannot be had. What is wrapped is for the log; it holds no secret.
var ErrUnavailable = errors.New("credential: cannot be had")

// Provider tells what to sign in with as an account of t. The caller owns the password and may wipe it.
type Provider interface {
	Credential(ctx context.Context, t *target.Target, a target.Account) (target.Credential, error)
}

// Opener opens sealed secrets; a vault.Vault does.
type Opener interface {
	Open(ctx context.Context, purpose vault.Purpose, record string) ([]byte, error)
}

// Configured knows the passwords of the configuration file; a target.Repository does.
type Configured interface {
	Configured(target string) (target.Credential, bool)
}

// Providers is every provider there is: the account's source says which is asked.
type Providers struct {
	timeout    time.Duration
	stored     Opener
	configured Configured
	vaults     map[string]*kvStore
	commands   map[string]*command
}

var _ Provider = (*Providers)(nil)

// New makes the providers of the configuration. environ is os.Environ(), of which commands get what they name.
func New(c config.Credentials, stored Opener, configured Configured, environ []string) (*Providers, error) {
	p := &Providers{
		timeout: c.Timeout, stored: stored, configured: configured,
		vaults: map[string]*kvStore{}, commands: map[string]*command{},
	}
	for _, v := range c.Vaults {
		client, err := newKVStore(v)
		if err != nil {
			return nil, fmt.Errorf("credential: vault %s: %w", v.Name, err)
		}
		p.vaults[v.Name] = client
	}
	for _, cmd := range c.Commands {
		p.commands[cmd.Name] = newCommand(cmd, environ)
	}
	return p, nil
}

// Credential implements Provider. Any error is ErrUnavailable.
func (p *Providers) Credential(ctx context.Context, t *target.Target, a target.Account) (target.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	c, err := p.fetch(ctx, t, a)
	if err != nil {
		return target.Credential{}, fmt.Errorf("%w: account %s of %s, %s: %w", ErrUnavailable, a.Name, t.ID, a.Source.Kind, err)
	}
	if n := len(c.Password.Reveal()); n > target.MaxPasswordBytes {
		c.Password.Wipe()
		return target.Credential{}, fmt.Errorf("%w: account %s of %s, %s: it holds %d bytes, more than %d",
			ErrUnavailable, a.Name, t.ID, a.Source.Kind, n, target.MaxPasswordBytes)
	}
	// What the account says goes before what came with the password.
	if a.Username != "" {
		c.Username, c.Domain = a.Username, a.Domain
	}
	if domain, name, ok := strings.Cut(c.Username, `\`); ok && t.Protocol == config.ProtocolRDP && c.Domain == "" {
		c.Domain, c.Username = domain, name
	}
	return c, nil
}

func (p *Providers) fetch(ctx context.Context, t *target.Target, a target.Account) (target.Credential, error) {
	switch a.Source.Kind {
	case target.KindNone:
		return target.Credential{}, nil
	case target.KindConfig:
		c, ok := p.configured.Configured(t.ID)
		if !ok {
			return target.Credential{}, errors.New("the configuration does not hold the target any more")
		}
		// The caller may wipe what it gets.
		c.Password = target.NewPassword(append([]byte(nil), c.Password.Reveal()...))
		return c, nil
	case target.KindStored:
		secret, err := p.stored.Open(ctx, vault.AccountPassword, a.ID)
		return target.Credential{Password: target.NewPassword(secret)}, err
	case target.KindVault:
		v, ok := p.vaults[a.Source.Vault.Vault]
		if !ok {
			return target.Credential{}, fmt.Errorf("the configuration has no vault %q", a.Source.Vault.Vault)
		}
		return v.fetch(ctx, a.Source.Vault)
	case target.KindCommand:
		c, ok := p.commands[a.Source.Command.Command]
		if !ok {
			return target.Credential{}, fmt.Errorf("the configuration has no command %q", a.Source.Command.Command)
		}
		return c.fetch(ctx, t, a)
	}
	return target.Credential{}, fmt.Errorf("nobody knows the kind %q", a.Source.Kind)
}
