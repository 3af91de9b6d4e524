// Package oidc signs people in at OpenID providers: authorization code flow with PKCE, state and nonce.
//
// A flow begins with Providers.Begin, which sends the browser to the provider, and ends with Providers.Finish, which is
// given what the browser brings back. In between it rests as a ceremony, which is taken once: a replayed answer finds
// nothing. The browser that comes back must hold the cookie of the one that went.
//
// What a provider says is not trusted further than its signature. It says who somebody is at its own place: users here are
// known by provider and subject alone, never by name or address. Answers, groups and texts are bounded.
//
// A provider is looked up when first needed, again when that failed and every hour; one that is down stops nobody but
// those who want to sign in there.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// FlowLifetime is how long a person may take at the provider.
const FlowLifetime = 10 * time.Minute

// maxNextBytes bounds the path somebody wants to be led to.
const maxNextBytes = 2048

// What callers tell apart.
var (
	// ErrUnknown: there is no provider of that name.
	ErrUnknown = errors.New("oidc: there is no such provider")
	// ErrExpired: the flow is over, was finished already, or belongs to another browser.
	ErrExpired = errors.New("oidc: begun too long ago, finished already, or begun in another browser")
	// ErrUnreachable: the provider does not answer as one.
	ErrUnreachable = errors.New("oidc: the provider cannot be reached")
	// ErrCancelled: the provider says the person was not signed in.
	ErrCancelled = errors.New("oidc: the provider did not sign the person in")
	// ErrRefused: what the provider says of the person is not as it must be.
	ErrRefused = errors.New("oidc: the provider's word is not taken")
	// ErrNotAllowed: the person is none of those who may sign in from there.
	ErrNotAllowed = errors.New("oidc: not one of those who may sign in from this provider")
)

// Ceremonies keeps flows.
type Ceremonies interface {
	Put(ctx context.Context, c store.Ceremony, now time.Time) error
	Take(ctx context.Context, id string, now time.Time) (store.Ceremony, error)
}

// Options are what Providers may be told. The zero value is right for production.
type Options struct {
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now
}

// Providers are those of the configuration. They are safe for concurrent use.
type Providers struct {
	list       []*provider
	ceremonies Ceremonies
	now        func() time.Time
}

// New returns the providers of the configuration; origin is where people reach the console, such as https://vitrine.example.org.
// It asks no provider anything. Close what it returns.
func New(list []config.OIDC, origin string, ceremonies Ceremonies, opts Options) (*Providers, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	ps := &Providers{ceremonies: ceremonies, now: opts.Now}
	for _, cfg := range list {
		p, err := newProvider(cfg, origin, opts)
		if err != nil {
			return nil, fmt.Errorf("oidc: %s: %w", cfg.Name, err)
		}
		ps.list = append(ps.list, p)
	}
	return ps, nil
}

// Close lets connections to providers go.
func (ps *Providers) Close() {
	for _, p := range ps.list {
		p.client.CloseIdleConnections()
	}
}

// Choice is a provider as a person chooses it.
type Choice struct{ Name, Label string }

// Choices returns the providers in the order of the configuration.
func (ps *Providers) Choices() []Choice {
	var out []Choice
	for _, p := range ps.list {
		out = append(out, Choice{p.cfg.Name, p.cfg.Label})
	}
	return out
}

// Departure is how a browser is sent to a provider.
type Departure struct {
	URL     string
	Cookie  string // the name of the cookie the browser must come back with
	Binding string // its value
}

// flow is what a ceremony keeps.
type flow struct {
	Provider string `json:"provider"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE's
	Binding  string `json:"binding"`  // hash of the cookie
	Next     string `json:"next"`
}

// Begin starts a flow at the provider of that name. next is the path to lead the person to afterwards; one that leads
// elsewhere is forgotten.
func (ps *Providers) Begin(ctx context.Context, name, next string) (Departure, error) {
	p, err := ps.find(name)
	if err != nil {
		return Departure{}, err
	}
	found, err := p.discovered(ctx)
	if err != nil {
		return Departure{}, err
	}
	state, binding := rand.Text(), rand.Text()
	f := flow{Provider: name, Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Binding: hash(binding), Next: LocalPath(next)}
	payload, err := json.Marshal(f)
	if err != nil {
		return Departure{}, fmt.Errorf("oidc: %w", err)
	}
	now := ps.now()
	if err := ps.ceremonies.Put(ctx, store.Ceremony{ID: ceremony(state), Payload: string(payload), ExpiresAt: now.Add(FlowLifetime)}, now); err != nil {
		return Departure{}, fmt.Errorf("oidc: %w", err)
	}
	return Departure{URL: p.authURL(found, state, f), Cookie: CookieName(state), Binding: binding}, nil
}

// Finish ends the flow that query is the answer to: the parameters of the address the provider sent the browser to.
// binding is the value of the cookie CookieName(query's state). It returns who signs in and the path to lead them to.
func (ps *Providers) Finish(ctx context.Context, name, binding string, query url.Values) (identity.ExternalIdentity, string, error) {
	var none identity.ExternalIdentity
	p, err := ps.find(name)
	if err != nil {
		return none, "/", err
	}
	state := query.Get("state")
	c, err := ps.ceremonies.Take(ctx, ceremony(state), ps.now())
	if errors.Is(err, store.ErrNotFound) {
		return none, "/", ErrExpired
	}
	if err != nil {
		return none, "/", fmt.Errorf("oidc: %w", err)
	}
	var f flow
	if err := json.Unmarshal([]byte(c.Payload), &f); err != nil {
		return none, "/", fmt.Errorf("oidc: flow: %w", err)
	}
	if f.Provider != name || subtle.ConstantTimeCompare([]byte(hash(binding)), []byte(f.Binding)) != 1 {
		return none, "/", ErrExpired
	}
	who, err := p.finish(ctx, f, query)
	return who, f.Next, err
}

// CookieName is the name of the cookie that binds a flow to its browser. Each flow has its own, so that two tabs do not
// disturb each other.
func CookieName(state string) string { return "vitrine_oidc_" + hash(state)[:16] }

// LocalPath returns next when it is a path of this site and "/" otherwise. "//host" and "/\host" are other sites to browsers.
func LocalPath(next string) string {
	if len(next) > maxNextBytes || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) ||
		strings.HasPrefix(next, "/sign-in") || strings.HasPrefix(next, "/api/") ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "/"
	}
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return next
}

func (ps *Providers) find(name string) (*provider, error) {
	for _, p := range ps.list {
		if p.cfg.Name == name {
			return p, nil
		}
	}
	return nil, ErrUnknown
}

func ceremony(state string) string { return "oidc:" + hash(state) }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
