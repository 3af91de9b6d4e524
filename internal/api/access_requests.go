package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Access keeps access requests and grants. What it refuses it says with accessrequest's errors.
type Access interface {
	Request(ctx context.Context, a accessrequest.Ask) (accessrequest.Request, error)
	BreakGlass(ctx context.Context, a accessrequest.Ask, source string) (accessrequest.Request, error)
	Approve(ctx context.Context, id string, by accessrequest.Person, shorter accessrequest.Shorter, note string, revision int64) (accessrequest.Request, error)
	Deny(ctx context.Context, id string, by accessrequest.Person, note string, revision int64) (accessrequest.Request, error)
	Review(ctx context.Context, id string, by accessrequest.Person, note string, revision int64) (accessrequest.Request, error)
	Cancel(ctx context.Context, id string, by accessrequest.Person, revision int64) (accessrequest.Request, error)
	Get(ctx context.Context, id string) (accessrequest.Request, error)
	List(ctx context.Context, f store.AccessRequestFilter) ([]accessrequest.Request, error)
	Grant(ctx context.Context, id string) (accessrequest.Grant, error)
	Grants(ctx context.Context, f store.AccessGrantFilter) ([]accessrequest.Grant, error)
	End(ctx context.Context, id string, by accessrequest.Person, note string) (accessrequest.Grant, error)
	AccessRules() accessrequest.Rules
}

// GetAccessRules tells what a request for a target must hold.
func (h *handlers) GetAccessRules(ctx context.Context, r apigen.GetAccessRulesRequestObject) (apigen.GetAccessRulesResponseObject, error) {
	ctx, in := enter(ctx)
	_, _, resource, err := h.asked(ctx, in, r.Params.TargetId, valueOr(r.Params.Account, ""))
	if err != nil {
		return nil, err
	}
	out := apigen.GetAccessRules200JSONResponse{}
	if out.MayRequest, err = h.permits(ctx, in, policy.RequestAccess, resource); err != nil {
		return nil, err
	}
	if out.MayBreakGlass, err = h.permits(ctx, in, policy.BreakGlass, resource); err != nil {
		return nil, err
	}
	must, err := h.approvalOf(ctx, in, resource, time.Time{})
	if err != nil {
		return nil, err
	}
	rules := h.access.AccessRules()
	out.MaxWindowS, out.MaxAheadS = int64(rules.MaxWindow.Seconds()), int64(rules.MaxAhead.Seconds())
	out.BreakGlassS, out.ReasonMin = int64(rules.BreakGlass.Seconds()), rules.ReasonMin
	out.TicketNeeded, out.Approvals = rules.TicketRequired || must.TicketNeeded, max(1, rules.Approvals, must.Approvals)
	if rules.TicketPattern != nil {
		out.TicketPattern = new(rules.TicketPattern.String())
	}
	return out, nil
}

// CreateAccessRequest asks for access to a target.
func (h *handlers) CreateAccessRequest(ctx context.Context, r apigen.CreateAccessRequestRequestObject) (apigen.CreateAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	b := r.Body
	ask := accessrequest.Ask{
		Account: valueOr(b.Account, ""), Reason: b.Reason, Ticket: valueOr(b.Ticket, ""), Once: valueOr(b.Once, false),
		From: valueOr(b.From, time.Time{}), Until: valueOr(b.Until, time.Time{}), Duration: time.Duration(valueOr(b.DurationS, 0)) * time.Second,
	}
	resource, err := h.askFor(ctx, in, policy.RequestAccess, b.TargetId, &ask)
	if err != nil {
		return nil, err
	}
	must, err := h.approvalOf(ctx, in, resource, ask.From)
	if err != nil {
		return nil, err
	}
	ask.Approvals, ask.NeedTicket = must.Approvals, must.TicketNeeded
	q, err := h.access.Request(ctx, ask)
	if err != nil {
		return nil, err
	}
	aboutRequest(ctx, &q)
	return apigen.CreateAccessRequest201JSONResponse{
		Body:    requestOut(&q, in),
		Headers: apigen.CreateAccessRequest201ResponseHeaders{Location: new(BasePath + "/access-requests/" + q.ID)},
	}, nil
}

// BreakGlass takes access without the approval that is needed.
func (h *handlers) BreakGlass(ctx context.Context, r apigen.BreakGlassRequestObject) (apigen.BreakGlassResponseObject, error) {
	ctx, in := enter(ctx)
	ask := accessrequest.Ask{Account: valueOr(r.Body.Account, ""), Reason: r.Body.Reason, Ticket: valueOr(r.Body.Ticket, "")}
	if _, err := h.askFor(ctx, in, policy.BreakGlass, r.Body.TargetId, &ask); err != nil {
		return nil, err
	}
	q, err := h.access.BreakGlass(ctx, ask, in.address)
	if err != nil {
		return nil, err
	}
	aboutRequest(ctx, &q)
	return apigen.BreakGlass201JSONResponse{
		Body:    requestOut(&q, in),
		Headers: apigen.BreakGlass201ResponseHeaders{Location: new(BasePath + "/access-requests/" + q.ID)},
	}, nil
}

// asked returns what somebody asks about, as policy sees it, or that there is no such thing for them.
func (h *handlers) asked(ctx context.Context, in *call, targetID, account string) (target.Target, target.Account, policy.Resource, error) {
	t, view, err := h.visibleTarget(ctx, in, targetID)
	if err != nil {
		return target.Target{}, target.Account{}, policy.Resource{}, err
	}
	a, err := t.Account(account)
	if errors.Is(err, target.ErrWhichAccount) && len(view.accounts) == 1 {
		for id := range view.accounts { // of several, the only one for the caller
			a, err = t.Account(id)
		}
	}
	if err != nil {
		return target.Target{}, target.Account{}, policy.Resource{}, err
	}
	if _, known := view.accounts[a.ID]; !known && !view.manage {
		return target.Target{}, target.Account{}, policy.Resource{}, target.ErrUnknownAccount
	}
	return t, a, connectResource(&t, a), nil
}

// askFor fills in who asks and for what, if they may.
func (h *handlers) askFor(ctx context.Context, in *call, action policy.Action, targetID string, ask *accessrequest.Ask) (policy.Resource, error) {
	t, a, resource, err := h.asked(ctx, in, targetID, ask.Account)
	if err != nil {
		return policy.Resource{}, err
	}
	if err := h.may(ctx, in, action, resource); err != nil {
		return policy.Resource{}, err
	}
	ask.Person, ask.TargetID, ask.TargetName, ask.Account = person(in), t.ID, t.Name, a.Name
	return resource, nil
}

// permits is may for a question that is no act.
func (h *handlers) permits(ctx context.Context, in *call, action policy.Action, resource policy.Resource) (bool, error) {
	err := h.may(ctx, in, action, resource)
	if _, denied := errors.AsType[*policy.DeniedError](err); denied {
		return false, nil
	}
	return err == nil, err
}

// approvalOf returns what policy obliges an approved connection to at that moment (zero: now).
func (h *handlers) approvalOf(ctx context.Context, in *call, resource policy.Resource, at time.Time) (policy.Obligations, error) {
	q := in.query(policy.Connect, resource)
	q.Circumstances.Approved = true
	if !at.IsZero() {
		q.Circumstances.Time = at
	}
	d, err := h.authorizer.Authorize(ctx, q)
	return d.Obligations, err
}

// ListAccessRequests answers with the caller's requests, or those of others they may decide on.
func (h *handlers) ListAccessRequests(ctx context.Context, r apigen.ListAccessRequestsRequestObject) (apigen.ListAccessRequestsResponseObject, error) {
	ctx, in := enter(ctx)
	f := store.AccessRequestFilter{Before: valueOr(r.Params.Before, ""), Limit: valueOr(r.Params.Limit, defaultRequestPage)}
	switch valueOr(r.Params.State, apigen.ListAccessRequestsParamsStateAll) {
	case apigen.ListAccessRequestsParamsStateOpen:
		f.States = []string{accessrequest.StatePending, accessrequest.StateNeedsReview}
	case apigen.ListAccessRequestsParamsStateClosed:
		f.States = []string{
			accessrequest.StateApproved, accessrequest.StateDenied, accessrequest.StateCancelled, accessrequest.StateExpired, accessrequest.StateReviewed,
		}
	}
	if valueOr(r.Params.View, apigen.ListAccessRequestsParamsViewOwn) == apigen.ListAccessRequestsParamsViewOwn {
		if err := in.scoped(policy.RequestAccess); err != nil {
			return nil, err
		}
		f.UserID = in.subject.ID
	} else {
		f.NotOf = in.subject.ID
	}
	out := apigen.ListAccessRequests200JSONResponse{Requests: []apigen.AccessRequest{}}
	for range maxPagesLooked {
		list, err := h.access.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			f.Before = list[i].ID
			if f.UserID == "" {
				yes, err := h.mayDecide(ctx, in, requestResource(&list[i]))
				if err != nil {
					return nil, err
				}
				if !yes {
					continue
				}
			}
			if out.Requests = append(out.Requests, requestOut(&list[i], in)); len(out.Requests) == f.Limit {
				out.Next = &f.Before
				return out, nil
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
	}
	out.Next = &f.Before // there may be more, which the caller may or may not see
	return out, nil
}

// GetAccessRequest answers with one request.
func (h *handlers) GetAccessRequest(ctx context.Context, r apigen.GetAccessRequestRequestObject) (apigen.GetAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	q, err := h.visibleRequest(ctx, in, r.AccessRequestParameter)
	if err != nil {
		return nil, err
	}
	return apigen.GetAccessRequest200JSONResponse(requestOut(&q, in)), nil
}

// ApproveAccessRequest says yes.
func (h *handlers) ApproveAccessRequest(ctx context.Context, r apigen.ApproveAccessRequestRequestObject) (apigen.ApproveAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	b := r.Body
	q, err := h.decide(ctx, in, r.AccessRequestParameter, func() (accessrequest.Request, error) {
		return h.access.Approve(ctx, r.AccessRequestParameter, person(in), accessrequest.Shorter{
			From: valueOr(b.From, time.Time{}), Until: valueOr(b.Until, time.Time{}), Duration: time.Duration(valueOr(b.DurationS, 0)) * time.Second,
		}, valueOr(b.Note, ""), b.Revision)
	})
	return apigen.ApproveAccessRequest200JSONResponse(q), err
}

// DenyAccessRequest says no.
func (h *handlers) DenyAccessRequest(ctx context.Context, r apigen.DenyAccessRequestRequestObject) (apigen.DenyAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	q, err := h.decide(ctx, in, r.AccessRequestParameter, func() (accessrequest.Request, error) {
		return h.access.Deny(ctx, r.AccessRequestParameter, person(in), r.Body.Note, r.Body.Revision)
	})
	return apigen.DenyAccessRequest200JSONResponse(q), err
}

// ReviewAccessRequest closes what a broken glass has left.
func (h *handlers) ReviewAccessRequest(ctx context.Context, r apigen.ReviewAccessRequestRequestObject) (apigen.ReviewAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	q, err := h.decide(ctx, in, r.AccessRequestParameter, func() (accessrequest.Request, error) {
		return h.access.Review(ctx, r.AccessRequestParameter, person(in), r.Body.Note, r.Body.Revision)
	})
	return apigen.ReviewAccessRequest200JSONResponse(q), err
}

// CancelAccessRequest takes back a request of the caller's own.
func (h *handlers) CancelAccessRequest(ctx context.Context, r apigen.CancelAccessRequestRequestObject) (apigen.CancelAccessRequestResponseObject, error) {
	ctx, in := enter(ctx)
	if err := in.scoped(policy.RequestAccess); err != nil {
		return nil, err
	}
	q, err := h.access.Cancel(ctx, r.AccessRequestParameter, person(in), r.Body.Revision)
	if err != nil {
		return nil, err
	}
	aboutRequest(ctx, &q)
	return apigen.CancelAccessRequest200JSONResponse(requestOut(&q, in)), nil
}

// decide calls act if the caller may decide on that request: never on one of their own, whatever their policies say.
func (h *handlers) decide(ctx context.Context, in *call, id string, act func() (accessrequest.Request, error)) (apigen.AccessRequest, error) {
	q, err := h.visibleRequest(ctx, in, id)
	if err != nil {
		return apigen.AccessRequest{}, err
	}
	aboutRequest(ctx, &q)
	if q.UserID == in.subject.ID {
		return apigen.AccessRequest{}, accessrequest.ErrOwn
	}
	if q, err = act(); err != nil {
		return apigen.AccessRequest{}, err
	}
	aboutRequest(ctx, &q)
	return requestOut(&q, in), nil
}

// visibleRequest returns a request to its requester and to those who may decide on it. For others there is none.
func (h *handlers) visibleRequest(ctx context.Context, in *call, id string) (accessrequest.Request, error) {
	q, err := h.access.Get(ctx, id)
	if err != nil {
		return q, err
	}
	if q.UserID == in.subject.ID {
		return q, in.scoped(policy.RequestAccess)
	}
	yes, err := h.mayDecide(ctx, in, requestResource(&q))
	if err == nil && !yes {
		err = accessrequest.ErrNotFound
	}
	return q, err
}

// mayDecide tells whether the caller may decide on access to what resource is about. A target that is gone has no tags.
func (h *handlers) mayDecide(ctx context.Context, in *call, resource policy.Resource) (bool, error) {
	t, err := h.targets.Get(ctx, resource.Target)
	switch {
	case err == nil:
		resource.Tags = tagsOf(&t, resource.Account)
	case !errors.Is(err, target.ErrNotFound):
		return false, err
	}
	return h.permits(ctx, in, policy.ApproveAccess, resource)
}

// ListAccessGrants answers with the caller's grants, or those of others they may decide on.
func (h *handlers) ListAccessGrants(ctx context.Context, r apigen.ListAccessGrantsRequestObject) (apigen.ListAccessGrantsResponseObject, error) {
	ctx, in := enter(ctx)
	f := store.AccessGrantFilter{Before: valueOr(r.Params.Before, ""), Limit: valueOr(r.Params.Limit, defaultRequestPage)}
	switch valueOr(r.Params.State, apigen.ListAccessGrantsParamsStateOpen) {
	case apigen.ListAccessGrantsParamsStateOpen:
		f.States = []string{accessrequest.GrantActive, accessrequest.GrantUsedUp}
	case apigen.ListAccessGrantsParamsStateClosed:
		f.States = []string{accessrequest.GrantEnded, accessrequest.GrantExpired}
	}
	own := valueOr(r.Params.View, apigen.ListAccessGrantsParamsViewOwn) == apigen.ListAccessGrantsParamsViewOwn
	if own {
		if err := in.scoped(policy.RequestAccess, policy.Connect); err != nil {
			return nil, err
		}
		f.UserID = in.subject.ID
	}
	out := apigen.ListAccessGrants200JSONResponse{Grants: []apigen.AccessGrant{}}
	for range maxPagesLooked {
		list, err := h.access.Grants(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			f.Before = list[i].ID
			if !own {
				if list[i].UserID == in.subject.ID {
					continue
				}
				yes, err := h.mayDecide(ctx, in, grantResource(&list[i]))
				if err != nil {
					return nil, err
				}
				if !yes {
					continue
				}
			}
			if out.Grants = append(out.Grants, grantOut(&list[i], in)); len(out.Grants) == f.Limit {
				out.Next = &f.Before
				return out, nil
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
	}
	out.Next = &f.Before
	return out, nil
}

// EndAccessGrant ends a grant before its time: one's own, or one that one may decide on.
func (h *handlers) EndAccessGrant(ctx context.Context, r apigen.EndAccessGrantRequestObject) (apigen.EndAccessGrantResponseObject, error) {
	ctx, in := enter(ctx)
	g, err := h.access.Grant(ctx, r.AccessGrantParameter)
	if err != nil {
		return nil, err
	}
	if g.UserID == in.subject.ID {
		if err := in.scoped(policy.RequestAccess); err != nil {
			return nil, err
		}
	} else {
		yes, err := h.mayDecide(ctx, in, grantResource(&g))
		if err != nil {
			return nil, err
		}
		if !yes {
			return nil, accessrequest.ErrNotFound
		}
	}
	audit.About(ctx, "access_grant", g.ID, g.TargetName)
	audit.Detail(ctx, "user_name", g.UserName)
	audit.Detail(ctx, "target_id", g.TargetID)
	if g, err = h.access.End(ctx, g.ID, person(in), valueOr(r.Body.Note, "")); err != nil {
		return nil, err
	}
	return apigen.EndAccessGrant200JSONResponse(grantOut(&g, in)), nil
}

// aboutRequest says in the audit log what an act on a request was about.
func aboutRequest(ctx context.Context, q *accessrequest.Request) {
	audit.About(ctx, "access_request", q.ID, q.TargetName)
	for key, value := range map[string]string{
		"user_name": q.UserName, "target_id": q.TargetID, "account": q.Account, "state": q.State, "ticket": q.Ticket, "reason": q.Reason,
		"from": q.From.Format(time.RFC3339), "until": q.Until.Format(time.RFC3339), "grant_id": q.GrantID,
	} {
		if value != "" {
			audit.Detail(ctx, key, value)
		}
	}
}

func person(in *call) accessrequest.Person {
	return accessrequest.Person{ID: in.subject.ID, Name: in.subject.Name}
}

// accountResource is a target with an account that somebody named, which may not be there.
// tagsOf are the tags of a target with one of its accounts; an account that is gone has none.
func tagsOf(t *target.Target, account string) []string {
	a, err := t.Account(account)
	if err != nil {
		return t.Tags
	}
	return connectResource(t, a).Tags
}

func requestResource(q *accessrequest.Request) policy.Resource {
	return policy.Resource{Kind: policy.KindRequest, ID: q.ID, Owner: q.UserID, Target: q.TargetID, Account: q.Account}
}

// grantResource: who may decide on access may end it.
func grantResource(g *accessrequest.Grant) policy.Resource {
	id := g.RequestID
	if id == "" {
		id = g.ID
	}
	return policy.Resource{Kind: policy.KindRequest, ID: id, Owner: g.UserID, Target: g.TargetID, Account: g.Account}
}

func requestOut(q *accessrequest.Request, in *call) apigen.AccessRequest {
	out := apigen.AccessRequest{
		Id: q.ID, Revision: q.Revision, Kind: apigen.AccessRequestKind(q.Kind), State: apigen.AccessRequestState(q.State),
		User: apigen.Person{Id: q.UserID, Name: q.UserName}, Target: apigen.AccessTarget{Id: q.TargetID, Name: q.TargetName}, Account: optional(q.Account),
		Wanted: apigen.AccessWindow{From: q.WantedFrom, Until: q.WantedUntil}, Window: apigen.AccessWindow{From: q.From, Until: q.Until},
		Floating: q.Floating, Reason: q.Reason, Ticket: optional(q.Ticket), Approvals: q.ApprovalsNeeded, Decisions: []apigen.AccessDecision{},
		Once: q.MaxStarts == 1, Grant: optional(q.GrantID), CreatedAt: q.CreatedAt, ClosedAt: optional(q.ClosedAt), Mine: q.UserID == in.subject.ID,
	}
	if q.State == accessrequest.StatePending {
		out.ExpiresAt = &q.ExpiresAt
	}
	for _, d := range q.Decisions {
		out.Decisions = append(out.Decisions, apigen.AccessDecision{
			Person: apigen.Person{Id: d.UserID, Name: d.UserName}, Verdict: apigen.AccessDecisionVerdict(d.Verdict), Note: optional(d.Note),
			Window: apigen.AccessWindow{From: d.From, Until: d.Until}, At: d.DecidedAt,
		})
	}
	if slices.ContainsFunc(q.Decisions, func(d accessrequest.Decision) bool { return d.UserID == in.subject.ID }) {
		out.Decided = new(true)
	}
	return out
}

func grantOut(g *accessrequest.Grant, in *call) apigen.AccessGrant {
	out := apigen.AccessGrant{
		Id: g.ID, Request: optional(g.RequestID), State: apigen.AccessGrantState(g.State),
		User: apigen.Person{Id: g.UserID, Name: g.UserName}, Target: apigen.AccessTarget{Id: g.TargetID, Name: g.TargetName}, Account: optional(g.Account),
		Ticket: optional(g.Ticket), Window: apigen.AccessWindow{From: g.From, Until: g.Until}, Once: g.MaxStarts == 1, Starts: g.Starts,
		Sessions: []string{}, CreatedAt: g.CreatedAt, CreatedBy: g.CreatedBy, ClosedAt: optional(g.ClosedAt), ClosedBy: optional(g.ClosedBy),
		Note: optional(g.Note), Mine: g.UserID == in.subject.ID,
	}
	out.Sessions = append(out.Sessions, g.Running...)
	return out
}
