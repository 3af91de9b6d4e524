package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Policies keeps the policies. *policy.Book is one; what it refuses it says with package policy's errors.
type Policies interface {
	List(ctx context.Context) ([]store.Policy, error)
	Get(ctx context.Context, id string) (store.Policy, error)
	Versions(ctx context.Context, id string, before int64, limit int) ([]store.Policy, error)
	NamingGroup(ctx context.Context, group string) ([]string, error)
	Apply(ctx context.Context, by policy.Author, changes ...policy.Change) error
}

// Explainer tells how a decision comes about. *policy.Engine is one.
type Explainer interface {
	Explain(ctx context.Context, q policy.Query) (policy.Explanation, error)
	Zone() *time.Location
}

// People finds somebody by name or id, whom an explanation is about.
type People interface {
	User(ctx context.Context, id string) (identity.User, error)
	UserByName(ctx context.Context, name string) (identity.User, error)
}

// defaultVersionPage is how many versions of a policy a page has.
const defaultVersionPage = 50

// managePolicies asks whether the caller may, before anything is looked up.
func (h *handlers) managePolicies(ctx context.Context, in *call) error {
	return h.may(ctx, in, policy.ManagePolicies, policy.Resource{Kind: policy.KindSystem})
}

// author is who changes policies, as the guard against locking everybody out sees them.
func (h *handlers) author(in *call) policy.Author {
	q := in.query(policy.ManagePolicies, policy.Resource{Kind: policy.KindSystem})
	return policy.Author{Subject: in.subject, Name: in.subject.Name, Circumstances: q.Circumstances}
}

// ListPolicies answers with all policies.
func (h *handlers) ListPolicies(ctx context.Context, _ apigen.ListPoliciesRequestObject) (apigen.ListPoliciesResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	list, err := h.policies.List(ctx)
	if err != nil {
		return nil, err
	}
	out := apigen.ListPolicies200JSONResponse{Policies: []apigen.Policy{}}
	for _, p := range list {
		out.Policies = append(out.Policies, policyOut(p))
	}
	return out, nil
}

// GetPolicy answers with one policy.
func (h *handlers) GetPolicy(ctx context.Context, r apigen.GetPolicyRequestObject) (apigen.GetPolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	p, err := h.policies.Get(ctx, r.PolicyParameter)
	if err != nil {
		return nil, err
	}
	return apigen.GetPolicy200JSONResponse(policyOut(p)), nil
}

// CreatePolicy adds a policy.
func (h *handlers) CreatePolicy(ctx context.Context, r apigen.CreatePolicyRequestObject) (apigen.CreatePolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	audit.About(ctx, "policy", r.Body.Id, r.Body.Name)
	p, err := h.applyPolicy(ctx, in, policy.Change{Document: policy.Document{
		ID: r.Body.Id, Name: r.Body.Name, Text: r.Body.Text, Enabled: valueOr(r.Body.Enabled, true),
	}})
	if err != nil {
		return nil, err
	}
	return apigen.CreatePolicy201JSONResponse(policyOut(p)), nil
}

// UpdatePolicy changes a policy.
func (h *handlers) UpdatePolicy(ctx context.Context, r apigen.UpdatePolicyRequestObject) (apigen.UpdatePolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	before, err := h.policies.Get(ctx, r.PolicyParameter)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "policy", before.ID, before.Name)
	p, err := h.applyPolicy(ctx, in, policy.Change{Base: r.Body.Revision, Document: policy.Document{
		ID: before.ID, Name: valueOr(r.Body.Name, before.Name), Text: valueOr(r.Body.Text, before.Text),
		Enabled: valueOr(r.Body.Enabled, before.Enabled),
	}})
	if err != nil {
		return nil, err
	}
	return apigen.UpdatePolicy200JSONResponse(policyOut(p)), nil
}

func (h *handlers) applyPolicy(ctx context.Context, in *call, c policy.Change) (store.Policy, error) {
	if err := h.policies.Apply(ctx, h.author(in), c); err != nil {
		return store.Policy{}, err
	}
	p, err := h.policies.Get(ctx, c.ID)
	if err == nil {
		audit.Detail(ctx, "revision", strconv.FormatInt(p.Revision, 10))
		audit.Detail(ctx, "enabled", strconv.FormatBool(p.Enabled))
	}
	return p, err
}

// DeletePolicy removes a policy.
func (h *handlers) DeletePolicy(ctx context.Context, r apigen.DeletePolicyRequestObject) (apigen.DeletePolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	p, err := h.policies.Get(ctx, r.PolicyParameter)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "policy", p.ID, p.Name)
	err = h.policies.Apply(ctx, h.author(in), policy.Change{Document: policy.Document{ID: p.ID}, Delete: true, Base: r.Params.Revision})
	if err != nil {
		return nil, err
	}
	return apigen.DeletePolicy204Response{}, nil
}

// ListPolicyVersions answers with what a policy was.
func (h *handlers) ListPolicyVersions(ctx context.Context, r apigen.ListPolicyVersionsRequestObject) (apigen.ListPolicyVersionsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	limit := valueOr(r.Params.Limit, defaultVersionPage)
	list, err := h.policies.Versions(ctx, r.PolicyParameter, valueOr(r.Params.Before, 0), limit)
	if err != nil {
		return nil, err
	}
	out := apigen.ListPolicyVersions200JSONResponse{Versions: []apigen.Policy{}}
	for _, p := range list {
		out.Versions = append(out.Versions, policyOut(p))
	}
	if len(list) == limit {
		out.Next = &list[len(list)-1].Revision
	}
	return out, nil
}

// CheckPolicy checks a text.
func (h *handlers) CheckPolicy(ctx context.Context, r apigen.CheckPolicyRequestObject) (apigen.CheckPolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	return apigen.CheckPolicy200JSONResponse{Findings: findingsOut(policy.Inspect(r.Body.Text))}, nil
}

// GetPolicySchema answers with what policies may name.
func (h *handlers) GetPolicySchema(ctx context.Context, _ apigen.GetPolicySchemaRequestObject) (apigen.GetPolicySchemaResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	return apigen.GetPolicySchema200JSONResponse(schemaOut(policy.Describe(), h.explainer.Zone())), nil
}

// ExplainPolicy decides as if somebody asked.
func (h *handlers) ExplainPolicy(ctx context.Context, r apigen.ExplainPolicyRequestObject) (apigen.ExplainPolicyResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.managePolicies(ctx, in); err != nil {
		return nil, err
	}
	q, err := h.question(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	x, err := h.explainer.Explain(ctx, q)
	if err != nil {
		return nil, err
	}
	return apigen.ExplainPolicy200JSONResponse(explanationOut(x)), nil
}

// question makes a query of what the caller supposes.
func (h *handlers) question(ctx context.Context, b *apigen.PolicyQuestion) (policy.Query, error) {
	who, err := h.person(ctx, b.User)
	if err != nil {
		return policy.Query{}, err
	}
	q := policy.Query{Subject: who.Subject(), Action: policy.Action(b.Action), Circumstances: policy.Circumstances{
		Time: valueOr(b.At, time.Now()), Ticket: valueOr(b.Ticket, ""), Approved: valueOr(b.Approved, false), Concurrent: valueOr(b.Concurrent, 0),
	}}
	if q.Subject.ID == "" {
		return policy.Query{}, &Error{Status: http.StatusUnprocessableEntity, Code: "user_disabled", Detail: "This user is disabled and may do nothing."}
	}
	if b.MfaAgeS != nil {
		q.Subject.MFAAt = q.Circumstances.Time.Add(-time.Duration(*b.MfaAgeS) * time.Second)
	}
	if source := valueOr(b.Source, ""); source != "" {
		if q.Circumstances.Source, err = netip.ParseAddr(source); err != nil {
			return policy.Query{}, &Error{http.StatusBadRequest, codeRequestInvalid, "The source is not an IP address.", err}
		}
	}
	var owner string
	if name := valueOr(b.Owner, ""); name != "" {
		o, err := h.person(ctx, name)
		if err != nil {
			return policy.Query{}, err
		}
		owner = o.ID
	}
	q.Resource, err = h.supposed(ctx, q.Action, valueOr(b.Target, ""), valueOr(b.Account, ""), owner)
	return q, err
}

// supposed is a resource an action is about, on a target or, without one, the gateway. There need not be such a target:
// policies are written before what they are about.
func (h *handlers) supposed(ctx context.Context, action policy.Action, id, account, owner string) (policy.Resource, error) {
	r := policy.ResourceOf(action, id, account, owner)
	if id == "" {
		return r, nil
	}
	t, err := h.targets.Get(ctx, id)
	if err != nil && !errors.Is(err, target.ErrNotFound) {
		return r, err
	}
	r.Tags = t.Tags
	for _, a := range t.Accounts {
		if account != "" && a.Name == account {
			r.Tags = slices.Concat(t.Tags, a.Tags)
		}
	}
	return r, nil
}

// person finds a user by id or name.
func (h *handlers) person(ctx context.Context, idOrName string) (identity.User, error) {
	u, err := h.people.User(ctx, idOrName)
	if errors.Is(err, identity.ErrUnknownUser) {
		return h.people.UserByName(ctx, strings.ToLower(idOrName))
	}
	return u, err
}

func policyOut(p store.Policy) apigen.Policy {
	return apigen.Policy{
		Id: p.ID, Name: p.Name, Text: p.Text, Enabled: p.Enabled, Deleted: optional(p.Deleted), Revision: p.Revision,
		UpdatedAt: p.UpdatedAt, UpdatedBy: p.UpdatedByName,
	}
}

func findingsOut(list []policy.Finding) []apigen.PolicyFinding {
	out := []apigen.PolicyFinding{}
	for _, f := range list {
		out = append(out, apigen.PolicyFinding{Severity: apigen.PolicyFindingSeverity(f.Severity), Line: f.Line, Column: f.Column, Message: f.Message})
	}
	return out
}

func explanationOut(x policy.Explanation) apigen.PolicyExplanation {
	out := apigen.PolicyExplanation{
		Allowed: x.Decision.Allowed, Reason: x.Decision.Reason, Revision: x.Revision, At: x.Time.Format("Mon 2 Jan 2006 15:04:05 MST"),
		Obligations: listOut(x.Decision.Obligations.List()), Statements: []apigen.PolicyVerdict{},
	}
	for _, v := range x.Statements {
		effect := apigen.Permit
		if v.Forbids {
			effect = apigen.Forbid
		}
		out.Statements = append(out.Statements, apigen.PolicyVerdict{
			Id: v.ID, Policy: v.Document, Name: v.Name, Effect: effect, Text: v.Text, Line: v.Line, Decided: v.Decided, Applies: v.Applies,
			Error: optional(v.Error), Missed: listOut(v.Missed), Obligations: listOut(v.Obligations.List()),
		})
	}
	return out
}

func schemaOut(r policy.Reference, zone *time.Location) apigen.PolicySchema {
	var out apigen.PolicySchema
	out.Text, out.TimeZone, out.Context = policy.SchemaText, zone.String(), attributesOut(r.Context)
	for _, e := range r.Entities {
		out.Entities = append(out.Entities, apigen.PolicyEntity{
			Name: e.Name, About: e.About, In: listOut(e.In), Ids: listOut(e.IDs), Attributes: attributesOut(e.Attributes),
		})
	}
	for _, a := range r.Actions {
		out.Actions = append(out.Actions, apigen.PolicyAction{Name: a.Name, About: a.About, In: listOut(a.In), Resources: listOut(a.Resources)})
	}
	for _, o := range r.Obligations {
		out.Obligations = append(out.Obligations, apigen.PolicyObligation{Name: o.Name, About: o.About})
	}
	return out
}

func attributesOut(list []policy.ReferenceAttribute) []apigen.PolicyAttribute {
	out := []apigen.PolicyAttribute{}
	for _, a := range list {
		out = append(out, apigen.PolicyAttribute{Name: a.Name, Type: a.Type, Optional: a.Optional, About: a.About})
	}
	return out
}

// listOut is a list that is empty rather than missing.
func listOut(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
