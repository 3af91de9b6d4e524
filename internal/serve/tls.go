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
	files config.HTTPTLS
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the file current was read from
	looked  time.Time
}

// serverTLS returns the listener's TLS settings, nil for plain HTTP.
func serverTLS(files config.HTTPTLS, log *slog.Logger) (*tls.Config, error) {
	if !files.Enabled() {
		return nil, nil
	}
	c := &certificate{files: files, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("serve: tls: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) load() error {
	info, err := os.Stat(c.files.CertFile)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
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
	if info, err := os.Stat(c.files.CertFile); err == nil && info.ModTime().Equal(c.changed) {
		return c.current, nil
	}
	if err := c.load(); err != nil {
		c.log.Error("new certificate not usable, the old one stays", "error", err)
	} else {
		c.log.Info("certificate read again")
	}
	return c.current, nil
}
