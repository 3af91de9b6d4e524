package serve

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/turnserver"
)

// relay is the TURN server as the API sees it.
type relay struct {
	*turnserver.Server
	only bool
}

var _ api.Relay = relay{}

// Credential implements api.Relay.
func (r relay) Credential(session, person string) api.RelayCredential {
	c := r.Server.Credential(session, person)
	return api.RelayCredential{URLs: c.URLs, Username: c.Username, Password: c.Password}
}

// Only implements api.Relay.
func (r relay) Only() bool { return r.only }

// listenRelay opens the TURN server's listeners, if it is configured.
func (g *Gateway) listenRelay() error {
	cfg := &g.cfg.TURN
	if !cfg.Enabled() {
		return nil
	}
	c := turnserver.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, TLS: cfg.TLS, PublicHost: cfg.PublicHost, CredentialLifetime: cfg.CredentialLifetime,
		MaxAllocations: cfg.MaxAllocations, MaxPersonAllocations: cfg.MaxAllocationsPerUser,
		MediaPort: g.mediaPort, Registerer: g.registry, Logger: g.log.With("component", "turn"),
	}
	var err error
	if cfg.TLS != "" {
		if c.TLSConfig, err = filesTLS(cfg.CertFile, cfg.KeyFile, g.log); err != nil {
			return fmt.Errorf("serve: turn: %w", err)
		}
	}
	if g.cfg.Media.Bind != "" {
		if c.MediaBind, err = netip.ParseAddr(g.cfg.Media.Bind); err != nil {
			return fmt.Errorf("serve: media.bind: %w", err)
		}
	}
	var errs []error
	for _, a := range g.cfg.Media.PublicAddresses {
		addr, err := netip.ParseAddr(a)
		errs = append(errs, err)
		c.PublicAddresses = append(c.PublicAddresses, addr)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("serve: media.public_addresses: %w", err)
	}
	if g.relay, err = turnserver.Listen(c); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// mediaPort returns the UDP port of a running session's media.
func (g *Gateway) mediaPort(session string) (uint16, bool) {
	l, running := g.workers.Get(session)
	return l.MediaPort, running && l.State != store.StateEnded && l.MediaPort != 0
}
