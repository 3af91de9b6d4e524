package config

import (
	"net/netip"
	"net/url"
	"time"
)

// TURN is the relay for browsers that do not reach the media's ports. It is on when it listens anywhere.
type TURN struct {
	UDP string `yaml:"udp"` // host:port to listen on; empty: not
	TCP string `yaml:"tcp"`
	TLS string `yaml:"tls"` // TCP with TLS
	// PublicHost is the name or address at which browsers find it; empty: the host of http.public_url.
	PublicHost string `yaml:"public_host"`
	// CertFile and KeyFile are for TLS; empty: those of http.tls.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// CredentialLifetime is how long what a browser is given opens the relay. What is open stays while its session runs.
	CredentialLifetime time.Duration `yaml:"credential_lifetime"`
	// A browser makes an allocation for each way in and each of its network interfaces.
	MaxAllocations        int `yaml:"max_allocations"`
	MaxAllocationsPerUser int `yaml:"max_allocations_per_user"`
	// RelayOnly tells the console to connect by the relay alone.
	RelayOnly bool `yaml:"relay_only"`
}

// Bounds of values.
const (
	minCredentialLifetime = 10 * time.Second
	maxCredentialLifetime = 24 * time.Hour
	maxAllocations        = 1_000_000
)

// Enabled tells whether there is a relay.
func (t *TURN) Enabled() bool { return t.UDP != "" || t.TCP != "" || t.TLS != "" }

func (t *TURN) derive(h *HTTP) {
	if !t.Enabled() {
		return
	}
	if u, err := url.Parse(h.PublicURL); err == nil && t.PublicHost == "" {
		t.PublicHost = u.Hostname()
	}
	if t.TLS != "" && t.CertFile == "" && t.KeyFile == "" {
		t.CertFile, t.KeyFile = h.TLS.CertFile, h.TLS.KeyFile
	}
}

func (v *validator) turn(c *Config) {
	t := &c.TURN
	if d := t.CredentialLifetime; d < minCredentialLifetime || d > maxCredentialLifetime {
		v.fail("turn.credential_lifetime", "%v is not between %v and %v", d, minCredentialLifetime, maxCredentialLifetime)
	}
	v.between("turn.max_allocations", int64(t.MaxAllocations), 1, maxAllocations)
	v.between("turn.max_allocations_per_user", int64(t.MaxAllocationsPerUser), 1, maxAllocations)
	if (t.CertFile == "") != (t.KeyFile == "") {
		v.fail("turn", "needs both cert_file and key_file, or neither")
	}
	if !t.Enabled() {
		if t.RelayOnly {
			v.fail("turn.relay_only", "needs a relay: turn.udp, turn.tcp or turn.tls")
		}
		return
	}
	for _, at := range []struct{ path, value string }{{"turn.udp", t.UDP}, {"turn.tcp", t.TCP}, {"turn.tls", t.TLS}} {
		if at.value != "" {
			v.address(at.path, at.value)
		}
	}
	if t.PublicHost == "" {
		v.fail("turn.public_host", "is needed, unless http.public_url is set")
	} else if _, err := netip.ParseAddr(t.PublicHost); err != nil && !hostName.MatchString(t.PublicHost) {
		v.fail("turn.public_host", "%q is neither a host name nor an IP address", t.PublicHost)
	}
	switch {
	case t.TLS == "":
	case t.CertFile == "":
		v.fail("turn.tls", "needs a certificate: turn.cert_file and turn.key_file, or those of http.tls")
	case t.KeyFile != "":
		v.readable("turn.cert_file", t.CertFile)
		v.readable("turn.key_file", t.KeyFile)
	}
}
