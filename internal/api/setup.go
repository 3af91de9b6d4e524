package api

import (
	"context"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
)

// Setup is the way in to a gateway without any user.
type Setup interface {
	SetupNeeded(ctx context.Context) (bool, error)
	Setup(ctx context.Context, code string, n identity.NewUser, source, userAgent, previous string) (identity.SignIn, error)
}

// GetSetup tells whether there is no user yet.
func (h *handlers) GetSetup(ctx context.Context, _ apigen.GetSetupRequestObject) (apigen.GetSetupResponseObject, error) {
	ctx, _ = enter(ctx)
	needed, err := h.setup.SetupNeeded(ctx)
	return apigen.GetSetup200JSONResponse{Needed: needed}, err
}

// SetUp makes the first user and signs them in.
func (h *handlers) SetUp(ctx context.Context, r apigen.SetUpRequestObject) (apigen.SetUpResponseObject, error) {
	ctx, in := enter(ctx)
	n := identity.NewUser{Name: r.Body.Username, DisplayName: valueOr(r.Body.DisplayName, ""), Password: r.Body.Password}
	signIn, err := h.setup.Setup(ctx, r.Body.Code, n, in.address, in.request.UserAgent(), in.token)
	if err != nil {
		return nil, err
	}
	audit.By(ctx, actorOf(signIn.Subject))
	me, err := h.me(ctx, signIn.Subject)
	if err != nil {
		return nil, err
	}
	return apigen.SetUp200JSONResponse{
		Body:    me,
		Headers: apigen.SetUp200ResponseHeaders{SetCookie: new(h.signInCookie(signIn))},
	}, nil
}
