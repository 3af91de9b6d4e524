package policy

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Severity is how bad a finding is.
type Severity string

// The severities. With an error a text is not saved.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is something wrong with a policy's text.
type Finding struct {
	Severity Severity
	Line     int // from 1
	Column   int // from 1, in characters
	Message  string
}

func (f Finding) String() string {
	return fmt.Sprintf("%d:%d: %s: %s", f.Line, f.Column, f.Severity, f.Message)
}

// TextError is a text with errors.
type TextError struct{ Findings []Finding }

func (e *TextError) Error() string { return "policy: " + e.First() }

// First says where the first error is and what.
func (e *TextError) First() string {
	for _, f := range e.Findings {
		if f.Severity == SeverityError {
			return "line " + strconv.Itoa(f.Line) + ": " + f.Message
		}
	}
	return "the text has errors"
}

// Inspect checks a text against the schema: syntax, names, types, annotations. Findings come in the order of the text.
func Inspect(text string) []Finding {
	in := &inspection{text: text}
	in.run()
	slices.SortStableFunc(in.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	in.findings = slices.Compact(in.findings)
	return in.findings[:min(len(in.findings), maxFindings)]
}

// Errors tells whether there is one among findings, as a *TextError.
func Errors(findings []Finding) error {
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityError }) {
		return &TextError{findings}
	}
	return nil
}

type inspection struct {
	text     string
	findings []Finding
}

func (in *inspection) add(severity Severity, offset int, format string, args ...any) {
	line, column := position(in.text, offset)
	in.findings = append(in.findings, Finding{severity, line, column, fmt.Sprintf(format, args...)})
}

func (in *inspection) run() {
	if err := checkShape(in.text); err != nil {
		e, _ := errors.AsType[*shapeError](err)
		in.add(SeverityError, e.offset, "%s", e.what)
		return
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(in.text))
	if err != nil {
		in.syntax(err)
		return
	}
	if len(list) == 0 {
		in.add(SeverityError, 0, "there is no permit and no forbid in this text")
	}
	if len(list) > maxStatements {
		in.add(SeverityError, list[maxStatements].Position().Offset, "more than %d statements in one text", maxStatements)
		return
	}
	for i, p := range list {
		a := (*ast.Policy)(p.AST())
		end := len(in.text)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		s := &statementInspection{inspection: in, ast: a, begin: a.Position.Offset, text: in.text[a.Position.Offset:end]}
		s.text = statementText(s.text)
		s.annotations()
		s.types()
		s.ids()
		s.sense()
	}
}

var (
	syntaxAt = regexp.MustCompile(`<input>:(\d+):(\d+)`)
	expected = regexp.MustCompile(`exact got (.*) want (.*)$`)
)

// syntax tells what the parser says, in its place and in other words.
func (in *inspection) syntax(err error) {
	message := err.Error()
	offset := len(in.text)
	if m := syntaxAt.FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		offset = in.offset(line, column)
		if _, rest, ok := strings.Cut(message, `": `); ok {
			message = rest
		} else if _, rest, ok := strings.Cut(message, m[0]+": "); ok {
			message = rest
		}
	}
	if m := expected.FindStringSubmatch(message); m != nil {
		got := m[1]
		if got == "" || got == "EOF" {
			got = "the end of the text"
			offset = len(in.text)
		} else {
			// The parser has moved on by one word when it complains.
			if at := strings.LastIndex(in.text[:min(offset, len(in.text))], got); at >= 0 {
				offset = at
			}
			got = strconv.Quote(got)
		}
		message = fmt.Sprintf("expected %q, found %s", m[2], got)
	}
	in.add(SeverityError, offset, "%s", strings.TrimPrefix(message, "parser error: "))
}

// offset is that of a line and a column in characters, both from 1.
func (in *inspection) offset(line, column int) int {
	at := 0
	for range line - 1 {
		next := strings.IndexByte(in.text[at:], '\n')
		if next < 0 {
			return len(in.text)
		}
		at += next + 1
	}
	for i := range in.text[at:] {
		if column--; column < 1 {
			return at + i
		}
	}
	return len(in.text)
}

// statementInspection looks at one statement.
type statementInspection struct {
	*inspection
	ast   *ast.Policy
	begin int // offset in the text
	text  string
}

// find returns the offset of what, or of the statement.
func (s *statementInspection) find(what string) int {
	if at := strings.Index(s.text, what); at >= 0 && what != "" {
		return s.begin + at
	}
	return s.begin
}

func (s *statementInspection) annotations() {
	for _, a := range s.ast.Annotations {
		at := s.find("@" + string(a.Key))
		known, ok := obligations[string(a.Key)]
		switch {
		case !ok && !remarks[string(a.Key)]:
			s.add(SeverityError, at, "there is no annotation @%s", a.Key)
		case ok && s.ast.Effect == ast.EffectForbid:
			s.add(SeverityError, at, "@%s belongs to a permit: who is forbidden something is obliged to nothing", a.Key)
		case ok:
			var o Obligations
			if err := known.read(&o, string(a.Value)); err != nil {
				s.add(SeverityError, at, "@%s: %v", a.Key, err)
			} else if !slices.Contains(actionsOf(s.ast.Action), Connect) {
				s.add(SeverityWarning, at, `@%s counts only where "connect" is permitted`, a.Key)
			}
		}
	}
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// types lets Cedar's checker compare the statement with the schema. It is young code: one that panics refuses the text.
func (s *statementInspection) types() {
	defer func() {
		if v := recover(); v != nil {
			s.add(SeverityError, s.begin, "the checker cannot make sense of this statement")
		}
	}()
	errs := flatten(words().validator.Policy("", s.ast))
	for _, err := range errs {
		message := err.Error()
		if strings.HasPrefix(message, "unable to find an applicable action") {
			if len(errs) > 1 {
				continue // what is unknown explains it
			}
			message = "no action has this kind of principal or resource"
		}
		at := s.begin
		if m := backquoted.FindStringSubmatch(message); m != nil {
			name := m[1]
			at = s.find(name)
			// Names come quoted, as entities, or with the path that leads to them.
			if at == s.begin && !strings.HasPrefix(s.text, name) {
				if i := strings.LastIndexAny(name, ".:\" "); i >= 0 {
					at = s.find(strings.Trim(name[strings.LastIndexAny(name[:len(name)-1], ".:\" ")+1:], `"`))
				}
			}
		}
		s.add(SeverityError, at, "%s", message)
	}
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}

// ids finds entities that cannot exist: of roles there are four, of gateways one.
func (s *statementInspection) ids() {
	check := func(uid types.EntityUID) {
		switch uid.Type {
		case typeRole:
			if !slices.Contains(Roles(), Role(uid.ID)) {
				s.add(SeverityError, s.find(uid.String()), "there is no role %q; there are %s", string(uid.ID), roleNames())
			}
		case typeGateway:
			if uid != gatewayUID {
				s.add(SeverityError, s.find(uid.String()), "the only gateway is %s", gatewayUID)
			}
		}
	}
	entities(s.ast, check)
}

// entities calls found for each entity a statement names.
func entities(p *ast.Policy, found func(types.EntityUID)) {
	for _, scope := range []ast.IsScopeNode{p.Principal, p.Resource} {
		switch sc := scope.(type) {
		case ast.ScopeTypeEq:
			found(sc.Entity)
		case ast.ScopeTypeIn:
			found(sc.Entity)
		case ast.ScopeTypeIsIn:
			found(sc.Entity)
		}
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				if uid, ok := v.Value.(types.EntityUID); ok {
					found(uid)
				}
			}
			return true
		})
	}
}

// NamingGroup returns the names of the documents, enabled or not, with a statement that names a group. One that does not parse
// names none.
func NamingGroup(documents []Document, group string) []string {
	var out []string
	for _, d := range documents {
		list, err := parse(d)
		if err != nil {
			continue
		}
		names := false
		for _, st := range list {
			entities(st.ast, func(uid types.EntityUID) {
				names = names || uid == types.NewEntityUID(typeGroup, types.String(group))
			})
		}
		if names {
			out = append(out, d.Name)
		}
	}
	return out
}

func roleNames() string {
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// sense warns of what is correct and hardly meant.
func (s *statementInspection) sense() {
	actions := actionsOf(s.ast.Action)
	_, everybody := s.ast.Principal.(ast.ScopeTypeAll)
	_, everywhere := s.ast.Resource.(ast.ScopeTypeAll)
	if everybody && everywhere && len(s.ast.Conditions) == 0 && len(actions) == len(All()) {
		if s.ast.Effect == ast.EffectPermit {
			s.add(SeverityWarning, s.begin, "this permits everybody everything")
		} else {
			s.add(SeverityWarning, s.begin, "this forbids everybody everything")
		}
	}
	accounts := slices.ContainsFunc(actions, func(a Action) bool {
		return slices.Contains(words().resolved.Actions[actionUID(a)].AppliesTo.Resources, typeAccount)
	})
	switch sc := s.ast.Resource.(type) {
	case ast.ScopeTypeEq:
		if accounts && sc.Entity.Type == typeTarget {
			s.add(SeverityWarning, s.find(sc.Entity.String()), "this leaves out the target's accounts; write: resource in %s", sc.Entity)
		}
	case ast.ScopeTypeIs:
		if accounts && sc.Type == typeTarget {
			s.add(SeverityWarning, s.find("is Target"), "this leaves out the accounts of targets; leave the resource open, or write: resource in Target::\"id\" or in Tag::\"name\"")
		}
	}
}
