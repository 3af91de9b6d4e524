package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// certCheck is how often the certificate's file is looked at.
const certCheck = 10 * time.Second

// certificate is the listener's certificate, read again when its file changes, so that a renewal needs no restart.
type certificate struct {
	cert, key string // files
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the file current was read from
	looked  time.Time
}

// listenerTLS sets the listener's TLS settings, none for plain HTTP, and what listens for ACME's challenges.
func (g *Gateway) listenerTLS() (err error) {
	switch h := &g.cfg.HTTP; h.TLSSource() {
	case config.TLSFiles:
		g.listener.TLS, err = filesTLS(h.TLS.CertFile, h.TLS.KeyFile, g.log)
	case config.TLSACME:
		err = g.acmeTLS(&h.TLS.ACME)
	case config.TLSSelfSigned:
		var cert, key string
		if cert, key, err = selfSigned(g.cfg.CertificateFolder(), h.Listen, time.Now(), g.log); err == nil {
			g.listener.TLS, err = filesTLS(cert, key, g.log)
		}
	}
	return err
}

// filesTLS returns settings with the certificate in those files, whatever is in them at the time.
func filesTLS(cert, key string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("serve: tls: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current, c.changed, c.looked = &pair, info.ModTime(), time.Now()
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certCheck {
		return c.current, nil
	}
	c.looked = time.Now()
	if info, err := os.Stat(c.cert); err == nil && info.ModTime().Equal(c.changed) {
		return c.current, nil
	}
	if err := c.load(); err != nil {
		c.log.Error("new certificate not usable, the old one stays", "error", err)
	} else {
		c.log.Info("certificate read again")
	}
	return c.current, nil
}
