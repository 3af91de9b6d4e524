package ldap

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/vitrine-psm/vitrine/internal/config"
)

// conn is a connection to a directory, bound as Vitrine's own account. It ends with its context.
type conn struct {
	d    *Directory
	lib  *ldap.Conn
	ctx  context.Context //nolint:containedctx // a conn lives within one call
	stop func() bool
}

func (d *Directory) connect(ctx context.Context) (*conn, error) {
	dialer := net.Dialer{Timeout: d.cfg.Timeout}
	raw, err := dialer.DialContext(ctx, "tcp", d.host)
	if err != nil {
		return nil, d.failed(ctx, "dial", err)
	}
	_ = raw.SetDeadline(time.Now().Add(d.cfg.Timeout)) // for TLS; the library has timeouts of its own after it
	var wire net.Conn = &capped{Conn: raw, left: maxAnswerBytes}
	if d.cfg.TLS.Mode == config.LDAPSImplicit {
		secure := tls.Client(wire, d.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, d.failed(ctx, "TLS", err)
		}
		wire = secure
	}
	_ = raw.SetDeadline(time.Time{})
	lib := ldap.NewConn(wire, d.cfg.TLS.Mode == config.LDAPSImplicit)
	lib.SetTimeout(d.cfg.Timeout)
	lib.Start()
	c := &conn{d: d, lib: lib, ctx: ctx, stop: context.AfterFunc(ctx, func() { _ = raw.Close() })}
	if d.cfg.TLS.Mode == config.LDAPStartTLS {
		if err := lib.StartTLS(d.tls); err != nil {
			c.close()
			return nil, d.failed(ctx, "StartTLS", err)
		}
	}
	if err := c.bindSelf(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) close() {
	c.stop()
	_ = c.lib.Close()
}

// bindSelf binds as Vitrine's own account, if it has one.
func (c *conn) bindSelf() error {
	cfg := &c.d.cfg
	if cfg.BindDN == "" {
		if err := c.lib.UnauthenticatedBind(""); err != nil {
			return c.failed("bind anonymously", err)
		}
		return nil
	}
	if err := c.bind(cfg.BindDN, cfg.BindPassword.Reveal()); err != nil {
		return c.failed("bind as bind_dn", err)
	}
	return nil
}

// bind proves a password. Neither may be empty: that would be an anonymous bind, which succeeds.
func (c *conn) bind(dn, password string) error {
	if dn == "" || password == "" {
		return ldap.NewError(ldap.LDAPResultInvalidCredentials, fmt.Errorf("an empty name or password"))
	}
	return c.lib.Bind(dn, password)
}

// find returns the one person a filter matches, or nil when there is none or more than one.
func (c *conn) find(filter string) (*ldap.Entry, error) {
	cfg := &c.d.cfg
	attributes := []string{cfg.Users.ID, cfg.Users.Username, cfg.Users.DisplayName, cfg.Users.Email}
	if cfg.Users.MemberOf != "" {
		attributes = append(attributes, cfg.Users.MemberOf)
	}
	res, err := c.lib.Search(ldap.NewSearchRequest(cfg.Users.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		2, seconds(cfg.Timeout), false, filter, attributes, nil))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return nil, nil
	case err != nil:
		return nil, c.failed("search", err)
	case len(res.Entries) != 1 || res.Entries[0].DN == "":
		return nil, nil
	}
	return res.Entries[0], nil
}

// disabled tells whether the filter of the disabled matches an entry.
func (c *conn) disabled(dn string) (bool, error) {
	cfg := &c.d.cfg
	if cfg.Users.Disabled == "" {
		return false, nil
	}
	res, err := c.lib.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		1, seconds(cfg.Timeout), false, cfg.Users.Disabled, []string{"1.1"}, nil))
	if err != nil {
		return false, c.failed("look whether the person is disabled", err)
	}
	return len(res.Entries) > 0, nil
}

func (c *conn) failed(what string, err error) error { return c.d.failed(c.ctx, what, err) }

// failed is an error that is not the person's. No error of the library holds a password.
func (d *Directory) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := err.Error()
	if len(text) > maxTextBytes {
		text = text[:maxTextBytes] + "…"
	}
	d.logger.WarnContext(ctx, "a directory does not answer as it should", "step", what, "error", text)
	return fmt.Errorf("%w: %s: %s: %.512s", ErrUnreachable, d.cfg.Name, what, text)
}

func seconds(d time.Duration) int { return max(1, int(d/time.Second)) }

// capped bounds what a directory may say on one connection.
type capped struct {
	net.Conn
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the directory sent more than %d bytes", maxAnswerBytes)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
