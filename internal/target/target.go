// Package target holds the desktops people may connect to. Their secrets stay in this package's values until the
// worker that dials for one session gets them; they are never part of an answer, a log line or an error.
package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// ErrNotFound is returned for an id that no target has.
var ErrNotFound = errors.New("target: not found")

// maxCABytes bounds a file of certification authorities.
const maxCABytes = 1 << 20

// Target is a desktop.
type Target struct {
	ID          string
	Name        string
	Description string
	Protocol    string
	Address     string // host:port
	Tags        []string

	Domain              string // of Username; rdp
	Username            string
	Password            config.Secret
	TLS                 TLS
	ViewOnly            bool
	ClipboardToTarget   bool
	ClipboardFromTarget bool

	// RDP is set for that protocol only.
	RDP *config.RDP
}

// TLS is how the target proves who it is. With Fingerprint set, only a certificate of that fingerprint is accepted; with
// FirstUse and none known yet, whichever it shows; else its chain must verify for ServerName.
type TLS struct {
	AllowPlaintext bool // none of this is asked for
	ServerName     string
	CAPEM          []byte // empty: the system's roots
	Fingerprint    string // SHA-256, lower-case hex
	FirstUse       bool   // the certificate shown first is stored as Fingerprint
}

// Repository is the list of targets from the configuration. It never changes.
type Repository struct {
	byID   map[string]Target
	sorted []Target // by name
}

// NewRepository reads what the configuration refers to.
func NewRepository(targets []config.Target) (*Repository, error) {
	r := &Repository{byID: make(map[string]Target, len(targets))}
	for _, c := range targets {
		t, err := fromConfig(c)
		if err != nil {
			return nil, fmt.Errorf("target: %s: %w", c.ID, err)
		}
		r.byID[t.ID] = t
		r.sorted = append(r.sorted, t)
	}
	slices.SortFunc(r.sorted, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return r, nil
}

// List returns every target, by name.
func (r *Repository) List(context.Context) ([]Target, error) { return slices.Clone(r.sorted), nil }

// Get returns the target of that id, or ErrNotFound.
func (r *Repository) Get(_ context.Context, id string) (Target, error) {
	t, ok := r.byID[id]
	if !ok {
		return Target{}, ErrNotFound
	}
	return t, nil
}

func fromConfig(c config.Target) (Target, error) {
	t := Target{
		ID: c.ID, Name: c.Name, Description: c.Description, Protocol: c.Protocol, Address: c.Address,
		Tags: slices.Clone(c.Tags), Username: c.Username, Password: c.Password, ViewOnly: c.ViewOnly,
		ClipboardToTarget: *c.Clipboard.ToTarget, ClipboardFromTarget: *c.Clipboard.FromTarget,
		Domain: c.Domain, RDP: c.RDP,
	}
	if domain, name, ok := strings.Cut(c.Username, `\`); ok && c.Protocol == config.ProtocolRDP {
		t.Domain, t.Username = domain, name
	}
	switch c.TLS.Mode {
	case config.TLSOff:
		t.TLS.AllowPlaintext = true
		return t, nil
	case config.TLSFirstUse:
		t.TLS.FirstUse = true
		return t, nil
	case config.TLSPin:
		var err error
		t.TLS.Fingerprint, err = config.ParseFingerprint(c.TLS.Fingerprint)
		return t, err
	}
	if t.TLS.ServerName = c.TLS.ServerName; t.TLS.ServerName == "" {
		host, _, err := net.SplitHostPort(c.Address)
		if err != nil {
			return Target{}, err
		}
		t.TLS.ServerName = host
	}
	if c.TLS.CAFile != "" {
		pem, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return Target{}, err
		}
		if len(pem) > maxCABytes {
			return Target{}, fmt.Errorf("%s holds %d bytes, more than %d", c.TLS.CAFile, len(pem), maxCABytes)
		}
		t.TLS.CAPEM = pem
	}
	return t, nil
}
