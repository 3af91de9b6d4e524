package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
)

// HTTPTLS is where the listener's certificate comes from: files, an ACME authority, or, off loopback and with nothing else
// said, one made at the first start.
type HTTPTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	ACME     ACME   `yaml:"acme"`
	Off      bool   `yaml:"off"` // plain HTTP, also off loopback
}

// ACME is an authority that hands out certificates by RFC 8555. It is on when there are domains.
type ACME struct {
	Domains      []string `yaml:"domains,omitempty"` // names people use, all of which lead here
	Email        string   `yaml:"email"`             // where the authority writes to; may be empty
	DirectoryURL string   `yaml:"directory_url"`     // empty: Let's Encrypt
	CAFile       string   `yaml:"ca_file"`           // PEM: who the authority's own server is known by; empty: the system's roots
	// ListenHTTP takes plain HTTP for challenges (http-01), which come to port 80, and sends people on to https. Without it
	// the challenge comes to the listener itself (tls-alpn-01), to port 443.
	ListenHTTP string `yaml:"listen_http"`
}

// TLSSource is where a listener's certificate comes from.
type TLSSource string

// Where a listener's certificate comes from.
const (
	TLSNone       TLSSource = "none" // plain HTTP
	TLSFiles      TLSSource = "files"
	TLSACME       TLSSource = "acme"
	TLSSelfSigned TLSSource = "self_signed"
)

// TLSSource says where the listener's certificate comes from. Passwords and desktops in plaintext over a network are not a
// default: only on loopback, or with a proxy in front (which public_url or trusted_proxies tells of), there is none.
func (h *HTTP) TLSSource() TLSSource {
	switch {
	case h.TLS.Off:
		return TLSNone
	case h.TLS.CertFile != "":
		return TLSFiles
	case len(h.TLS.ACME.Domains) > 0:
		return TLSACME
	case h.PublicURL != "" || len(h.TrustedProxies) > 0 || listensOnLoopback(h.Listen):
		return TLSNone
	}
	return TLSSelfSigned
}

// SecureListener tells whether the listener speaks TLS.
func (h *HTTP) SecureListener() bool { return h.TLSSource() != TLSNone }

func listensOnLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopback(host)
}

func (v *validator) httpTLS(t *HTTPTLS) {
	given := 0
	for _, set := range []bool{t.CertFile != "" || t.KeyFile != "", len(t.ACME.Domains) > 0, t.Off} {
		if set {
			given++
		}
	}
	if given > 1 {
		v.fail("http.tls", "has more than one of files, acme and off")
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		v.fail("http.tls", "needs both cert_file and key_file")
	} else if t.CertFile != "" {
		v.readable("http.tls.cert_file", t.CertFile)
		v.readable("http.tls.key_file", t.KeyFile)
	}
	v.acme(&t.ACME)
}

func (v *validator) acme(a *ACME) {
	if len(a.Domains) == 0 {
		if a.Email != "" || a.DirectoryURL != "" || a.CAFile != "" || a.ListenHTTP != "" {
			v.fail("http.tls.acme.domains", "is needed")
		}
		return
	}
	for i, d := range a.Domains {
		if !hostName.MatchString(d) {
			v.fail(fmt.Sprintf("http.tls.acme.domains[%d]", i), "%q is not a host name", d)
		}
	}
	if a.DirectoryURL != "" {
		if u, err := url.Parse(a.DirectoryURL); err != nil || u.Scheme != "https" || u.Host == "" {
			v.fail("http.tls.acme.directory_url", "%q is not an https URL", a.DirectoryURL)
		}
	}
	if a.CAFile != "" {
		v.readable("http.tls.acme.ca_file", a.CAFile)
	}
	if a.ListenHTTP != "" {
		v.address("http.tls.acme.listen_http", a.ListenHTTP)
	}
}

// CertificateFolder is where certificates rest that were not brought as files.
func (c *Config) CertificateFolder() string { return filepath.Join(c.DataDir, "tls") }
