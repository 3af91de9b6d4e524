package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Account is what people do to what is their own. Ids are those of users.
type Account interface {
	User(ctx context.Context, id string) (identity.User, error)
	UpdateUser(ctx context.Context, id string, c identity.Change) (identity.User, error)
	ChangePassword(ctx context.Context, id, old, password, source, keep string) error
	SignIns(ctx context.Context, user string) ([]store.BrowserSession, error)
	RevokeSignIn(ctx context.Context, user, id string) error
	RevokeSignIns(ctx context.Context, user, keep string) error
	CreateToken(ctx context.Context, user string, n identity.NewToken) (store.APIToken, string, error)
	Tokens(ctx context.Context, user string) ([]store.APIToken, error)
	RevokeToken(ctx context.Context, user, id string) error
}

// GetMe tells who asks.
func (h *handlers) GetMe(ctx context.Context, _ apigen.GetMeRequestObject) (apigen.GetMeResponseObject, error) {
	ctx, in := enter(ctx)
	me, err := h.me(ctx, in.caller.Subject)
	return apigen.GetMe200JSONResponse(me), err
}

// UpdateMe changes what the caller is called.
func (h *handlers) UpdateMe(ctx context.Context, r apigen.UpdateMeRequestObject) (apigen.UpdateMeResponseObject, error) {
	ctx, in := enter(ctx)
	u, err := h.users.User(ctx, in.subject.ID)
	if err != nil {
		return nil, err
	}
	if u.Source != store.SourceLocal {
		return nil, &Error{http.StatusConflict, "managed_elsewhere", "Your profile comes from where you sign in, and is changed there.", nil}
	}
	if _, err := h.users.UpdateUser(ctx, u.ID, identity.Change{DisplayName: r.Body.DisplayName, Email: r.Body.Email}); err != nil {
		return nil, err
	}
	me, err := h.me(ctx, in.subject)
	return apigen.UpdateMe200JSONResponse(me), err
}

// ChangeMyPassword replaces the caller's password.
func (h *handlers) ChangeMyPassword(ctx context.Context, r apigen.ChangeMyPasswordRequestObject) (apigen.ChangeMyPasswordResponseObject, error) {
	ctx, in := enter(ctx)
	err := h.users.ChangePassword(ctx, in.subject.ID, r.Body.CurrentPassword, r.Body.NewPassword, in.address, in.token)
	if errors.Is(err, identity.ErrBadCredentials) {
		// Not a 401: the sign-in is as good as before.
		return nil, &Error{http.StatusUnprocessableEntity, "current_password_wrong", "The current password is wrong.", err}
	}
	if err != nil {
		return nil, err
	}
	return apigen.ChangeMyPassword204Response{}, nil
}

// ListMySignIns answers with the browsers the caller is signed in with.
func (h *handlers) ListMySignIns(ctx context.Context, _ apigen.ListMySignInsRequestObject) (apigen.ListMySignInsResponseObject, error) {
	ctx, in := enter(ctx)
	list, err := h.signInsOf(ctx, in, in.subject.ID)
	return apigen.ListMySignIns200JSONResponse{SignIns: list}, err
}

// RevokeMySignIn ends one sign-in of the caller.
func (h *handlers) RevokeMySignIn(ctx context.Context, r apigen.RevokeMySignInRequestObject) (apigen.RevokeMySignInResponseObject, error) {
	ctx, in := enter(ctx)
	audit.About(ctx, "sign_in", r.SignInParameter, "")
	if err := h.users.RevokeSignIn(ctx, in.subject.ID, r.SignInParameter); err != nil {
		return nil, err
	}
	return apigen.RevokeMySignIn204Response{}, nil
}

// RevokeMyOtherSignIns ends every sign-in of the caller but the one that asks.
func (h *handlers) RevokeMyOtherSignIns(ctx context.Context, _ apigen.RevokeMyOtherSignInsRequestObject) (apigen.RevokeMyOtherSignInsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.users.RevokeSignIns(ctx, in.subject.ID, in.token); err != nil {
		return nil, err
	}
	return apigen.RevokeMyOtherSignIns204Response{}, nil
}

// ListMyTokens answers with the caller's API tokens.
func (h *handlers) ListMyTokens(ctx context.Context, _ apigen.ListMyTokensRequestObject) (apigen.ListMyTokensResponseObject, error) {
	ctx, in := enter(ctx)
	list, err := h.tokensOf(ctx, in.subject.ID)
	return apigen.ListMyTokens200JSONResponse{Tokens: list}, err
}

// CreateToken makes an API token for the caller.
func (h *handlers) CreateToken(ctx context.Context, r apigen.CreateTokenRequestObject) (apigen.CreateTokenResponseObject, error) {
	ctx, in := enter(ctx)
	n := identity.NewToken{Name: r.Body.Name, ExpiresAt: r.Body.ExpiresAt}
	for _, s := range r.Body.Scopes {
		n.Scopes = append(n.Scopes, policy.Action(s))
	}
	t, secret, err := h.users.CreateToken(ctx, in.subject.ID, n)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "token", t.ID, t.Name)
	audit.Detail(ctx, "scopes", strings.Join(t.Scopes, " "))
	audit.Detail(ctx, "expires_at", t.ExpiresAt.UTC().Format(time.RFC3339))
	return apigen.CreateToken201JSONResponse{Token: tokenOut(t), Secret: secret}, nil
}

// RevokeMyToken ends one of the caller's API tokens.
func (h *handlers) RevokeMyToken(ctx context.Context, r apigen.RevokeMyTokenRequestObject) (apigen.RevokeMyTokenResponseObject, error) {
	ctx, in := enter(ctx)
	audit.About(ctx, "token", r.TokenParameter, "")
	if err := h.users.RevokeToken(ctx, in.subject.ID, r.TokenParameter); err != nil {
		return nil, err
	}
	return apigen.RevokeMyToken204Response{}, nil
}

// me is what a person sees of themselves.
func (h *handlers) me(ctx context.Context, s policy.Subject) (apigen.Me, error) {
	out := h.meOut(s)
	u, err := h.users.User(ctx, s.ID)
	if err != nil {
		return apigen.Me{}, err
	}
	out.DisplayName, out.Email, out.Source = optional(u.DisplayName), optional(u.Email), &u.Source
	out.Roles, out.Groups = new(rolesOut(u.Roles)), new(orEmpty(u.Groups))
	out.MustChangePassword, out.LastSignInAt = &u.MustChangePassword, timeOut(u.LastSignInAt)
	return out, nil
}

func (h *handlers) signInsOf(ctx context.Context, in *call, user string) ([]apigen.BrowserSignIn, error) {
	list, err := h.users.SignIns(ctx, user)
	if err != nil {
		return nil, err
	}
	out := make([]apigen.BrowserSignIn, 0, len(list))
	for _, b := range list {
		out = append(out, apigen.BrowserSignIn{
			Id: b.ID, CreatedAt: b.CreatedAt, SeenAt: b.SeenAt, ExpiresAt: b.ExpiresAt, MfaAt: timeOut(b.MFAAt),
			Method: b.Method, Address: b.Address, UserAgent: b.UserAgent, Current: b.ID == in.caller.SignInID,
		})
	}
	return out, nil
}

func (h *handlers) tokensOf(ctx context.Context, user string) ([]apigen.Token, error) {
	list, err := h.users.Tokens(ctx, user)
	if err != nil {
		return nil, err
	}
	out := make([]apigen.Token, 0, len(list))
	for _, t := range list {
		out = append(out, tokenOut(t))
	}
	return out, nil
}

func tokenOut(t store.APIToken) apigen.Token {
	return apigen.Token{
		Id: t.ID, Name: t.Name, Scopes: t.Scopes, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
		LastUsedAt: timeOut(t.LastUsedAt), LastAddress: optional(t.LastAddress),
	}
}

func rolesOut(names []string) []apigen.Role {
	out := make([]apigen.Role, 0, len(names))
	for _, n := range names {
		out = append(out, apigen.Role(n))
	}
	return out
}

// timeOut leaves out the zero time.
func timeOut(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// orEmpty is an empty list in the place of none.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
