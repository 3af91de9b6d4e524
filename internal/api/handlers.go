package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
)

// handlers answers what openapi.yaml describes. Each handler asks may before it tells or does anything.
type handlers struct {
	identity      Identity
	authorizer    policy.Authorizer
	targets       Targets
	certificates  Certificates
	sessions      Sessions
	recordings    Recordings
	library       Library
	relay         Relay // nil: none
	secureCookies bool
}

var _ apigen.StrictServerInterface = (*handlers)(nil)

// routeAPI registers the handlers below group.
func (s *Server) routeAPI(group *gin.RouterGroup) {
	strict := apigen.NewStrictHandlerWithOptions(&s.handlers, nil, apigen.StrictGinServerOptions{
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
	return policy.Check(ctx, h.authorizer, in.subject, action, resource)
}

// SignIn begins a sign-in and sets its cookie.
func (h *handlers) SignIn(ctx context.Context, r apigen.SignInRequestObject) (apigen.SignInResponseObject, error) {
	ctx, in := enter(ctx)
	signIn, err := h.identity.SignIn(ctx, r.Body.Username, r.Body.Password, in.address, in.token)
	if err != nil {
		return nil, err
	}
	cookie := h.cookie(signIn.Token, int(time.Until(signIn.ExpiresAt).Seconds()))
	return apigen.SignIn200JSONResponse{
		Body:    meOut(signIn.Subject),
		Headers: apigen.SignIn200ResponseHeaders{SetCookie: new(cookie.String())},
	}, nil
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

// cookie makes the browser's cookie; maxAge in seconds, negative to remove it.
func (h *handlers) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: h.secureCookies,
	}
}

// GetMe tells who asks.
func (h *handlers) GetMe(ctx context.Context, _ apigen.GetMeRequestObject) (apigen.GetMeResponseObject, error) {
	_, in := enter(ctx)
	return apigen.GetMe200JSONResponse(meOut(in.subject)), nil
}

func meOut(s policy.Subject) apigen.Me {
	out := apigen.Me{Id: s.ID, Username: s.Name, Permissions: []string{}}
	for _, p := range s.Permissions {
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
