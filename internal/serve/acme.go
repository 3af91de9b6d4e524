package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// acmeTimeout is how long the authority's server may take for an answer.
const acmeTimeout = time.Minute

// acmeTLS makes the listener get its certificates from an authority, at the first connection that asks for a domain, and
// again before they expire. Other names, and none, are refused: the authority would be asked for whatever somebody makes up.
func (g *Gateway) acmeTLS(cfg *config.ACME) error {
	client := &acme.Client{DirectoryURL: cfg.DirectoryURL, UserAgent: "vitrine"}
	if cfg.CAFile != "" {
		roots, err := certificatesOf(cfg.CAFile)
		if err != nil {
			return fmt.Errorf("serve: acme: %w", err)
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
		transport.DisableKeepAlives = true // months pass between its uses
		client.HTTPClient = &http.Client{Transport: transport, Timeout: acmeTimeout}
	}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Email: cfg.Email, Client: client,
		HostPolicy: autocert.HostWhitelist(cfg.Domains...),
		Cache:      autocert.DirCache(filepath.Join(g.cfg.CertificateFolder(), "acme")), // makes it, and its files, for us alone
	}
	g.listener.TLS = manager.TLSConfig()
	g.listener.TLS.MinVersion = tls.VersionTLS12
	get := g.listener.TLS.GetCertificate
	g.listener.TLS.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := get(hello)
		if err != nil {
			g.log.Warn("no certificate for a connection", "server_name", hello.ServerName, "error", err)
		}
		return c, err
	}
	if cfg.ListenHTTP == "" {
		return nil
	}
	var err error
	if g.challenges, err = net.Listen("tcp", cfg.ListenHTTP); err != nil {
		return fmt.Errorf("serve: acme: %w", err)
	}
	g.challengesHandler = withoutPort(manager.HTTPHandler(nil)) // what is no challenge goes on to https
	return nil
}

// withoutPort takes the port off the host a request names: where it is not 80, as behind a port that is forwarded, the name
// would be none of ours.
func withoutPort(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}

func certificatesOf(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, errors.New("no certificate in " + file)
	}
	return pool, nil
}
