// Package target holds the desktops people may connect to, and the accounts on them.
//
// They rest in the database, wherever they come from: the configuration file, `vitrine apply`, or the console. Those of
// the file are brought in line with it at each start, and only the file changes them; their passwords stay in the memory of
// the process and are never written down. Passwords given elsewhere are sealed (package vault), or are not here at all but
// where a provider fetches them for one session (package credential). No answer, log line or error holds one.
package target

import (
	"net"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// Target is a desktop.
type Target struct {
	ID          string // a slug
	Name        string
	Description string
	Protocol    string
	Address     string   // host:port
	Tags        []string // sorted

	TLS                 TLS
	ViewOnly            bool
	ClipboardToTarget   bool
	ClipboardFromTarget bool
	// Keys is how much of the keyboard is recorded; empty: as configured.
	Keys config.Keys
	// RDP is set for that protocol only.
	RDP *config.RDP

	Origin    string // one of store's
	Revision  int64  // counts changes; a change names the one it is of
	CreatedAt time.Time
	UpdatedAt time.Time
	Accounts  []Account // by name
}

// TLS is how the target proves who it is. With Fingerprint set, only a certificate of that fingerprint is accepted; with
// FirstUse and none known yet, whichever it shows; else its chain must verify for the target's ServerName.
type TLS struct {
	AllowPlaintext bool   // none of this is asked for
	ServerName     string // empty: the host of the address
	CAPEM          []byte // empty: the system's roots
	Fingerprint    string // SHA-256, lower-case hex
	FirstUse       bool   // the certificate shown first is stored as Fingerprint
}

// NewTLS makes a TLS of what is written down. The error is an *InvalidError.
func NewTLS(mode config.TLSMode, serverName string, ca []byte, fingerprint string) (TLS, error) {
	c := &checker{}
	only := func(of config.TLSMode, key string, set bool) {
		if set && mode != of {
			c.fail("tls."+key, "is only for mode %s, and the mode is %s", of, mode)
		}
	}
	only(config.TLSVerify, "server_name", serverName != "")
	only(config.TLSVerify, "ca", len(ca) > 0)
	only(config.TLSPin, "fingerprint", fingerprint != "")
	t := TLS{ServerName: serverName}
	if len(ca) > 0 {
		t.CAPEM = ca
	}
	switch mode {
	case config.TLSOff:
		t.AllowPlaintext = true
	case config.TLSFirstUse:
		t.FirstUse = true
	case config.TLSPin:
		var err error
		if t.Fingerprint, err = config.ParseFingerprint(fingerprint); err != nil {
			c.fail("tls.fingerprint", "%v", err)
		}
	case config.TLSVerify, "":
	default:
		c.fail("tls.mode", "%q is not one of verify, pin, first_use, off", clip(string(mode)))
	}
	return t, c.err()
}

// Mode is t as the configuration names it.
func (t TLS) Mode() config.TLSMode {
	switch {
	case t.AllowPlaintext:
		return config.TLSOff
	case t.FirstUse:
		return config.TLSFirstUse
	case t.Fingerprint != "":
		return config.TLSPin
	}
	return config.TLSVerify
}

// ServerName is the name a certificate must be for where its chain is verified; empty where it is not.
func (t *Target) ServerName() string {
	if t.TLS.ServerName != "" || t.TLS.Mode() != config.TLSVerify {
		return t.TLS.ServerName
	}
	host, _, err := net.SplitHostPort(t.Address)
	if err != nil {
		return t.Address // no certificate is for that
	}
	return host
}

// Account returns the account of that name or id. With neither it is the only one there is.
func (t *Target) Account(nameOrID string) (Account, error) {
	switch {
	case len(t.Accounts) == 0:
		return Account{}, ErrNoAccount
	case nameOrID == "" && len(t.Accounts) > 1:
		return Account{}, ErrWhichAccount
	case nameOrID == "":
		return t.Accounts[0], nil
	}
	i := slices.IndexFunc(t.Accounts, func(a Account) bool { return a.ID == nameOrID || a.Name == nameOrID })
	if i < 0 {
		return Account{}, ErrUnknownAccount
	}
	return t.Accounts[i], nil
}
