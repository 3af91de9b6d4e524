package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// ListGroups answers with a page of groups.
func (h *handlers) ListGroups(ctx context.Context, r apigen.ListGroupsRequestObject) (apigen.ListGroupsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	limit := valueOr(r.Params.Limit, defaultUserPage)
	list, err := h.users.ListGroups(ctx, store.GroupFilter{Query: valueOr(r.Params.Q, ""), After: valueOr(r.Params.After, ""), Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	out := apigen.ListGroups200JSONResponse{Groups: []apigen.Group{}}
	for _, g := range list[:min(limit, len(list))] {
		out.Groups = append(out.Groups, groupOut(g))
	}
	if len(list) > limit {
		out.Next = &list[limit-1].Name
	}
	return out, nil
}

// CreateGroup adds a group.
func (h *handlers) CreateGroup(ctx context.Context, r apigen.CreateGroupRequestObject) (apigen.CreateGroupResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	g, err := h.users.CreateGroup(ctx, r.Body.Name, valueOr(r.Body.Description, ""))
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "group", g.ID, g.Name)
	return apigen.CreateGroup201JSONResponse{
		Body:    groupOut(g),
		Headers: apigen.CreateGroup201ResponseHeaders{Location: new(BasePath + "/groups/" + g.ID)},
	}, nil
}

// GetGroup answers with one group.
func (h *handlers) GetGroup(ctx context.Context, r apigen.GetGroupRequestObject) (apigen.GetGroupResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	g, err := h.users.Group(ctx, r.GroupParameter)
	return apigen.GetGroup200JSONResponse(groupOut(g)), err
}

// UpdateGroup changes a group.
func (h *handlers) UpdateGroup(ctx context.Context, r apigen.UpdateGroupRequestObject) (apigen.UpdateGroupResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageUsers(ctx, in); err != nil {
		return nil, err
	}
	if r.Body.Name != nil {
		if err := h.notInPolicies(ctx, in, r.GroupParameter, *r.Body.Name); err != nil {
			return nil, err
		}
	}
	g, err := h.users.UpdateGroup(ctx, r.GroupParameter, r.Body.Name, r.Body.Description)
	if err == nil {
		audit.About(ctx, "group", g.ID, g.Name)
	}
	return apigen.UpdateGroup200JSONResponse(groupOut(g)), err
}

// DeleteGroup removes a group.
func (h *handlers) DeleteGroup(ctx context.Context, r apigen.DeleteGroupRequestObject) (apigen.DeleteGroupResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageGroup(ctx, in, r.GroupParameter); err != nil {
		return nil, err
	}
	if err := h.notInPolicies(ctx, in, r.GroupParameter, ""); err != nil {
		return nil, err
	}
	if err := h.users.DeleteGroup(ctx, r.GroupParameter); err != nil {
		return nil, err
	}
	return apigen.DeleteGroup204Response{}, nil
}

// notInPolicies refuses to take the name of a group away that policies know it by: a permit would be lost, and a forbid too.
func (h *handlers) notInPolicies(ctx context.Context, in *call, group, next string) error {
	g, err := h.users.Group(ctx, group)
	if err != nil || g.Name == next {
		return err
	}
	names, err := h.policies.NamingGroup(ctx, g.Name)
	if err != nil || len(names) == 0 {
		return err
	}
	which := ""
	if tell, err := h.permits(ctx, in, policy.ManagePolicies, policy.Resource{Kind: policy.KindSystem}); err != nil {
		return err
	} else if tell {
		which = ": " + strings.Join(names, ", ")
	}
	return &Error{http.StatusConflict, "group_in_policies", fmt.Sprintf("Policies name the group %s%s. Change them first.", g.Name, which), nil}
}

// AddMember makes a user a member of a group.
func (h *handlers) AddMember(ctx context.Context, r apigen.AddMemberRequestObject) (apigen.AddMemberResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageGroup(ctx, in, r.GroupParameter); err != nil {
		return nil, err
	}
	if err := h.users.AddMember(ctx, r.GroupParameter, r.UserParameter); err != nil {
		return nil, err
	}
	return apigen.AddMember204Response{}, nil
}

// RemoveMember ends a membership.
func (h *handlers) RemoveMember(ctx context.Context, r apigen.RemoveMemberRequestObject) (apigen.RemoveMemberResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageGroup(ctx, in, r.GroupParameter); err != nil {
		return nil, err
	}
	if err := h.users.RemoveMember(ctx, r.GroupParameter, r.UserParameter); err != nil {
		return nil, err
	}
	return apigen.RemoveMember204Response{}, nil
}

// manageGroup is manageUsers about a group that has to be there.
func (h *handlers) manageGroup(ctx context.Context, in *call, id string) error {
	if err := h.manageUsers(ctx, in); err != nil {
		return err
	}
	g, err := h.users.Group(ctx, id)
	if err != nil {
		return err
	}
	audit.About(ctx, "group", g.ID, g.Name)
	return nil
}

func groupOut(g store.Group) apigen.Group {
	return apigen.Group{Id: g.ID, Name: g.Name, Description: g.Description, Source: g.Source, Members: g.Members, CreatedAt: g.CreatedAt}
}
