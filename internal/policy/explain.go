package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	cedarast "github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// Explanation is a decision with what led to it.
type Explanation struct {
	Decision   Decision
	Revision   int64     // of the policies
	Time       time.Time // in the zone policies see
	Statements []Verdict // those that decided first, then those that came near
}

// Verdict is what one statement has to do with a decision.
type Verdict struct {
	Statement
	Decided bool
	Applies bool     // it is true; Decided unless a forbid overrules a permit
	Error   string   // why it could not be evaluated
	Missed  []string // what is not so, in Cedar: parts of the scope and of the conditions
}

// Explain decides as Authorize does and tells which statements decided, and which nearly did: those about the action of
// which only the principal, only the resource or only conditions do not hold.
func (e *Engine) Explain(_ context.Context, q Query) (Explanation, error) {
	set, err := e.current()
	if err != nil {
		return Explanation{}, err
	}
	if q.Circumstances.Time.IsZero() {
		q.Circumstances.Time = e.now()
	}
	out := Explanation{Revision: set.Revision, Time: q.Circumstances.Time.In(e.zone)}
	if d, no := e.refuse(q); no {
		out.Decision = d
		return out, nil
	}
	if err := e.addTags(context.Background(), set, &q); err != nil {
		return Explanation{}, err
	}
	w := newWorld(&q, e.zone)
	out.Decision, _ = set.decide(w)
	for _, st := range set.byAction[q.Action] {
		v, near := st.judge(w)
		v.Decided = slices.Contains(out.Decision.Policies, st.ID)
		if v.Decided || near {
			out.Statements = append(out.Statements, v)
		}
	}
	rank := func(v Verdict) int {
		switch {
		case v.Decided:
			return 0
		case v.Applies:
			return 1
		}
		return 2 + len(v.Missed)
	}
	slices.SortStableFunc(out.Statements, func(a, b Verdict) int { return rank(a) - rank(b) })
	return out, nil
}

// judge evaluates one statement part by part. near is set when it is true, cannot be evaluated, or fails for one part.
func (st *Statement) judge(w *world) (v Verdict, near bool) {
	v.Statement = *st
	request := w.request()
	env := eval.Env{Entities: w, Principal: request.Principal, Action: request.Action, Resource: request.Resource, Context: request.Context}
	parts := 0
	if text, ok := st.holds(env, func(p *ast.Policy) { p.Action, p.Resource = ast.ScopeTypeAll{}, ast.ScopeTypeAll{} }); !ok {
		v.Missed = append(v.Missed, text)
		parts++
	}
	if text, ok := st.holds(env, func(p *ast.Policy) { p.Principal, p.Action = ast.ScopeTypeAll{}, ast.ScopeTypeAll{} }); !ok {
		v.Missed = append(v.Missed, text)
		parts++
	}
	if parts == 0 { // else conditions may not make sense
		failed := false
		for _, c := range st.ast.Conditions {
			for _, part := range conjuncts(c) {
				value, err := eval.Eval(part.Body, env)
				if err != nil {
					v.Error = err.Error()
					break
				}
				if value != types.Boolean(part.Condition) {
					v.Missed = append(v.Missed, conditionText(part))
					failed = true
					break // what follows may rest on it
				}
			}
		}
		if failed {
			parts++
		}
	}
	v.Applies = parts == 0 && v.Error == ""
	return v, parts <= 1
}

// holds evaluates the scope of the statement but for what is taken out of it, and returns what is left of it in Cedar.
func (st *Statement) holds(env eval.Env, leave func(p *ast.Policy)) (string, bool) {
	p := *st.ast
	p.Conditions, p.Annotations = nil, nil
	leave(&p)
	value, err := eval.Eval(eval.PolicyToNode(&p).AsIsNode(), env)
	return scopeText(&p), err == nil && value == types.True
}

// conjuncts takes a `when` apart at its outermost &&. An `unless` stays as it is.
func conjuncts(c ast.ConditionType) []ast.ConditionType {
	and, ok := c.Body.(ast.NodeTypeAnd)
	if !ok || c.Condition == ast.ConditionUnless {
		return []ast.ConditionType{c}
	}
	left, right := c, c
	left.Body, right.Body = and.Left, and.Right
	return append(conjuncts(left), conjuncts(right)...)
}

// conditionText writes a condition in Cedar.
func conditionText(c ast.ConditionType) string {
	text := cedarText(&ast.Policy{
		Principal: ast.ScopeTypeAll{}, Action: ast.ScopeTypeAll{}, Resource: ast.ScopeTypeAll{}, Conditions: []ast.ConditionType{c},
	})
	open, shut := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if open < 0 || shut < open {
		return "a condition"
	}
	text = strings.Join(strings.Fields(text[open+1:shut]), " ")
	if c.Condition == ast.ConditionUnless {
		return "unless " + text
	}
	return text
}

// scopeText writes the part of a scope that is not open.
func scopeText(p *ast.Policy) string {
	text := cedarText(p)
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return "the scope"
	}
	for part := range strings.SplitSeq(strings.Join(strings.Fields(text[open+1:shut]), " "), ", ") {
		if part = strings.TrimSpace(part); part != "principal" && part != "action" && part != "resource" {
			return part
		}
	}
	return "the scope"
}

func cedarText(p *ast.Policy) string {
	return string(cedar.NewPolicyFromAST((*cedarast.Policy)(p)).MarshalCedar())
}

// Query in words, for logs and people.
func (q Query) String() string {
	r := q.Resource
	what := string(r.Kind)
	if r.ID != "" {
		what += " " + r.ID
	}
	if r.Account != "" {
		what += " as " + r.Account
	}
	return fmt.Sprintf("%s: %s on %s", q.Subject.Name, q.Action, what)
}
