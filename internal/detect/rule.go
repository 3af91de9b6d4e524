package detect

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Severity says how bad it is that a rule fits.
type Severity string

// The severities, the least first.
const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities returns every severity, the least first.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, Critical} }

// Rank orders severities, the least first, from 0.
func (s Severity) Rank() int { return slices.Index(Severities(), s) }

// Action is what happens when a rule fits, besides an alert.
type Action string

// The actions, the mildest first.
const (
	ActionAlert     Action = "alert"                 // nothing
	ActionJustify   Action = "require_justification" // the person must say why first
	ActionFreeze    Action = "freeze"                // the session stands still until somebody resumes it
	ActionTerminate Action = "terminate"             // the session ends
)

// Actions returns every action, the mildest first.
func Actions() []Action { return []Action{ActionAlert, ActionJustify, ActionFreeze, ActionTerminate} }

func (a Action) rank() int { return slices.Index(Actions(), a) }

// Source is where a text comes from.
type Source string

// The sources.
const (
	Typed     Source = "typed"     // lines that were typed
	Clipboard Source = "clipboard" // text that crossed the glass, either way
	Title     Source = "title"     // the desktop's name, and titles of windows where the protocol tells them
	Screen    Source = "screen"    // what was read off the picture
)

// Sources returns every source.
func Sources() []Source { return []Source{Typed, Clipboard, Title, Screen} }

// Scope is the sessions a rule is for: those that fit every kind of entry there is any of. An empty one is for all.
type Scope struct {
	Targets  []string `yaml:"targets,omitempty" json:"targets,omitempty"`   // ids
	Users    []string `yaml:"users,omitempty" json:"users,omitempty"`       // names or ids
	Tags     []string `yaml:"tags,omitempty" json:"tags,omitempty"`         // of the target, any
	Groups   []string `yaml:"groups,omitempty" json:"groups,omitempty"`     // of the person, any
	Roles    []string `yaml:"roles,omitempty" json:"roles,omitempty"`       // of the person, any
	Policies []string `yaml:"policies,omitempty" json:"policies,omitempty"` // that allowed the session, any
}

// Subject is a session as scopes see it.
type Subject struct {
	Target   string
	User     []string // name and id
	Tags     []string
	Groups   []string
	Roles    []string
	Policies []string
}

// Covers tells whether a session is in the scope.
func (s Scope) Covers(u Subject) bool {
	fits := func(wanted, have []string) bool {
		return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(have, w) })
	}
	return fits(s.Targets, []string{u.Target}) && fits(s.Users, u.User) && fits(s.Tags, u.Tags) && fits(s.Groups, u.Groups) && fits(s.Roles, u.Roles) &&
		fits(s.Policies, u.Policies)
}

// Rule says what to look for, where, and what to do then. It fits a text when one of Any or a word of Lists is found in it, or a
// command of it has every one of All; and when none of None is found where that was.
type Rule struct {
	ID       string   `yaml:"id" json:"id"`
	Name     string   `yaml:"name" json:"name"`
	About    string   `yaml:"about,omitempty" json:"about,omitempty"`
	Severity Severity `yaml:"severity" json:"severity"`
	Action   Action   `yaml:"action" json:"action"`
	Sources  []Source `yaml:"sources" json:"sources"`
	Disabled bool     `yaml:"disabled,omitempty" json:"disabled,omitempty"`
	Any      []string `yaml:"any,omitempty" json:"any,omitempty"`
	All      []string `yaml:"all,omitempty" json:"all,omitempty"`
	None     []string `yaml:"none,omitempty" json:"none,omitempty"`
	Lists    []string `yaml:"lists,omitempty" json:"lists,omitempty"`
	Scope    Scope    `yaml:"scope,omitempty" json:"scope,omitzero"`
}

// List is words that rules look for by its name. Case does not matter.
type List struct {
	Name  string   `yaml:"name" json:"name"`
	About string   `yaml:"about,omitempty" json:"about,omitempty"`
	Words []string `yaml:"words" json:"words"`
}

// RuleError says what is wrong with a rule or a list.
type RuleError struct {
	ID, What string
	Pattern  string // that cannot be used; empty: it is something else
}

func (e *RuleError) Error() string {
	if e.ID == "" {
		return "detect: " + e.What
	}
	return fmt.Sprintf("detect: %s: %s", e.ID, e.What)
}

var (
	validID  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	errLarge = errors.New("the pattern is too large")
)

// Check tells what is wrong with a rule on its own, as a *RuleError.
func (r *Rule) Check() error {
	wrong := func(format string, args ...any) error {
		return &RuleError{ID: r.ID, What: fmt.Sprintf(format, args...)}
	}
	switch {
	case !validID.MatchString(r.ID):
		return &RuleError{What: fmt.Sprintf("the id %q is not made of 1 to 64 lower-case letters, digits, dots, dashes and underscores", clip(r.ID, 80))}
	case strings.TrimSpace(r.Name) == "" || len(r.Name) > MaxName:
		return wrong("a name has 1 to %d bytes", MaxName)
	case len(r.About) > MaxAbout:
		return wrong("the description has %d bytes, want at most %d", len(r.About), MaxAbout)
	case r.Severity.Rank() < 0:
		return wrong("the severity %q is not known", clip(string(r.Severity), 40))
	case r.Action.rank() < 0:
		return wrong("the action %q is not known", clip(string(r.Action), 40))
	case len(r.Sources) == 0:
		return wrong("it has no source")
	case len(r.Any)+len(r.All)+len(r.Lists) == 0:
		return wrong("it looks for nothing: it has no pattern and no list")
	case len(r.Any)+len(r.All)+len(r.None)+len(r.Lists) > MaxPatterns:
		return wrong("it has more than %d patterns and lists", MaxPatterns)
	}
	for _, s := range r.Sources {
		if !slices.Contains(Sources(), s) {
			return wrong("the source %q is not known", clip(string(s), 40))
		}
	}
	if r.Action != ActionAlert && !slices.Contains(r.Sources, Typed) && !slices.Contains(r.Sources, Clipboard) && r.Action == ActionJustify {
		return wrong("a justification can only be asked for what is typed or pasted")
	}
	for _, list := range [][]string{r.Scope.Targets, r.Scope.Users, r.Scope.Tags, r.Scope.Groups, r.Scope.Roles, r.Scope.Policies} {
		if len(list) > MaxScope {
			return wrong("its scope has %d entries of a kind, want at most %d", len(list), MaxScope)
		}
		for _, entry := range list {
			if entry == "" || len(entry) > 200 {
				return wrong("an entry of its scope is empty or longer than 200 bytes")
			}
		}
	}
	for _, p := range slices.Concat(r.Any, r.All, r.None) {
		if _, _, err := compile(p); err != nil {
			return &RuleError{ID: r.ID, Pattern: p, What: fmt.Sprintf("the pattern \"%s\" cannot be used: %s", clip(p, 60), err)}
		}
	}
	return nil
}

// Check tells what is wrong with a list, as a *RuleError.
func (l *List) Check() error {
	switch {
	case !validID.MatchString(l.Name):
		return &RuleError{What: fmt.Sprintf("the name %q of a list is not made of 1 to 64 lower-case letters, digits, dots, dashes and underscores", clip(l.Name, 80))}
	case len(l.About) > MaxAbout:
		return &RuleError{ID: l.Name, What: fmt.Sprintf("the description has %d bytes, want at most %d", len(l.About), MaxAbout)}
	case len(l.Words) == 0 || len(l.Words) > MaxWords:
		return &RuleError{ID: l.Name, What: fmt.Sprintf("a list has 1 to %d words", MaxWords)}
	}
	for _, w := range l.Words {
		if len(w) > MaxWord || !wordOnly.MatchString(w) {
			return &RuleError{ID: l.Name, What: fmt.Sprintf("%q is no word: letters, digits, dots, dashes and underscores, at most %d bytes", clip(w, 40), MaxWord)}
		}
	}
	return nil
}

var wordOnly = regexp.MustCompile(`^[\p{L}\p{N}._-]+$`)

// compile compiles a pattern and tells the size of its program.
func compile(pattern string) (*regexp.Regexp, int, error) {
	if pattern == "" || len(pattern) > MaxPattern {
		return nil, 0, fmt.Errorf("it has %d bytes, want 1 to %d", len(pattern), MaxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			if e.Expr == pattern {
				return nil, 0, errors.New(e.Code.String())
			}
			return nil, 0, fmt.Errorf("%s: \"%s\"", e.Code, clip(e.Expr, 40))
		}
		return nil, 0, err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, 0, err
	}
	if len(prog.Inst) > maxOne {
		return nil, 0, errLarge
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, 0, err
	}
	if re.MatchString("") {
		return nil, 0, errors.New("it fits an empty text, and so everything")
	}
	return re, len(prog.Inst), nil
}
