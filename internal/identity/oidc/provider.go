package oidc

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
)

const (
	requestTimeout = 10 * time.Second // each question to a provider
	maxAnswerBytes = 1 << 20          // of a provider
	maxCodeBytes   = 4 << 10
	rediscoverWait = time.Hour       // what was found is looked up again then
	retryWait      = 3 * time.Second // after a lookup that failed
	maxQuoted      = 200             // bytes of a provider's words in an error
)

// provider is one of the configuration.
type provider struct {
	cfg      config.OIDC
	redirect string
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	turn chan struct{} // held by who looks it up, and guards what follows
	last *discovery    // nil: not found yet
	err  error         // of the last lookup, when it failed
	next time.Time     // when to look it up again
}

// discovery is what a provider says of itself.
type discovery struct {
	lib    *oidc.Provider
	oauth2 oauth2.Config
}

func newProvider(cfg config.OIDC, origin string, opts Options) (*provider, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", cfg.CAFile)
		}
	}
	return &provider{
		cfg:      cfg,
		redirect: strings.TrimRight(origin, "/") + "/api/v1/sign-in/oidc/" + cfg.Name + "/callback",
		client:   &http.Client{Transport: capped{transport}, Timeout: requestTimeout},
		now:      opts.Now,
		log:      opts.Logger.With("provider", cfg.Name),
		turn:     make(chan struct{}, 1),
	}, nil
}

// discovered returns what the provider says of itself, looking it up when it is time.
func (p *provider) discovered(ctx context.Context) (*discovery, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	now := p.now()
	if now.Before(p.next) {
		if p.last == nil {
			return nil, p.err
		}
		return p.last, nil
	}
	fresh, err := p.discover(ctx)
	switch {
	case err == nil:
		p.last, p.err, p.next = fresh, nil, now.Add(rediscoverWait)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx) // the person left; nothing is known of the provider
	default:
		p.log.WarnContext(ctx, "an OpenID provider cannot be looked up", "issuer", p.cfg.Issuer, "error", err)
		p.err, p.next = fmt.Errorf("%w: %w", ErrUnreachable, err), now.Add(retryWait)
		if p.last == nil {
			return nil, p.err
		}
	}
	return p.last, nil
}

func (p *provider) discover(ctx context.Context) (*discovery, error) {
	lib, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, quoted(err)
	}
	var more struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := lib.Claims(&more); err != nil {
		return nil, quoted(err)
	}
	endpoint := lib.Endpoint()
	for _, e := range []string{endpoint.AuthURL, endpoint.TokenURL} {
		if u, err := url.Parse(e); err != nil || u.Host == "" || (u.Scheme != "https" && !strings.HasPrefix(p.cfg.Issuer, "http:")) {
			return nil, fmt.Errorf("the endpoint %s is not an address by https", shorten(e))
		}
	}
	// Left to itself the library tries both ways, and the first may use the code up.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.cfg.ClientSecret.IsZero() || (len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic")) {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &discovery{lib: lib, oauth2: oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret.Reveal(), Endpoint: endpoint, RedirectURL: p.redirect, Scopes: p.cfg.Scopes,
	}}, nil
}

func (p *provider) authURL(d *discovery, state string, f flow) string {
	return d.oauth2.AuthCodeURL(state, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
}

// finish turns the answer of the provider to f into who signs in.
func (p *provider) finish(ctx context.Context, f flow, query url.Values) (identity.ExternalIdentity, error) {
	var none identity.ExternalIdentity
	if code := query.Get("error"); code != "" {
		return none, fmt.Errorf("%w: %s %s", ErrCancelled, shorten(code), shorten(query.Get("error_description")))
	}
	if iss := query.Get("iss"); iss != "" && iss != p.cfg.Issuer { // RFC 9207
		return none, fmt.Errorf("%w: the answer is of %s", ErrRefused, shorten(iss))
	}
	code := query.Get("code")
	if code == "" || len(code) > maxCodeBytes {
		return none, fmt.Errorf("%w: the answer has no code", ErrRefused)
	}
	d, err := p.discovered(ctx)
	if err != nil {
		return none, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := d.oauth2.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode != "" {
			return none, fmt.Errorf("%w: the code was refused: %s %s", ErrRefused, shorten(e.ErrorCode), shorten(e.ErrorDescription))
		}
		return none, fmt.Errorf("%w: %w", ErrUnreachable, quoted(err))
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return none, fmt.Errorf("%w: there is no id_token", ErrRefused)
	}
	token, claims, err := p.verify(ctx, d, raw, f.Nonce)
	if err != nil {
		return none, err
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return none, fmt.Errorf("%w: access token: %w", ErrRefused, quoted(err))
		}
	}
	if p.lacks(claims) && d.lib.UserInfoEndpoint() != "" {
		if err := p.ask(ctx, d, tokens, token.Subject, claims); err != nil {
			return none, err
		}
	}
	return p.identity(ctx, token.Subject, claims)
}

// verify checks an ID token and returns its claims.
func (p *provider) verify(ctx context.Context, d *discovery, raw, nonce string) (*oidc.IDToken, claims, error) {
	// Times are looked at below: the library knows no skew.
	token, err := d.lib.Verifier(&oidc.Config{ClientID: p.cfg.ClientID, SkipExpiryCheck: true}).Verify(ctx, raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, quoted(err))
	}
	c := claims{}
	if err := token.Claims(&c); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, quoted(err))
	}
	now, skew := p.now(), p.cfg.ClockSkew
	notBefore, _ := c["nbf"].(float64)
	azp, hasParty := c["azp"]
	switch {
	case token.Subject == "" || len(token.Subject) > maxSubjectBytes:
		err = errors.New("it names nobody")
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		err = errors.New("its nonce is another")
	case !now.Before(token.Expiry.Add(skew)):
		err = fmt.Errorf("it expired at %v", token.Expiry.UTC())
	case token.IssuedAt.After(now.Add(skew)):
		err = fmt.Errorf("it was issued at %v, which is to come: is a clock wrong?", token.IssuedAt.UTC())
	case notBefore > float64(now.Add(skew).Unix()):
		err = errors.New("it is not valid yet")
	case (len(token.Audience) > 1 || hasParty) && azp != p.cfg.ClientID:
		err = errors.New("it was issued to another client")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: id_token: %w", ErrRefused, err)
	}
	return token, c, nil
}

// ask adds to c what the provider's userinfo says besides.
func (p *provider) ask(ctx context.Context, d *discovery, tokens *oauth2.Token, subject string, c claims) error {
	info, err := d.lib.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return fmt.Errorf("%w: userinfo: %w", ErrUnreachable, quoted(err))
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: userinfo is about somebody else", ErrRefused)
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: userinfo: %w", ErrRefused, quoted(err))
	}
	// What was signed stands, an address goes with the word that it is verified, and how somebody signed in is only signed.
	address := c.get(p.cfg.Claims.Email) != nil
	for name, v := range more {
		_, signed := c[name]
		if signed || name == "amr" || name == "acr" || (address && name == "email_verified") {
			continue
		}
		c[name] = v
	}
	return nil
}

// capped bounds what is read of answers; the libraries do not.
type capped struct{ *http.Transport }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.Transport.RoundTrip(r)
	if err == nil {
		res.Body = &cappedBody{ReadCloser: res.Body, left: maxAnswerBytes}
	}
	return res, err
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// quoted is an error of a library, whose text may quote the provider at any length.
func quoted(err error) error {
	text := err.Error()
	if len(text) <= maxQuoted {
		return err
	}
	return errors.New(shorten(text))
}

// shorten makes text of somebody else fit for a log line.
func shorten(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s), "?")
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return s
}
