package config

import (
	"net/netip"
	"time"
)

// Native is the door for native RDP clients.
type Native struct {
	// Listen is where clients bring tickets or sign in on a drawn screen, host:port. NativeAuto is port 3389 of all addresses where
	// it is free; empty: not.
	Listen string `yaml:"listen"`
	// NLAListen is where network level authentication is asked for; empty: not.
	NLAListen string `yaml:"nla_listen"`
	// PublicAddress and NLAPublicAddress are what clients are told to connect to, host or host:port; empty: the host of the console.
	PublicAddress    string `yaml:"public_address"`
	NLAPublicAddress string `yaml:"nla_public_address"`
	// CertFile and KeyFile hold an RSA certificate; empty: one of our own.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// SignCertFile and SignKeyFile sign .rdp files; empty: the listener's certificate does.
	SignCertFile string `yaml:"sign_cert_file"`
	SignKeyFile  string `yaml:"sign_key_file"`

	MaxConnections   int           `yaml:"max_connections"`     // at a time
	MaxPerSource     int           `yaml:"max_per_source"`      // from one address
	MaxHalfOpen      int           `yaml:"max_half_open"`       // that have not said who they are
	ConnectsPerMin   int           `yaml:"connects_per_minute"` // from one address; 0: no limit
	HandshakeTimeout time.Duration `yaml:"handshake_timeout"`   // to say who one is
	SignInTimeout    time.Duration `yaml:"sign_in_timeout"`     // to sign in on the drawn screen, without a key or a click
}

// NativeAuto listens where clients look, unless another program does.
const NativeAuto = "auto"

// Bounds of values.
const (
	maxNativeConnections = 100_000
	minHandshakeTimeout  = time.Second
	maxHandshakeTimeout  = 5 * time.Minute
)

func defaultNative() Native {
	return Native{
		Listen: NativeAuto, MaxConnections: 1000, MaxPerSource: 100, MaxHalfOpen: 200, ConnectsPerMin: 120,
		HandshakeTimeout: 20 * time.Second, SignInTimeout: 2 * time.Minute,
	}
}

// Enabled tells whether there is a door.
func (n *Native) Enabled() bool { return n.Listen != "" || n.NLAListen != "" }

func (v *validator) native(n *Native) {
	if n.Listen != "" && n.Listen != NativeAuto {
		v.address("native.listen", n.Listen)
	}
	if n.NLAListen != "" {
		v.address("native.nla_listen", n.NLAListen)
	}
	for path, value := range map[string]string{"native.public_address": n.PublicAddress, "native.nla_public_address": n.NLAPublicAddress} {
		if value == "" || hostName.MatchString(value) {
			continue
		}
		if _, err := netip.ParseAddr(value); err != nil {
			v.address(path, value)
		}
	}
	for _, pair := range []struct{ name, cert, key string }{{"", n.CertFile, n.KeyFile}, {"sign_", n.SignCertFile, n.SignKeyFile}} {
		if (pair.cert == "") != (pair.key == "") {
			v.fail("native", "needs both %scert_file and %skey_file, or neither", pair.name, pair.name)
		} else if pair.cert != "" {
			v.readable("native."+pair.name+"cert_file", pair.cert)
			v.readable("native."+pair.name+"key_file", pair.key)
		}
	}
	v.between("native.max_connections", int64(n.MaxConnections), 1, maxNativeConnections)
	v.between("native.max_per_source", int64(n.MaxPerSource), 1, maxNativeConnections)
	v.between("native.max_half_open", int64(n.MaxHalfOpen), 1, maxNativeConnections)
	v.between("native.connects_per_minute", int64(n.ConnectsPerMin), 0, maxNativeConnections)
	for path, d := range map[string]time.Duration{"native.handshake_timeout": n.HandshakeTimeout, "native.sign_in_timeout": n.SignInTimeout} {
		if d < minHandshakeTimeout || d > maxHandshakeTimeout {
			v.fail(path, "%v is not between %v and %v", d, minHandshakeTimeout, maxHandshakeTimeout)
		}
	}
}
