package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// A Surveyor tells what somebody may do at all.
type Surveyor interface {
	// Possible returns the actions that are not ruled out for s: there may be a resource and a moment where a decision is
	// yes. It is for what a console shows; whether an act is allowed is for Authorize.
	Possible(s Subject) []Action
}

var _ Surveyor = (*Engine)(nil)

// Possible implements Surveyor: the policies are evaluated as far as they go for a known person and action, with resource
// and circumstances unknown. An action is possible when a permit is not false by then and no forbid is true.
func (e *Engine) Possible(s Subject) []Action {
	out := []Action{}
	set, err := e.current()
	if err != nil {
		return out
	}
	for _, action := range All() {
		q := Query{Subject: s, Action: action}
		if _, no := e.refuse(q); !no && set.possible(newWorld(&q, e.zone)) {
			out = append(out, action)
		}
	}
	return out
}

func (s *Set) possible(w *world) bool {
	env := eval.Env{
		Entities: w, Principal: userUID(w.query.Subject.ID), Action: actionUID(w.query.Action),
		Resource: eval.Variable("resource"), Context: eval.Variable("context"),
	}
	permitted := false
	for _, st := range s.byAction[w.query.Action] {
		if st.who != (types.EntityUID{}) && !slices.Contains(w.who, st.who) {
			continue
		}
		rest, keep := eval.PartialPolicy(env, st.ast)
		switch {
		case !keep:
		case !st.Forbids:
			permitted = true
		case unconditional(rest):
			return false
		}
	}
	return permitted
}

// unconditional tells whether what is left of a policy is true whatever the unknown is.
func unconditional(p *ast.Policy) bool {
	for _, scope := range []ast.IsScopeNode{p.Principal, p.Action, p.Resource} {
		if _, all := scope.(ast.ScopeTypeAll); !all {
			return false
		}
	}
	return !slices.ContainsFunc(p.Conditions, func(c ast.ConditionType) bool {
		v, ok := c.Body.(ast.NodeValue)
		return !ok || v.Value != types.Boolean(c.Condition)
	})
}
