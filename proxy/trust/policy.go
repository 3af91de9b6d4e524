// Package trust decides which certificates of targets are good: those signed by an authority, one pinned by its
// fingerprint, or, where that was asked for, whichever the target shows first.
//
// It is the client's side of TLS for every protocol, and it words the errors, so that all targets fail alike.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Policy says which certificates of a target are good. The zero Policy verifies by the authorities of the system.
type Policy struct {
	// Roots are the authorities trusted to sign the target's certificate; nil is those of the system.
	Roots *x509.CertPool
	// ServerName is the host name or IP address the certificate must be for; empty is the address dialled.
	ServerName string
	// Fingerprint pins the target's own certificate. If it is set, nothing else is looked at.
	Fingerprint Fingerprint
	// TrustFirst accepts any certificate as long as there is no Fingerprint. Whoever sits on the network at that moment
	// can pose as the target, then and from then on.
	TrustFirst bool
	// OnFirstUse hears the fingerprint of every certificate accepted by TrustFirst, within the TLS handshake, before the
	// target had a chance to prove itself otherwise. Whoever wants it pinned sets Fingerprint for the next connection.
	// Nil is nobody.
	OnFirstUse func(Fingerprint)
}

// WithSystemRoots returns the policy with the authorities of the system read, if it needs them, so that ClientConfig
// needs no files later.
func (p Policy) WithSystemRoots() (Policy, error) {
	if p.Roots != nil || p.skipsChain() {
		return p, nil
	}
	roots, err := systemRoots(bundles)
	if err != nil {
		return p, fmt.Errorf("trust: certificate authorities of the system: %w", err)
	}
	p.Roots = roots
	return p, nil
}

// skipsChain reports whether the certificate's chain and name are not looked at.
func (p *Policy) skipsChain() bool { return p.Fingerprint != (Fingerprint{}) || p.TrustFirst }

// ClientConfig returns the client's side of TLS for one connection. dialled, a host without port, names the target when
// the policy does not.
func (p Policy) ClientConfig(dialled string) (*tls.Config, error) {
	name := p.ServerName
	if name == "" {
		name = dialled
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: p.Roots}
	switch {
	case p.skipsChain():
		// The pin replaces the chain: who holds the key of exactly this certificate is the target.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = p.check
	case name == "":
		return nil, fmt.Errorf("trust: no name to verify the certificate for: %w", desktop.ErrCertificate)
	}
	return cfg, nil
}

// check compares the target's certificate with the pin, or reports it where there is none yet.
func (p Policy) check(state tls.ConnectionState) error {
	shown := Of(state.PeerCertificates[0]) // TLS does not verify a connection without one
	switch {
	case p.Fingerprint == Fingerprint{}:
		if p.OnFirstUse != nil {
			p.OnFirstUse(shown)
		}
	case shown != p.Fingerprint:
		return &pinError{shown: shown, pinned: p.Fingerprint}
	}
	return nil
}
