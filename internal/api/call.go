package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// cookieName is the browser's sign-in, as openapi.yaml names it.
const cookieName = "vitrine_session"

// call is what a handler knows of its request besides the typed parameters.
type call struct {
	subject policy.Subject // who asks; the zero value where sign-in is not needed
	address string         // the client's IP address, as trusted proxies tell it
	token   string         // the cookie; never to be logged
	request *http.Request
	writer  http.ResponseWriter
}

// enter returns the request's own context, which is safe to keep, unlike gin's, and the call.
func enter(ctx context.Context) (context.Context, *call) {
	c := ctx.(*gin.Context) // the generated server passes nothing else
	in := &call{address: c.ClientIP(), request: c.Request, writer: c.Writer}
	if cookie, err := c.Request.Cookie(cookieName); err == nil {
		in.token = cookie.Value
	}
	if subject, ok := c.Get(subjectKey); ok {
		in.subject = subject.(policy.Subject)
	}
	return c.Request.Context(), in
}

// subjectKey is where signedIn leaves the subject in gin's context.
const subjectKey = "vitrine.subject"

// signedIn finds out who asks, unless the operation is open to all by its document.
func (s *Server) signedIn(c *gin.Context) {
	if s.checks.open(c) {
		c.Next()
		return
	}
	cookie, err := c.Request.Cookie(cookieName)
	if err != nil {
		fail(c, identity.ErrNotSignedIn)
		return
	}
	subject, err := s.identity.Authenticate(c.Request.Context(), cookie.Value)
	if err != nil {
		if errors.Is(err, identity.ErrNotSignedIn) {
			http.SetCookie(c.Writer, s.cookie("", -1))
		}
		fail(c, err)
		return
	}
	c.Set(subjectKey, subject)
	c.Next()
}
