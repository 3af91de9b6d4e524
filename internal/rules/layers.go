package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// Origin is where a rule or a list is from.
type Origin string

// The origins.
const (
	Shipped       Origin = "shipped"       // it comes with Vitrine
	Configuration Origin = "configuration" // it stands in the configuration's file of rules
	Console       Origin = "console"       // somebody wrote it in the console
)

// Change is what the console has made of a rule or list of another origin.
type Change string

// The changes.
const (
	Unchanged Change = ""
	Adjusted  Change = "adjusted" // it does something else, is off, or is for others
	Replaced  Change = "replaced" // another stands in its place
)

// Rule is a rule as it is tried, and how it came to be.
type Rule struct {
	detect.Rule
	Standing
	Configured bool         // the configuration says what it does
	Base       *detect.Rule // what it is without the console's change; nil where that made it, or there is none
}

// List is a list of words as rules find it, and how it came to be.
type List struct {
	detect.List
	Standing
	Base *detect.List
}

// Standing is how a rule or a list came to be.
type Standing struct {
	Origin    Origin
	Change    Change
	Revision  int64 // of the console's word on it; 0: there is none
	UpdatedBy string
	UpdatedAt time.Time
	Problem   string // why the console's word on it cannot be used; what lies below it is tried
}

// Effective is all rules and lists at a revision. It never changes.
type Effective struct {
	Revision int64
	Enabled  bool
	Rules    []Rule // shipped and configured ones in their order, then others by id
	Lists    []List
	file     detect.File // what is tried
}

// body is what a row holds: one of the three.
type body struct {
	Adjust *adjustment  `json:"adjust,omitempty"`
	Rule   *detect.Rule `json:"rule,omitempty"`
	List   *detect.List `json:"list,omitempty"`
}

// adjustment is what the console changes of a rule and leaves the rest. What is nil stays.
type adjustment struct {
	Severity *detect.Severity `json:"severity,omitempty"`
	Action   *detect.Action   `json:"action,omitempty"`
	Disabled *bool            `json:"disabled,omitempty"`
	Scope    *detect.Scope    `json:"scope,omitempty"`
}

func (a *adjustment) apply(r detect.Rule) detect.Rule {
	if a.Severity != nil {
		r.Severity = *a.Severity
	}
	if a.Action != nil {
		r.Action = *a.Action
	}
	if a.Disabled != nil {
		r.Disabled = *a.Disabled
	}
	if a.Scope != nil {
		r.Scope = *a.Scope
	}
	return r
}

// bodyOf is what makes r of base, which is nil for a rule of its own; changed is unset when they are the same.
func bodyOf(r, base *detect.Rule) (b body, changed bool) {
	if base == nil {
		return body{Rule: r}, true
	}
	var a adjustment
	if r.Severity != base.Severity {
		a.Severity, changed = &r.Severity, true
	}
	if r.Action != base.Action {
		a.Action, changed = &r.Action, true
	}
	if r.Disabled != base.Disabled {
		a.Disabled, changed = &r.Disabled, true
	}
	if !same(r.Scope, base.Scope) {
		a.Scope, changed = &r.Scope, true
	}
	if !same(a.apply(*base), *r) {
		return body{Rule: r}, true
	}
	return body{Adjust: &a}, changed
}

// same compares by what is written: lists that are missing are empty.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && bytes.Equal(x, y)
}

// assemble lays rows over base.
func assemble(base *Base, rows []store.DetectionRule, revision int64) (*Effective, error) {
	e := &Effective{Revision: revision, Enabled: base.Enabled}
	for _, l := range base.File.Lists {
		e.Lists = append(e.Lists, List{List: l, Standing: Standing{Origin: originOf(base.WrittenLists[l.Name])}})
	}
	for _, r := range base.File.Rules {
		e.Rules = append(e.Rules, Rule{Rule: r, Standing: Standing{Origin: originOf(base.Written[r.ID])}, Configured: base.Changed[r.ID]})
	}
	for i := range rows { // lists come first
		if rows[i].Kind == store.DetectionListKind {
			e.layList(&rows[i])
		} else {
			e.layRule(&rows[i])
		}
	}
	return e, e.settle()
}

func originOf(written bool) Origin {
	if written {
		return Configuration
	}
	return Shipped
}

func standing(origin Origin, row *store.DetectionRule) Standing {
	return Standing{Origin: origin, Revision: row.Revision, UpdatedBy: row.UpdatedByName, UpdatedAt: row.UpdatedAt}
}

func (e *Effective) layList(row *store.DetectionRule) {
	var b body
	err := json.Unmarshal([]byte(row.Body), &b)
	if err == nil && b.List == nil {
		err = errors.New("it is no list")
	}
	if err == nil {
		b.List.Name = row.ID
		err = b.List.Check()
	}
	i := slices.IndexFunc(e.Lists, func(l List) bool { return l.Name == row.ID })
	switch {
	case i >= 0:
		at := &e.Lists[i]
		below := at.List
		at.Standing, at.Change = standing(at.Origin, row), Replaced
		if err != nil {
			at.Problem = what(err)
			return
		}
		at.List, at.Base = *b.List, &below
	case err != nil:
		e.Lists = append(e.Lists, List{List: detect.List{Name: row.ID}, Standing: withProblem(standing(Console, row), err)})
	default:
		e.Lists = append(e.Lists, List{List: *b.List, Standing: standing(Console, row)})
	}
}

func (e *Effective) layRule(row *store.DetectionRule) {
	var b body
	err := json.Unmarshal([]byte(row.Body), &b)
	i := slices.IndexFunc(e.Rules, func(r Rule) bool { return r.ID == row.ID })
	switch {
	case err == nil && b.Rule == nil && b.Adjust == nil:
		err = errors.New("it is no rule")
	case err == nil && b.Adjust != nil && i < 0:
		err = errors.New("the rule that it changes is not there any more")
	}
	var r detect.Rule
	if err == nil {
		if b.Adjust != nil {
			r = b.Adjust.apply(e.Rules[i].Rule)
		} else {
			r = *b.Rule
		}
		r.ID = row.ID
	}
	if i < 0 {
		if err != nil {
			r = detect.Rule{ID: row.ID, Name: row.ID, Severity: detect.Info, Action: detect.ActionAlert, Disabled: true}
			e.Rules = append(e.Rules, Rule{Rule: r, Standing: withProblem(standing(Console, row), err)})
			return
		}
		e.Rules = append(e.Rules, Rule{Rule: r, Standing: standing(Console, row)})
		return
	}
	at := &e.Rules[i]
	below := at.Rule
	at.Standing, at.Change = standing(at.Origin, row), Replaced
	if b.Adjust != nil {
		at.Change = Adjusted
	}
	if err != nil {
		at.Problem = what(err)
		return
	}
	at.Rule, at.Base = r, &below
}

func withProblem(s Standing, err error) Standing {
	s.Problem = what(err)
	return s
}

// settle finds out which rules can be tried together. Those of the console that cannot give way to what lies below them.
func (e *Effective) settle() error {
	for range len(e.Rules) + 1 {
		e.file = detect.File{}
		for i := range e.Lists {
			if len(e.Lists[i].Words) > 0 {
				e.file.Lists = append(e.file.Lists, e.Lists[i].List)
			}
		}
		for i := range e.Rules {
			if e.Rules[i].usable() {
				e.file.Rules = append(e.file.Rules, e.Rules[i].Rule)
			}
		}
		err := e.file.Check(nil)
		if err == nil {
			return nil
		}
		if !e.giveWay(err) {
			return fmt.Errorf("rules: %w", err)
		}
	}
	return errors.New("rules: they cannot be tried together")
}

// usable tells whether there is something to try.
func (r *Rule) usable() bool { return r.Problem == "" || r.Origin != Console }

// giveWay takes back the console's rule that err is about, or the last one where it is about all together.
func (e *Effective) giveWay(err error) bool {
	bad, _ := errors.AsType[*detect.RuleError](err)
	if bad == nil {
		return false
	}
	for _, about := range []func(*Rule) bool{
		func(r *Rule) bool { return r.ID == bad.ID },
		func(*Rule) bool { return true },
	} {
		for i := len(e.Rules) - 1; i >= 0; i-- {
			r := &e.Rules[i]
			if r.Revision == 0 || r.Problem != "" || !about(r) {
				continue
			}
			r.Problem = what(err)
			if r.Base != nil {
				r.Rule, r.Base = *r.Base, nil
			}
			return true
		}
	}
	return false
}

// what is the text of an error for people.
func what(err error) string {
	if e, ok := errors.AsType[*detect.RuleError](err); ok {
		return e.What
	}
	return err.Error()
}

// Find returns the rule of an id.
func (e *Effective) Find(id string) (Rule, bool) {
	i := slices.IndexFunc(e.Rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return e.Rules[i], true
}

// FindList returns the list of a name.
func (e *Effective) FindList(name string) (List, bool) {
	i := slices.IndexFunc(e.Lists, func(l List) bool { return l.Name == name })
	if i < 0 {
		return List{}, false
	}
	return e.Lists[i], true
}

// File is all that is tried.
func (e *Effective) File() detect.File { return e.file }

// For returns the rules for a session, without their scopes, and the lists; none where nothing is to be detected.
func (e *Effective) For(u detect.Subject) detect.File {
	if !e.Enabled {
		return detect.File{}
	}
	out := detect.File{Lists: e.file.Lists}
	for _, r := range e.file.Rules {
		if !r.Disabled && r.Scope.Covers(u) {
			r.Scope = detect.Scope{}
			out.Rules = append(out.Rules, r)
		}
	}
	return out
}

// Alone makes a set of one rule, on or off, that finds the lists.
func (e *Effective) Alone(r detect.Rule) (*detect.Set, error) {
	r.Disabled = false
	return detect.Compile([]detect.Rule{r}, e.file.Lists)
}
