package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/rules"
)

// Rules keep the rules of detection. *rules.Book is one; what it refuses it says with its errors and *detect.RuleError.
type Rules interface {
	Effective(ctx context.Context) (*rules.Effective, error)
	Add(ctx context.Context, by rules.Author, r detect.Rule) (rules.Rule, error)
	Set(ctx context.Context, by rules.Author, r detect.Rule, revision int64) (rules.Rule, error)
	Remove(ctx context.Context, by rules.Author, id string, revision int64) error
	SetList(ctx context.Context, by rules.Author, l detect.List, revision int64) (rules.List, error)
	RemoveList(ctx context.Context, by rules.Author, name string, revision int64) error
	Check(ctx context.Context, r detect.Rule) error
	Versions(ctx context.Context, id string, before int64, limit int) ([]rules.Version, error)
}

var _ Rules = (*rules.Book)(nil)

func (h *handlers) readRules(ctx context.Context, in *call) error {
	return h.may(ctx, in, policy.ReadRules, policy.Resource{Kind: policy.KindSystem})
}

func (h *handlers) manageRules(ctx context.Context, in *call) error {
	return h.may(ctx, in, policy.ManageRules, policy.Resource{Kind: policy.KindSystem})
}

func ruleAuthor(in *call) rules.Author { return rules.Author{ID: in.subject.ID, Name: in.subject.Name} }

// ListDetectionRules answers with all rules and lists.
func (h *handlers) ListDetectionRules(ctx context.Context, _ apigen.ListDetectionRulesRequestObject) (apigen.ListDetectionRulesResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.readRules(ctx, in); err != nil {
		return nil, err
	}
	e, err := h.rules.Effective(ctx)
	if err != nil {
		return nil, err
	}
	out := apigen.ListDetectionRules200JSONResponse{Enabled: e.Enabled, Rules: []apigen.KeptDetectionRule{}, Lists: []apigen.KeptDetectionList{}}
	for i := range e.Rules {
		out.Rules = append(out.Rules, keptRuleOut(&e.Rules[i]))
	}
	for i := range e.Lists {
		out.Lists = append(out.Lists, keptListOut(&e.Lists[i]))
	}
	return out, nil
}

// GetDetectionRule answers with one rule.
func (h *handlers) GetDetectionRule(ctx context.Context, r apigen.GetDetectionRuleRequestObject) (apigen.GetDetectionRuleResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.readRules(ctx, in); err != nil {
		return nil, err
	}
	rule, err := h.rule(ctx, r.RuleParameter)
	return apigen.GetDetectionRule200JSONResponse(keptRuleOut(&rule)), err
}

func (h *handlers) rule(ctx context.Context, id string) (rules.Rule, error) {
	e, err := h.rules.Effective(ctx)
	if err != nil {
		return rules.Rule{}, err
	}
	r, ok := e.Find(id)
	if !ok {
		return rules.Rule{}, rules.ErrUnknown
	}
	return r, nil
}

// CreateDetectionRule adds a rule.
func (h *handlers) CreateDetectionRule(ctx context.Context, r apigen.CreateDetectionRuleRequestObject) (apigen.CreateDetectionRuleResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageRules(ctx, in); err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_rule", r.Body.Id, r.Body.Name)
	rule, err := ruleIn(r.Body)
	if err != nil {
		return nil, err
	}
	made, err := h.rules.Add(ctx, ruleAuthor(in), rule)
	if err != nil {
		return nil, err
	}
	tellChange(ctx, nil, made.Rule, made.Revision)
	return apigen.CreateDetectionRule201JSONResponse(keptRuleOut(&made)), nil
}

// UpdateDetectionRule changes a rule, whatever its origin.
func (h *handlers) UpdateDetectionRule(ctx context.Context, r apigen.UpdateDetectionRuleRequestObject) (apigen.UpdateDetectionRuleResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageRules(ctx, in); err != nil {
		return nil, err
	}
	before, err := h.rule(ctx, r.RuleParameter)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_rule", before.ID, before.Name)
	rule, err := ruleIn(&r.Body.Rule)
	if err != nil {
		return nil, err
	}
	if rule.ID != before.ID {
		return nil, &Error{Status: http.StatusBadRequest, Code: codeRequestInvalid, Detail: "The id of a rule stays."}
	}
	made, err := h.rules.Set(ctx, ruleAuthor(in), rule, r.Body.Revision)
	if err != nil {
		return nil, err
	}
	tellChange(ctx, &before.Rule, made.Rule, made.Revision)
	return apigen.UpdateDetectionRule200JSONResponse(keptRuleOut(&made)), nil
}

// DeleteDetectionRule takes back what the console says of a rule.
func (h *handlers) DeleteDetectionRule(ctx context.Context, r apigen.DeleteDetectionRuleRequestObject) (apigen.DeleteDetectionRuleResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageRules(ctx, in); err != nil {
		return nil, err
	}
	before, err := h.rule(ctx, r.RuleParameter)
	if err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_rule", before.ID, before.Name)
	if err := h.rules.Remove(ctx, ruleAuthor(in), before.ID, r.Params.Revision); err != nil {
		return nil, err
	}
	now := any(struct{}{})
	if before.Base != nil {
		now = *before.Base
	}
	tellChange(ctx, &before.Rule, now, 0)
	return apigen.DeleteDetectionRule204Response{}, nil
}

// tellChange writes what is different of a rule into the audit log: what it was, and what it is.
func tellChange(ctx context.Context, before *detect.Rule, after any, revision int64) {
	fieldsOf := func(v any) (m map[string]json.RawMessage) {
		text, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			return nil
		}
		return m
	}
	was, is := map[string]json.RawMessage{}, fieldsOf(after)
	if before != nil {
		was = fieldsOf(before)
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if string(was[name]) != string(is[name]) {
			audit.Detail(ctx, name, string(is[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if string(was[name]) != string(is[name]) {
			audit.Detail(ctx, "was_"+name, string(was[name]))
		}
	}
	if revision > 0 {
		audit.Detail(ctx, "revision", strconv.FormatInt(revision, 10))
	}
}

// ListDetectionRuleVersions answers with what the console said of a rule.
func (h *handlers) ListDetectionRuleVersions(ctx context.Context, r apigen.ListDetectionRuleVersionsRequestObject) (apigen.ListDetectionRuleVersionsResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.readRules(ctx, in); err != nil {
		return nil, err
	}
	limit := valueOr(r.Params.Limit, defaultVersionPage)
	list, err := h.rules.Versions(ctx, r.RuleParameter, valueOr(r.Params.Before, 0), limit)
	if err != nil {
		return nil, err
	}
	out := apigen.ListDetectionRuleVersions200JSONResponse{Versions: []apigen.DetectionRuleVersion{}}
	for _, v := range list {
		out.Versions = append(out.Versions, apigen.DetectionRuleVersion{
			Rule: ruleOut(&v.Rule), Removed: v.Removed, Revision: v.Revision, UpdatedBy: v.UpdatedBy, UpdatedAt: v.UpdatedAt,
		})
	}
	if len(list) == limit {
		out.Next = &list[len(list)-1].Revision
	}
	return out, nil
}

// SetDetectionList writes a list of words.
func (h *handlers) SetDetectionList(ctx context.Context, r apigen.SetDetectionListRequestObject) (apigen.SetDetectionListResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageRules(ctx, in); err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_list", r.ListParameter, r.ListParameter)
	made, err := h.rules.SetList(ctx, ruleAuthor(in), detect.List{Name: r.ListParameter, About: valueOr(r.Body.About, ""), Words: r.Body.Words}, r.Body.Revision)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "words", strconv.Itoa(len(made.Words)))
	audit.Detail(ctx, "revision", strconv.FormatInt(made.Revision, 10))
	return apigen.SetDetectionList200JSONResponse(keptListOut(&made)), nil
}

// DeleteDetectionList takes back what the console says of a list.
func (h *handlers) DeleteDetectionList(ctx context.Context, r apigen.DeleteDetectionListRequestObject) (apigen.DeleteDetectionListResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.manageRules(ctx, in); err != nil {
		return nil, err
	}
	audit.About(ctx, "detection_list", r.ListParameter, r.ListParameter)
	if err := h.rules.RemoveList(ctx, ruleAuthor(in), r.ListParameter, r.Params.Revision); err != nil {
		return nil, err
	}
	return apigen.DeleteDetectionList204Response{}, nil
}

// CheckDetectionRule tells what is wrong with a rule, and whether it fits a line.
func (h *handlers) CheckDetectionRule(ctx context.Context, r apigen.CheckDetectionRuleRequestObject) (apigen.CheckDetectionRuleResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.readRules(ctx, in); err != nil {
		return nil, err
	}
	rule, err := ruleIn(&r.Body.Rule)
	if err != nil {
		return nil, err
	}
	out := apigen.CheckDetectionRule200JSONResponse{}
	out.Found = make([]struct {
		In      string                         `json:"in"`
		Kind    apigen.DetectionCheckFoundKind `json:"kind"`
		Pattern string                         `json:"pattern"`
	}, 0)
	if bad, ok := errors.AsType[*detect.RuleError](h.rules.Check(ctx, rule)); ok {
		out.Problem, out.Pattern = new(sentence(bad.What)), optional(bad.Pattern)
		return out, nil
	}
	set, err := h.alone(ctx, rule)
	if err != nil {
		return nil, err
	}
	sample := valueOr(r.Body.Sample, "")
	source := detect.Source(valueOr(r.Body.Source, apigen.DetectionSource(rule.Sources[0])))
	out.Fits = len(set.Match(source, sample)) > 0
	for _, f := range set.Explain(sample) {
		out.Found = append(out.Found, struct {
			In      string                         `json:"in"`
			Kind    apigen.DetectionCheckFoundKind `json:"kind"`
			Pattern string                         `json:"pattern"`
		}{f.In, apigen.DetectionCheckFoundKind(f.Kind), f.Pattern})
	}
	return out, nil
}

// alone makes a set of one rule.
func (h *handlers) alone(ctx context.Context, rule detect.Rule) (*detect.Set, error) {
	e, err := h.rules.Effective(ctx)
	if err != nil {
		return nil, err
	}
	return e.Alone(rule)
}

// sentence makes what is wrong with a rule a sentence.
func sentence(what string) string {
	first, n := utf8.DecodeRuneInString(what)
	return string(unicode.ToUpper(first)) + what[n:] + "."
}

// ruleIn reads a rule as it comes: its JSON is the one of rules.
func ruleIn(r *apigen.DetectionRule) (out detect.Rule, err error) {
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return out, fmt.Errorf("api: rule of detection: %w", err)
	}
	return out, nil
}

func ruleOut(r *detect.Rule) (out apigen.DetectionRule) {
	list := func(l []string) *[]string {
		if len(l) == 0 {
			return nil
		}
		return &l
	}
	out = apigen.DetectionRule{
		Id: r.ID, Name: r.Name, About: optional(r.About), Severity: apigen.DetectionSeverity(r.Severity), Action: apigen.DetectionAction(r.Action),
		Sources: []apigen.DetectionSource{}, Disabled: optional(r.Disabled), Any: list(r.Any), All: list(r.All), None: list(r.None), Lists: list(r.Lists),
	}
	for _, s := range r.Sources {
		out.Sources = append(out.Sources, apigen.DetectionSource(s))
	}
	s := apigen.DetectionScope{
		Users: list(r.Scope.Users), Groups: list(r.Scope.Groups), Roles: list(r.Scope.Roles), Targets: list(r.Scope.Targets), Tags: list(r.Scope.Tags),
		Policies: list(r.Scope.Policies),
	}
	if s != (apigen.DetectionScope{}) {
		out.Scope = &s
	}
	return out
}

func keptRuleOut(r *rules.Rule) apigen.KeptDetectionRule {
	out := apigen.KeptDetectionRule{
		Rule: ruleOut(&r.Rule), Origin: apigen.DetectionOrigin(r.Origin), Configured: r.Configured, Revision: r.Revision,
		Change: optional(apigen.KeptDetectionRuleChange(r.Change)), UpdatedBy: optional(r.UpdatedBy), Problem: optional(r.Problem),
	}
	if r.Base != nil {
		out.Base = new(ruleOut(r.Base))
	}
	if r.Revision > 0 {
		out.UpdatedAt = &r.UpdatedAt
	}
	return out
}

func keptListOut(l *rules.List) apigen.KeptDetectionList {
	out := apigen.KeptDetectionList{
		Name: l.Name, About: optional(l.About), Words: listOut(l.Words), Origin: apigen.DetectionOrigin(l.Origin), Revision: l.Revision,
		Change: optional(apigen.KeptDetectionListChange(l.Change)), UpdatedBy: optional(l.UpdatedBy), Problem: optional(l.Problem),
	}
	if l.Revision > 0 {
		out.UpdatedAt = &l.UpdatedAt
	}
	return out
}
