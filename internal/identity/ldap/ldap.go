// Package ldap signs people in with their name and password of a directory: LDAP, or Active Directory.
//
// A person is searched for as the directory's own account for Vitrine, and then bound as with the password they gave. Where a
// directory would take a bind without a password for an anonymous one, there is no bind: an empty password is wrong.
// What people type goes into filters escaped.
//
// A directory is believed about its people only. Its answers are bounded in bytes and groups; more groups than allowed end
// the sign-in, because a policy may forbid by group. Each question has its own connection.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
)

// Bounds.
const (
	maxNameBytes     = 128
	maxPasswordBytes = 1024
	maxPacketBytes   = 4 << 20 // of one message of a directory
	maxAnswerBytes   = 16 << 20
	maxTextBytes     = 512
	maxSubjectBytes  = 255
	pageSize         = 500
)

func init() {
	// The library allocates what a message claims to have, up to 2 GiB.
	ber.MaxPacketLengthBytes = maxPacketBytes
}

// What callers tell apart.
var (
	// ErrRefused: there is no such person, the password is wrong, or they may not sign in.
	ErrRefused = fmt.Errorf("ldap: %w", identity.ErrBadCredentials)
	// ErrUnreachable: the directory does not answer as it should. It is nobody's wrong password.
	ErrUnreachable = fmt.Errorf("ldap: %w", identity.ErrDirectory)
	// ErrGone: the person is no longer there, or may no longer sign in.
	ErrGone = fmt.Errorf("ldap: %w", identity.ErrGone)
)

var _ identity.Directory = (*Directory)(nil)

// Directory is one of the configuration. It is safe for concurrent use.
type Directory struct {
	cfg    config.LDAP
	host   string // host:port
	tls    *tls.Config
	logger *slog.Logger
}

// New returns the directory of the configuration. It asks it nothing.
func New(cfg config.LDAP, log *slog.Logger) (*Directory, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("ldap: %s: %w", cfg.Name, err)
	}
	d := &Directory{cfg: cfg, logger: log.With("directory", cfg.Name), tls: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.TLS.ServerName}}
	if d.tls.ServerName == "" {
		d.tls.ServerName = u.Hostname()
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	d.host = net.JoinHostPort(u.Hostname(), port)
	if cfg.TLS.CAFile != "" {
		pem, err := os.ReadFile(cfg.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ldap: %s: %w", cfg.Name, err)
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ldap: %s: %s holds no certificate", cfg.Name, cfg.TLS.CAFile)
		}
	}
	return d, nil
}

// Source is what users of this directory have as their source.
func (d *Directory) Source() string { return "ldap:" + d.cfg.Name }

// Recheck is how often people who are signed in are to be looked up again; 0: never.
func (d *Directory) Recheck() time.Duration { return d.cfg.Recheck }

// SignIn checks a name and password and returns who that is. The error wraps ErrRefused or ErrUnreachable.
func (d *Directory) SignIn(ctx context.Context, name, password string) (identity.ExternalIdentity, error) {
	var none identity.ExternalIdentity
	name = strings.TrimSpace(name)
	if name == "" || password == "" || len(name) > maxNameBytes || len(password) > maxPasswordBytes || !plain(name) {
		return none, ErrRefused
	}
	c, err := d.connect(ctx)
	if err != nil {
		return none, err
	}
	defer c.close()
	e, err := c.find(fill(d.cfg.Users.Filter, map[string]string{"{username}": name}))
	if err != nil {
		return none, err
	}
	if e == nil {
		return none, fmt.Errorf("%w: there is not exactly one such person", ErrRefused)
	}
	if err := c.bind(e.DN, password); err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInappropriateAuthentication,
			ldap.LDAPResultConstraintViolation, ldap.LDAPResultInsufficientAccessRights) {
			return none, ErrRefused
		}
		return none, c.failed("bind as the person", err)
	}
	if err := c.bindSelf(); err != nil {
		return none, err
	}
	disabled, err := c.disabled(e.DN)
	if err != nil {
		return none, err
	}
	if disabled {
		return none, fmt.Errorf("%w: disabled", ErrRefused)
	}
	return c.identity(e)
}

// Look returns what the directory says now of somebody it signed in once, by their subject. ErrGone: no longer.
func (d *Directory) Look(ctx context.Context, subject string) (identity.ExternalIdentity, error) {
	var none identity.ExternalIdentity
	c, err := d.connect(ctx)
	if err != nil {
		return none, err
	}
	defer c.close()
	e, err := c.find(fmt.Sprintf("(%s=%s)", d.cfg.Users.ID, escapeSubject(subject)))
	if err != nil {
		return none, err
	}
	if e == nil {
		return none, ErrGone
	}
	disabled, err := c.disabled(e.DN)
	if err != nil {
		return none, err
	}
	if disabled {
		return none, ErrGone
	}
	return c.identity(e)
}

// identity is who an entry is about.
func (c *conn) identity(e *ldap.Entry) (identity.ExternalIdentity, error) {
	var none identity.ExternalIdentity
	cfg := &c.d.cfg
	subject := subjectOf(e.GetRawAttributeValue(cfg.Users.ID))
	if subject == "" {
		return none, fmt.Errorf("%w: %q has no %s that could tell people apart for ever", ErrUnreachable, e.DN, cfg.Users.ID)
	}
	groups, err := c.groups(e)
	if err != nil {
		return none, err
	}
	name := text(e.GetAttributeValue(cfg.Users.Username))
	if name == "" {
		name = subject
	}
	names, m := groups.apply(identity.MappingOf(cfg.Mapping))
	return identity.ExternalIdentity{
		Source: c.d.Source(), Subject: subject, Name: name, DisplayName: text(e.GetAttributeValue(cfg.Users.DisplayName)),
		Email: text(e.GetAttributeValue(cfg.Users.Email)), Groups: names, Mapping: m,
	}, nil
}

// fill puts values into a filter, escaped.
func fill(filter string, values map[string]string) string {
	var pairs []string
	for name, v := range values {
		pairs = append(pairs, name, ldap.EscapeFilter(v))
	}
	return strings.NewReplacer(pairs...).Replace(filter)
}

// text is an attribute fit to be shown, or "".
func text(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxTextBytes || !plain(s) {
		return ""
	}
	return s
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }
