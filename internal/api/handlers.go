package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// handlers answers what openapi.yaml describes. Each handler asks may before it tells or does anything.
type handlers struct {
	identity      Identity
	users         Users
	setup         Setup
	authorizer    policy.Authorizer
	targets       Targets
	certificates  Certificates
	providers     CredentialProviders
	sessions      Sessions
	desk          Desk
	policies      Policies
	explainer     Explainer
	people        People
	recordings    Recordings
	library       Library
	reviews       Reviews
	notes         RecordingNotes
	replays       Replays
	evidence      Evidence
	custody       Custody
	exports       Exports
	relay         Relay  // nil: none
	native        Native // nil: none
	auditLog      AuditLog
	health        Health
	limits        limits
	access        Access
	notifications Notifications
	rules         Rules
	alerts        Alerts
	dryRuns       chan struct{} // a place for each under way
	secureCookies bool

	steps       TwoSteps
	factors     Factors
	openid      SignInProviders
	mayEnrol    bool          // second factors are on
	passkeyHost string        // host, with port, of the address that passkeys are for; empty: none
	stepUpAge   time.Duration // how old a second factor may be when factors are changed
}

var _ apigen.StrictServerInterface = (*handlers)(nil)

// routeAPI registers the handlers below group.
func (s *Server) routeAPI(group *gin.RouterGroup) {
	strict := apigen.NewStrictHandlerWithOptions(&s.handlers, []apigen.StrictMiddlewareFunc{s.audited}, apigen.StrictGinServerOptions{
		RequestErrorHandlerFunc:  func(c *gin.Context, err error) { fail(c, invalid(err)) },
		HandlerErrorFunc:         fail,
		ResponseErrorHandlerFunc: fail,
	})
	apigen.RegisterHandlersWithOptions(group, strict, apigen.GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { fail(c, invalid(err)) },
	})
	group.OPTIONS("/sessions/:session/whep", s.viewerOptions)
}

// may asks the one place that decides.
func (h *handlers) may(ctx context.Context, in *call, action policy.Action, resource policy.Resource) error {
	d, err := policy.Check(ctx, h.authorizer, in.query(action, resource))
	audit.DecidedBy(ctx, d.Policies...)
	return err
}

// possible returns what s may do at all, somewhere and at some time: what the console shows goes by it.
func (h *handlers) possible(s policy.Subject) []policy.Action {
	if surveyor, ok := h.authorizer.(policy.Surveyor); ok {
		return surveyor.Possible(s)
	}
	return s.Permissions
}

// SignIn begins a sign-in and sets its cookie.
func (h *handlers) SignIn(ctx context.Context, r apigen.SignInRequestObject) (apigen.SignInResponseObject, error) {
	ctx, in := enter(ctx)
	signIn, err := h.identity.SignIn(ctx, r.Body.Username, r.Body.Password, in.address, in.request.UserAgent(), in.token)
	if err != nil {
		h.tried(ctx, r.Body.Username)
		return nil, err
	}
	if signIn.Pending != nil {
		h.wait(in, *signIn.Pending)
		audit.By(ctx, audit.Actor{Kind: audit.KindUser, ID: signIn.Pending.UserID, Name: signIn.Pending.Name})
		audit.Detail(ctx, "second_step", "needed")
		return apigen.SignIn202JSONResponse(h.pendingOut(in, *signIn.Pending)), nil
	}
	audit.By(ctx, actorOf(signIn.Subject))
	me, err := h.me(ctx, signIn.Subject)
	if err != nil {
		return nil, err
	}
	return apigen.SignIn200JSONResponse{
		Body:    me,
		Headers: apigen.SignIn200ResponseHeaders{SetCookie: new(h.signInCookie(signIn))},
	}, nil
}

// tried says in the audit log whose sign-in failed. A name that nobody has is not written down: it may be a password in the
// wrong field.
func (h *handlers) tried(ctx context.Context, name string) {
	if u, err := h.people.UserByName(ctx, strings.ToLower(name)); err == nil {
		audit.About(ctx, "user", u.ID, u.Name)
	}
}

// SignOut ends the sign-in.
func (h *handlers) SignOut(ctx context.Context, _ apigen.SignOutRequestObject) (apigen.SignOutResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.identity.SignOut(ctx, in.token); err != nil {
		return nil, err
	}
	http.SetCookie(in.writer, h.cookie("", -1))
	return apigen.SignOut204Response{}, nil
}

// signInCookie is the Set-Cookie header of a fresh sign-in.
func (h *handlers) signInCookie(s identity.SignIn) string {
	return h.cookie(s.Token, int(time.Until(s.ExpiresAt).Seconds())).String()
}

// cookie makes the browser's cookie; maxAge in seconds, negative to remove it.
func (h *handlers) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieOf(h.secureCookies), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: h.secureCookies,
	}
}

func (h *handlers) meOut(s policy.Subject) apigen.Me {
	out := apigen.Me{Id: s.ID, Username: s.Name, Permissions: []string{}}
	for _, p := range h.possible(s) {
		out.Permissions = append(out.Permissions, string(p))
	}
	return out
}

// valueOr returns what p points to, or fallback when it is nil.
func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// optional returns nil for the zero value, which the document leaves out.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
