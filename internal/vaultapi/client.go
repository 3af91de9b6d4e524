// Package vaultapi speaks the HTTP API of HashiCorp Vault, which OpenBao speaks too: sign-in by a token, a file with one, or an
// AppRole; namespaces; TLS. What a server wants is asked for by packages above: a KV store by credential, the transit engine by
// vault.
//
// Errors say what the server did and quote nothing of its answers, nor tokens.
package vaultapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/sensitive"
)

// What a server answers that callers tell apart.
var (
	ErrForbidden = errors.New("it refused (403): the token is not good, or not for that path")
	ErrNotFound  = errors.New("there is nothing at that path (404)")
)

// StatusError is any other answer than a good one.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return fmt.Sprintf("it answered %d", e.Status) }

// Client is one server. Its methods may be called from any goroutine.
type Client struct {
	config config.VaultServer
	http   *http.Client
	now    func() time.Time

	mu      sync.Mutex // of the token of an AppRole
	token   string
	expires time.Time // zero: it does not
}

// New makes a client; it connects nowhere yet.
func New(c config.VaultServer) (*Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := sensitive.ReadFile(c.CAFile, maxAnswerBytes)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
		}
	}
	return &Client{
		config: c, now: time.Now,
		http: &http.Client{
			// Neither a proxy of the environment nor a redirection gets to see the token. A connection for each request: they
			// are rare, and idle ones would outlive their server.
			Transport:     &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Name is what the configuration calls the server.
func (c *Client) Name() string { return c.config.Name }

// Get reads a path below /v1/. The caller clears what it returns.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.signedIn(ctx, http.MethodGet, path, nil)
}

// Post sends a body to a path below /v1/. The caller clears what it returns.
func (c *Client) Post(ctx context.Context, path string, body []byte) ([]byte, error) {
	return c.signedIn(ctx, http.MethodPost, path, body)
}

// signedIn sends a request with a token, signing in again once when that is not good any more.
func (c *Client) signedIn(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	token, err := c.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	out, err := c.call(ctx, method, path, token, body)
	if !errors.Is(err, ErrForbidden) || c.config.AppRole == nil {
		return out, err
	}
	c.forget(token)
	if token, err = c.authenticate(ctx); err != nil {
		return nil, err
	}
	return c.call(ctx, method, path, token, body)
}

// authenticate returns a token.
func (c *Client) authenticate(ctx context.Context) (string, error) {
	switch {
	case !c.config.Token.IsZero():
		return c.config.Token.Reveal(), nil
	case c.config.TokenFile != "":
		return sensitive.ReadLine(c.config.TokenFile, maxTokenBytes)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && (c.expires.IsZero() || c.now().Before(c.expires)) {
		return c.token, nil
	}
	role := c.config.AppRole
	secretID, err := sensitive.ReadLine(role.SecretIDFile, maxTokenBytes)
	if err != nil {
		return "", err
	}
	ask, err := json.Marshal(map[string]string{"role_id": role.RoleID, "secret_id": secretID})
	if err != nil {
		return "", err
	}
	body, err := c.call(ctx, http.MethodPost, "auth/"+role.Mount+"/login", "", ask)
	defer clear(body)
	if err != nil {
		return "", fmt.Errorf("sign in by %s: %w", role.Mount, err)
	}
	var answer struct {
		Auth struct {
			ClientToken   string `json:"client_token"`
			LeaseDuration int64  `json:"lease_duration"` // seconds; 0: it does not expire
		} `json:"auth"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Auth.ClientToken == "" {
		return "", fmt.Errorf("sign in by %s: its answer has no token", role.Mount)
	}
	c.token, c.expires = answer.Auth.ClientToken, time.Time{}
	if s := answer.Auth.LeaseDuration; s > 0 {
		c.expires = c.now().Add(time.Duration(min(s, 1<<31))*time.Second - tokenSafety)
	}
	return c.token, nil
}

// forget drops a token that is not good, unless another one has taken its place meanwhile.
func (c *Client) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}

// call sends a request, a few times when it fails for a reason that may pass and there is time left.
func (c *Client) call(ctx context.Context, method, path, token string, body []byte) ([]byte, error) {
	for attempt, wait := 1, firstWait; ; attempt, wait = attempt+1, 3*wait {
		out, err := c.once(ctx, method, path, token, body)
		if err == nil || attempt == attempts || !passing(err) || ctx.Err() != nil {
			return out, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return nil, err // which tells more than that time was up
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// passing tells whether the same request may come to a good end a moment later.
func passing(err error) bool {
	if s, ok := errors.AsType[*StatusError](err); ok {
		switch s.Status {
		case http.StatusPreconditionFailed, // a standby node that has not heard of the token yet
			http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, failed := errors.AsType[*connectionError](err)
	return failed && !untrusted
}

// connectionError is a request that got no answer.
type connectionError struct{ err error }

func (e *connectionError) Error() string { return e.err.Error() }
func (e *connectionError) Unwrap() error { return e.err }

// once sends a request and returns the body of a good answer. Bodies of others are not quoted.
func (c *Client) once(ctx context.Context, method, path, token string, body []byte) ([]byte, error) {
	at, err := url.JoinPath(c.config.Address, "v1", path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if c.config.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", c.config.Namespace)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which names the secret
		}
		return nil, &connectionError{err}
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusForbidden:
		return nil, ErrForbidden
	case http.StatusNotFound:
		return nil, ErrNotFound
	default:
		return nil, &StatusError{res.StatusCode}
	}
	out, err := sensitive.ReadAll(res.Body, maxAnswerBytes)
	if err != nil {
		return nil, fmt.Errorf("its answer: %w", err)
	}
	return out, nil
}
