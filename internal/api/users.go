package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Users is the administration of users and groups, and everybody's own account.
type Users interface {
	Account
	ListUsers(ctx context.Context, f store.UserFilter) ([]identity.User, error)
	CreateUser(ctx context.Context, n identity.NewUser) (identity.User, error)
	DeleteUser(ctx context.Context, id string) error
	SetPassword(ctx context.Context, id, password string, mustChange bool) error
	Unlock(ctx context.Context, id string) error

	ListGroups(ctx context.Context, f store.GroupFilter) ([]store.Group, error)
	Group(ctx context.Context, id string) (store.Group, error)
	CreateGroup(ctx context.Context, name, description string) (store.Group, error)
	UpdateGroup(ctx context.Context, id string, name, description *string) (store.Group, error)
	DeleteGroup(ctx context.Context, id string) error
	AddMember(ctx context.Context, group, user string) error
	RemoveMember(ctx context.Context, group, user string) error
}

// manageUsers asks whether the caller may administer users, before anything is looked up: whoever may not learns nothing
// of who there is.
func (h *handlers) manageUsers(ctx context.Context, in *call) error {
	return h.may(ctx, in, policy.ManageUsers, policy.Resource{Kind: policy.KindSystem})
}

// manageUser is manageUsers about a user who has to be there.
func (h *handlers) manageUser(ctx context.Context, in *call, id string) (identity.User, error) {
	if err := h.manageUsers(ctx, in); err != nil {
		return identity.User{}, err
	}
	u, err := h.users.User(ctx, id)
	if err != nil {
		return identity.User{}, err
	}
	audit.About(ctx, "user", u.ID, u.Name)
	return u, nil
}

// ListUsers answers with a page of users.
func (h *handlers) ListUsers(ctx context.Context, r apigen.ListUsersRequestObject) (apigen.ListUsersResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	limit := valueOr(r.Params.Limit, defaultUserPage)
	list, err := h.users.ListUsers(ctx, store.UserFilter{
		Query: valueOr(r.Params.Q, ""), Role: string(valueOr(r.Params.Role, "")), Group: valueOr(r.Params.Group, ""),
		After: valueOr(r.Params.After, ""), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := apigen.ListUsers200JSONResponse{Users: []apigen.User{}}
	for _, u := range list[:min(limit, len(list))] {
		out.Users = append(out.Users, userOut(u))
	}
	if len(list) > limit {
		out.Next = &list[limit-1].Name
	}
	return out, nil
}

// CreateUser adds a local user.
func (h *handlers) CreateUser(ctx context.Context, r apigen.CreateUserRequestObject) (apigen.CreateUserResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	n := identity.NewUser{
		Name: r.Body.Username, DisplayName: valueOr(r.Body.DisplayName, ""), Email: valueOr(r.Body.Email, ""),
		Password: valueOr(r.Body.Password, ""), MustChangePassword: true,
		Roles: rolesIn(valueOr(r.Body.Roles, nil)), Groups: valueOr(r.Body.Groups, nil),
	}
	var shown *string
	if n.Password == "" {
		n.Password = identity.NewPassword()
		shown = &n.Password
	}
	u, err := h.users.CreateUser(ctx, n)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "user", u.ID, u.Name)
	audit.Detail(ctx, "roles", strings.Join(u.Roles, " "))
	return apigen.CreateUser201JSONResponse{
		Body:    apigen.CreatedUser{User: userOut(u), Password: shown},
		Headers: apigen.CreateUser201ResponseHeaders{Location: new(BasePath + "/users/" + u.ID)},
	}, nil
}

// GetUser answers with one user.
func (h *handlers) GetUser(ctx context.Context, r apigen.GetUserRequestObject) (apigen.GetUserResponseObject, error) {
	ctx, in := enter(ctx)
	u, err := h.manageUser(ctx, in, r.UserParameter)
	if err != nil {
		return nil, err
	}
	return apigen.GetUser200JSONResponse(userOut(u)), nil
}

// UpdateUser changes a user.
func (h *handlers) UpdateUser(ctx context.Context, r apigen.UpdateUserRequestObject) (apigen.UpdateUserResponseObject, error) {
	ctx, in := enter(ctx)
	was, err := h.manageUser(ctx, in, r.UserParameter)
	if err != nil {
		return nil, err
	}
	c := identity.Change{DisplayName: r.Body.DisplayName, Email: r.Body.Email, Disabled: r.Body.Disabled, Groups: r.Body.Groups}
	if r.Body.Roles != nil {
		c.Roles = new(rolesIn(*r.Body.Roles))
	}
	u, err := h.users.UpdateUser(ctx, r.UserParameter, c)
	if err != nil {
		return nil, err
	}
	for what, now := range map[string][2]string{
		"roles":    {strings.Join(was.Roles, " "), strings.Join(u.Roles, " ")},
		"groups":   {strings.Join(was.Groups, ", "), strings.Join(u.Groups, ", ")},
		"disabled": {strconv.FormatBool(was.Disabled), strconv.FormatBool(u.Disabled)},
	} {
		if now[0] != now[1] {
			audit.Detail(ctx, what+"_before", now[0])
			audit.Detail(ctx, what, now[1])
		}
	}
	return apigen.UpdateUser200JSONResponse(userOut(u)), nil
}

// DeleteUser removes a user.
func (h *handlers) DeleteUser(ctx context.Context, r apigen.DeleteUserRequestObject) (apigen.DeleteUserResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	if err := h.users.DeleteUser(ctx, r.UserParameter); err != nil {
		return nil, err
	}
	return apigen.DeleteUser204Response{}, nil
}

// ResetPassword gives a user a new password to begin with.
func (h *handlers) ResetPassword(ctx context.Context, r apigen.ResetPasswordRequestObject) (apigen.ResetPasswordResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	password := identity.NewPassword()
	if err := h.users.SetPassword(ctx, r.UserParameter, password, true); err != nil {
		return nil, err
	}
	return apigen.ResetPassword200JSONResponse{Password: password}, nil
}

// UnlockUser ends the wait after failed tries.
func (h *handlers) UnlockUser(ctx context.Context, r apigen.UnlockUserRequestObject) (apigen.UnlockUserResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	if err := h.users.Unlock(ctx, r.UserParameter); err != nil {
		return nil, err
	}
	return apigen.UnlockUser204Response{}, nil
}

// ListSignIns answers with the browsers a user is signed in with.
func (h *handlers) ListSignIns(ctx context.Context, r apigen.ListSignInsRequestObject) (apigen.ListSignInsResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	list, err := h.signInsOf(ctx, in, r.UserParameter)
	return apigen.ListSignIns200JSONResponse{SignIns: list}, err
}

// RevokeSignIns ends every sign-in of a user.
func (h *handlers) RevokeSignIns(ctx context.Context, r apigen.RevokeSignInsRequestObject) (apigen.RevokeSignInsResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	if err := h.users.RevokeSignIns(ctx, r.UserParameter, ""); err != nil {
		return nil, err
	}
	return apigen.RevokeSignIns204Response{}, nil
}

// RevokeSignIn ends one sign-in of a user.
func (h *handlers) RevokeSignIn(ctx context.Context, r apigen.RevokeSignInRequestObject) (apigen.RevokeSignInResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	if err := h.users.RevokeSignIn(ctx, r.UserParameter, r.SignInParameter); err != nil {
		return nil, err
	}
	return apigen.RevokeSignIn204Response{}, nil
}

// ListTokens answers with a user's API tokens.
func (h *handlers) ListTokens(ctx context.Context, r apigen.ListTokensRequestObject) (apigen.ListTokensResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	list, err := h.tokensOf(ctx, r.UserParameter)
	return apigen.ListTokens200JSONResponse{Tokens: list}, err
}

// RevokeToken ends one of a user's API tokens.
func (h *handlers) RevokeToken(ctx context.Context, r apigen.RevokeTokenRequestObject) (apigen.RevokeTokenResponseObject, error) {
	ctx, in := enter(ctx)
	if _, err := h.manageUser(ctx, in, r.UserParameter); err != nil {
		return nil, err
	}
	if err := h.users.RevokeToken(ctx, r.UserParameter, r.TokenParameter); err != nil {
		return nil, err
	}
	return apigen.RevokeToken204Response{}, nil
}

func rolesIn(list []apigen.Role) []policy.Role {
	out := []policy.Role{}
	for _, r := range list {
		out = append(out, policy.Role(r))
	}
	return out
}

func userOut(u identity.User) apigen.User {
	out := apigen.User{
		Id: u.ID, Username: u.Name, DisplayName: u.DisplayName, Email: u.Email, Source: u.Source, Disabled: u.Disabled,
		MustChangePassword: u.MustChangePassword, Roles: rolesOut(u.Roles), GivenRoles: rolesOut(u.GivenRoles),
		Groups: []apigen.Membership{}, CreatedAt: u.CreatedAt, LastSignInAt: timeOut(u.LastSignInAt),
	}
	if u.Locked(time.Now()) {
		out.LockedUntil = &u.LockedUntil
	}
	for i, id := range u.GroupIDs {
		out.Groups = append(out.Groups, apigen.Membership{Id: id, Name: u.Groups[i], Given: slices.Contains(u.GivenGroups, id)})
	}
	return out
}
