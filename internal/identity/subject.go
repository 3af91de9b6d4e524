package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Caller is who a request is from and by what it is known.
type Caller struct {
	policy.Subject
	SignInID           string // public id of the browser's sign-in; empty with a token
	TokenID            string // id of the API token; empty with a cookie
	MustChangePassword bool   // may do nothing before that
}

// permissionsOf is what roles allow while no policy says otherwise.
func permissionsOf(roles []policy.Role) []policy.Action {
	var out []policy.Action
	for _, action := range policy.All() {
		if slices.ContainsFunc(roles, func(r policy.Role) bool { return roleAllows(r, action) }) {
			out = append(out, action)
		}
	}
	return out
}

func roleAllows(role policy.Role, action policy.Action) bool {
	switch role {
	case policy.Administrator:
		return true
	case policy.Member:
		return slices.Contains([]policy.Action{policy.Connect, policy.ClipboardToTarget, policy.ClipboardFromTarget, policy.RequestAccess}, action)
	case policy.Supervisor:
		return slices.Contains([]policy.Action{
			policy.ViewLive, policy.TakeOver, policy.Freeze, policy.Message, policy.Terminate, policy.LockUser, policy.ApproveAccess,
			policy.ReadRules, policy.ReadAlerts, policy.AcknowledgeAlerts,
		}, action)
	case policy.Reviewer:
		return slices.Contains([]policy.Action{policy.Replay, policy.Export, policy.ReadAudit, policy.ReadRules, policy.ReadAlerts}, action)
	}
	return false
}

// subjectOf is who u is to policy. mfaAt is when the sign-in proved a second factor, zero when it did not.
func (s *Service) subjectOf(ctx context.Context, u store.User, mfaAt time.Time) (policy.Subject, error) {
	m, err := s.users.Memberships(ctx, u.ID)
	if err != nil {
		return policy.Subject{}, fmt.Errorf("identity: %w", err)
	}
	out := policy.Subject{ID: u.ID, Name: u.Name, Roles: rolesOf(m.Roles), Groups: m.Groups, MFAAt: mfaAt}
	if !u.MustChangePassword {
		out.Permissions = permissionsOf(out.Roles)
	}
	return out, nil
}

// Subject is who u is to policy when they are not there: without a sign-in, a second factor or a token. Nobody is who is
// disabled.
func (u User) Subject() policy.Subject {
	if u.Disabled {
		return policy.Subject{}
	}
	roles := rolesOf(u.Roles)
	return policy.Subject{ID: u.ID, Name: u.Name, Roles: roles, Groups: u.Groups, Permissions: permissionsOf(roles)}
}

func rolesOf(names []string) []policy.Role {
	var out []policy.Role
	for _, n := range names {
		out = append(out, policy.Role(n))
	}
	return out
}

func roleNames(roles []policy.Role) []string {
	var out []string
	for _, r := range roles {
		out = append(out, string(r))
	}
	return out
}
