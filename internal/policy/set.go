package policy

import (
	"fmt"
	"iter"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Document is one policy as people keep it: a text with one or more Cedar statements, under an id and a name.
type Document struct {
	ID      string
	Name    string
	Text    string
	Enabled bool
}

// Statement is one permit or forbid of a document.
type Statement struct {
	ID          string // the document's; of further statements with "#2", "#3" …
	Document    string // id
	Name        string // of the document
	Forbids     bool
	Text        string // with its annotations
	Line        int    // where it begins in the document, from 1
	Obligations Obligations

	policy *cedar.Policy
	ast    *ast.Policy
	who    types.EntityUID // principal and resource are, or are in, these when the scope holds; zero: not known
	what   types.EntityUID
}

type statements []*Statement

// relevant are the statements the authorizer goes through for one decision.
type relevant struct {
	statements statements
	world      *world
}

// All implements cedar.PolicyIterator.
func (r relevant) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, st := range r.statements {
			if r.world.concerns(st) && !yield(cedar.PolicyID(st.ID), st.policy) {
				return
			}
		}
	}
}

// Set is policies ready to decide. It never changes.
type Set struct {
	Revision int64
	all      statements
	byID     map[string]*Statement
	byAction map[Action]statements // those whose scope may have the action
	tags     bool                  // some statement looks at the tags of targets
}

// Compile makes a Set of the enabled documents. The error names the document that cannot be compiled; whether names in
// it exist is for Inspect.
func Compile(revision int64, documents []Document) (*Set, error) {
	s := &Set{Revision: revision, byID: map[string]*Statement{}, byAction: map[Action]statements{}}
	for _, d := range documents {
		if !d.Enabled {
			continue
		}
		list, err := parse(d)
		if err != nil {
			return nil, fmt.Errorf("policy: %s: %w", d.ID, err)
		}
		for _, st := range list {
			s.all = append(s.all, st)
			s.byID[st.ID] = st
			s.tags = s.tags || strings.Contains(st.Text, "Tag") || strings.Contains(st.Text, "tags")
			for _, a := range actionsOf(st.ast.Action) {
				s.byAction[a] = append(s.byAction[a], st)
			}
		}
	}
	return s, nil
}

// parse reads the statements of a document.
func parse(d Document) (statements, error) {
	if err := checkShape(d.Text); err != nil {
		return nil, err
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(d.Text))
	if err != nil {
		return nil, err
	}
	if len(list) > maxStatements {
		return nil, fmt.Errorf("%d statements, want at most %d", len(list), maxStatements)
	}
	out := make(statements, 0, len(list))
	for i, p := range list {
		a := (*ast.Policy)(p.AST())
		obliged, err := readObligations(a)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", a.Position.Line, err)
		}
		end := len(d.Text)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		st := &Statement{
			ID: d.ID, Document: d.ID, Name: d.Name, Forbids: a.Effect == ast.EffectForbid,
			Text: statementText(d.Text[a.Position.Offset:end]), Line: a.Position.Line, Obligations: obliged, policy: p, ast: a,
			who: within(a.Principal), what: within(a.Resource),
		}
		if i > 0 {
			st.ID = fmt.Sprintf("%s#%d", d.ID, i+1)
		}
		out = append(out, st)
	}
	return out, nil
}

// statementText leaves out comments that follow the statement: they belong to the next.
func statementText(text string) string {
	for at := range code(text) {
		if text[at] == ';' {
			return text[:at+1]
		}
	}
	return strings.TrimSpace(text)
}

// within is the entity a scope asks to be, or to be in.
func within(scope ast.IsScopeNode) types.EntityUID {
	switch sc := scope.(type) {
	case ast.ScopeTypeEq:
		return sc.Entity
	case ast.ScopeTypeIn:
		return sc.Entity
	case ast.ScopeTypeIsIn:
		return sc.Entity
	}
	return types.EntityUID{}
}

// actionsOf returns the actions a scope may have.
func actionsOf(scope ast.IsActionScopeNode) []Action {
	members := words().members
	switch sc := scope.(type) {
	case ast.ScopeTypeEq:
		if sc.Entity.Type == typeAction && len(members[sc.Entity]) == 1 && members[sc.Entity][0] == Action(sc.Entity.ID) {
			return []Action{Action(sc.Entity.ID)}
		}
		return nil
	case ast.ScopeTypeIn:
		return members[sc.Entity]
	case ast.ScopeTypeInSet:
		var out []Action
		seen := map[Action]bool{}
		for _, uid := range sc.Entities {
			for _, a := range members[uid] {
				if !seen[a] {
					seen[a] = true
					out = append(out, a)
				}
			}
		}
		return out
	}
	return All()
}

// decide asks Cedar. What a statement could not be evaluated for is told in errs; such a permit permits nothing, and such
// a forbid forbids.
func (s *Set) decide(w *world) (Decision, []types.DiagnosticError) {
	verdict, diagnostic := cedar.Authorize(relevant{s.byAction[w.query.Action], w}, w, w.request())
	d := Decision{Allowed: verdict == cedar.Allow}
	for _, e := range diagnostic.Errors {
		if st := s.byID[string(e.PolicyID)]; st.Forbids {
			if d.Allowed {
				d, diagnostic.Reasons = Decision{}, nil
			}
			d.Policies = append(d.Policies, st.ID)
			d.Reason = fmt.Sprintf("the policy %q, which may forbid it, could not be evaluated", st.Name)
		}
	}
	for _, r := range diagnostic.Reasons {
		st := s.byID[string(r.PolicyID)]
		d.Policies = append(d.Policies, st.ID)
		if d.Allowed {
			d.Obligations = d.Obligations.Strictest(st.Obligations)
		}
	}
	switch {
	case d.Reason != "":
	case d.Allowed:
		d.Reason = fmt.Sprintf("the policy %q allows it", s.byID[d.Policies[0]].Name)
	case len(d.Policies) > 0:
		d.Reason = fmt.Sprintf("the policy %q forbids it", s.byID[d.Policies[0]].Name)
	default:
		d.Reason = "no policy allows it"
	}
	return d, diagnostic.Errors
}
