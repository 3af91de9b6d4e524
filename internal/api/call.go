package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// cookieName is the browser's sign-in, as openapi.yaml names it.
const cookieName = "vitrine_session"

// cookieOf is the cookie's name. Over HTTPS browsers take one called so only from this very host, with Secure, and for all
// its paths: nobody who has another name below the same domain, or the network in between, can plant a sign-in.
func cookieOf(https bool) string {
	if https {
		return "__Host-" + cookieName
	}
	return cookieName
}

// httpsKey is where gin's context says that people come by HTTPS.
const httpsKey = "vitrine.https"

// call is what a handler knows of its request besides the typed parameters.
type call struct {
	subject policy.Subject  // who asks; the zero value where sign-in is not needed
	caller  identity.Caller // the same, and by what they are known
	address string          // the client's IP address, as trusted proxies tell it
	token   string          // the cookie; never to be logged
	request *http.Request
	writer  http.ResponseWriter
}

// enter returns the request's own context, which is safe to keep, unlike gin's, and the call.
func enter(ctx context.Context) (context.Context, *call) {
	c := ctx.(*gin.Context) // the generated server passes nothing else
	in := &call{address: c.ClientIP(), request: c.Request, writer: c.Writer}
	if cookie, err := c.Request.Cookie(cookieOf(c.GetBool(httpsKey))); err == nil {
		if _, program := bearer(c.Request); !program {
			in.token = cookie.Value
		}
	}
	if caller, ok := c.Get(callerKey); ok {
		in.caller = caller.(identity.Caller)
		in.subject = in.caller.Subject
	}
	return c.Request.Context(), in
}

// query is what to ask the Authorizer about the caller.
func (in *call) query(action policy.Action, resource policy.Resource) policy.Query {
	source, _ := netip.ParseAddr(in.address) // gin's: an address, or nothing at all
	return policy.Query{
		Subject: in.subject, Action: action, Resource: resource,
		Circumstances: policy.Circumstances{Time: time.Now(), Source: source.Unmap()},
	}
}

// scoped refuses an API token that was made for none of actions, where policies are not asked because the thing is the
// caller's own.
func (in *call) scoped(actions ...policy.Action) error {
	scopes := in.subject.Scopes
	if scopes == nil || slices.ContainsFunc(actions, func(a policy.Action) bool { return slices.Contains(scopes, a) }) {
		return nil
	}
	return &policy.DeniedError{Action: actions[0], Reason: "the token's scopes do not include " + string(actions[0])}
}

// callerKey is where signedIn leaves who asks in gin's context.
const callerKey = "vitrine.caller"

// signedIn finds out who asks, unless the operation is open to all by its document.
func (s *Server) signedIn(c *gin.Context) {
	if s.checks.open(c) {
		c.Next()
		return
	}
	caller, err := s.authenticate(c)
	if err != nil {
		fail(c, err)
		return
	}
	if caller.MustChangePassword && !s.checks.marked(c, "x-before-password-change") {
		fail(c, &Error{Status: http.StatusForbidden, Code: "password_change_required", Detail: "Change your password first."})
		return
	}
	c.Set(callerKey, caller)
	c.Next()
}

// authenticate knows the caller by their API token or, when the request has none, by their cookie. A request with a
// token is never anything by its cookie: that is why it needs no protection against other sites' pages.
func (s *Server) authenticate(c *gin.Context) (identity.Caller, error) {
	ctx := c.Request.Context()
	if token, ok := bearer(c.Request); ok {
		caller, err := s.identity.AuthenticateToken(ctx, token, c.ClientIP())
		if err != nil {
			return identity.Caller{}, err
		}
		if !s.checks.forTokens(c) {
			return identity.Caller{}, &Error{Status: http.StatusForbidden, Code: "token_not_allowed", Detail: "An API token may not do this; sign in with a browser."}
		}
		return caller, nil
	}
	cookie, err := c.Request.Cookie(cookieOf(s.https))
	if err != nil {
		return identity.Caller{}, identity.ErrNotSignedIn
	}
	caller, err := s.identity.Authenticate(ctx, cookie.Value)
	if errors.Is(err, identity.ErrNotSignedIn) {
		http.SetCookie(c.Writer, s.cookie("", -1))
	}
	return caller, err
}

// bearer returns the token of the Authorization header, if there is one of that kind.
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "bearer")
}
