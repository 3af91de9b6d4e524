// Package api is the HTTP API and the console's files: what people and programs talk to.
//
// openapi.yaml is the contract. apigen holds the types generated from it; every request is checked against the document
// before a handler sees it, and the tests check every answer. Who is asking comes from identity, whether they may from
// one policy.Authorizer; everything that goes wrong is a problem document with a stable code.
//
// A request passes, in this order: request id, log and metrics; panics; security headers; cross-origin protection;
// route; body cap and deadlines; sign-in; how often a person may ask; validation; idempotency key; audit; handler.
package api

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
)

// BasePath is where the API begins.
const BasePath = "/api/v1"

// Identity signs people in.
type Identity interface {
	SignIn(ctx context.Context, name, password, source, userAgent, previous string) (identity.SignIn, error)
	Authenticate(ctx context.Context, token string) (identity.Caller, error)
	AuthenticateToken(ctx context.Context, token, address string) (identity.Caller, error)
	SignOut(ctx context.Context, token string) error
}

// Options are what a Server is made of. All are needed unless said otherwise.
type Options struct {
	Identity     Identity
	Users        Users
	Setup        Setup
	Authorizer   policy.Authorizer
	Targets      Targets
	Certificates Certificates
	Providers    CredentialProviders
	Sessions     Sessions
	Desk         Desk // nil: by Authorizer alone
	Policies     Policies
	Explainer    Explainer
	People       People
	Recordings   Recordings
	Library      Library
	Reviews      Reviews
	Notes        RecordingNotes
	Replays      Replays
	Evidence     Evidence
	Custody      Custody
	Exports      Exports
	Audit        audit.Recorder
	AuditLog     AuditLog
	Relay        Relay  // nil: none
	Native       Native // nil: no native client is let in
	Idempotency  Idempotency
	Console      fs.FS                           // the console's files; without index.html a page says so
	Ready        func(ctx context.Context) error // what /readyz asks
	Health       Health
	Metrics      *telemetry.HTTPMetrics
	Logger       *slog.Logger

	Access        Access
	Notifications Notifications
	Rules         Rules
	Alerts        Alerts

	TwoSteps        TwoSteps
	Factors         Factors
	SignInProviders SignInProviders
	MFA             MFA

	Limits         Limits
	TrustedProxies []string // may be empty
	PublicURL      string   // may be empty
	TLS            bool     // the listener speaks TLS
}

// MFA is how second factors are enrolled.
type MFA struct {
	On            bool
	PasskeyOrigin string        // the address that passkeys are for; empty: there are none
	StepUpAge     time.Duration // how old a proof may be when factors are changed
}

// Server answers HTTP.
type Server struct {
	handlers
	engine *gin.Engine
	log    *slog.Logger
	// origin refuses requests that another site's page makes a browser send.
	origin *http.CrossOriginProtection
	checks *validator
	assets *assets
	audit  audit.Recorder
	recent recent // what the audit log has had lately
	https  bool   // people come by HTTPS, here or at a proxy in front
	ready  func(context.Context) error
	// repeats does requests with an Idempotency-Key once.
	repeats once
}

// New builds the handler. It reads the console's files once.
func New(opts Options) (*Server, error) {
	if opts.Desk == nil {
		opts.Desk = access.New(access.Options{Authorizer: opts.Authorizer})
	}
	s := &Server{
		handlers: handlers{
			identity: opts.Identity, authorizer: opts.Authorizer, targets: opts.Targets, certificates: opts.Certificates,
			providers: opts.Providers,
			sessions:  opts.Sessions, desk: opts.Desk, recordings: opts.Recordings, library: opts.Library, evidence: opts.Evidence, custody: opts.Custody, exports: opts.Exports, relay: opts.Relay,
			auditLog: opts.AuditLog, health: opts.Health,
			native:  opts.Native,
			reviews: opts.Reviews, notes: opts.Notes, replays: opts.Replays,
			limits: newLimits(opts.Limits),
			rules:  opts.Rules, alerts: opts.Alerts, dryRuns: make(chan struct{}, maxDryRuns),
			access: opts.Access, notifications: opts.Notifications,
			policies: opts.Policies, explainer: opts.Explainer, people: opts.People,
			steps: opts.TwoSteps, factors: opts.Factors, openid: opts.SignInProviders, mayEnrol: opts.MFA.On, stepUpAge: opts.MFA.StepUpAge,
			users: opts.Users, setup: opts.Setup,
		},
		log:     opts.Logger,
		audit:   opts.Audit,
		recent:  recent{now: time.Now, seen: map[recentKey]time.Time{}},
		origin:  http.NewCrossOriginProtection(),
		https:   opts.TLS,
		ready:   opts.Ready,
		repeats: once{keys: opts.Idempotency},
	}
	if opts.PublicURL != "" {
		u, err := url.Parse(opts.PublicURL)
		if err != nil {
			return nil, fmt.Errorf("api: public URL: %w", err)
		}
		s.https = s.https || u.Scheme == "https"
		if err := s.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("api: public URL: %w", err)
		}
	}
	s.secureCookies = s.https
	if u, err := url.Parse(opts.MFA.PasskeyOrigin); err == nil {
		s.passkeyHost = u.Host
	}
	var err error
	if s.checks, err = newValidator(); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(opts.Console); err != nil {
		return nil, err
	}
	if err := s.route(opts.TrustedProxies, opts.Metrics); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

func (s *Server) route(trustedProxies []string, metrics *telemetry.HTTPMetrics) error {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.ContextWithFallback = true                    // a gin.Context given as context ends with the request
	e.RemoteIPHeaders = []string{"X-Forwarded-For"} // a proxy that knows only one would pass the client's other on
	if err := e.SetTrustedProxies(trustedProxies); err != nil {
		return fmt.Errorf("api: trusted proxies: %w", err)
	}
	e.Use(s.observe(metrics), s.recoverPanic, s.securityHeaders, s.sameOrigin)
	e.NoRoute(s.noRoute)
	e.NoMethod(func(c *gin.Context) {
		fail(c, &Error{Status: http.StatusMethodNotAllowed, Code: codeMethodNotAllowed, Detail: "This address does not know the method " + c.Request.Method + "."})
	})
	e.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c *gin.Context) {
		if err := s.ready(c.Request.Context()); err != nil {
			fail(c, &Error{http.StatusServiceUnavailable, "not_ready", "The gateway cannot work now; its log tells why.", err})
			return
		}
		c.String(http.StatusOK, "ok\n")
	})
	s.routeAPI(e.Group(BasePath, s.limitRequest, s.signedIn, s.limitPerson, s.validate, s.once))
	s.engine = e
	return nil
}

// noRoute answers with a file of the console, or the console itself for the addresses it makes up.
func (s *Server) noRoute(c *gin.Context) {
	if isAPI(c.Request.URL.Path) {
		fail(c, &Error{Status: http.StatusNotFound, Code: codeNotFound, Detail: "There is nothing at this address."})
		return
	}
	s.assets.serve(c)
}
