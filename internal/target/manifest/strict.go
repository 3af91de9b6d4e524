package manifest

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vitrine-psm/vitrine/internal/config"
)

var (
	secretType          = reflect.TypeFor[config.Secret]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// strict compares nodes with the types they are decoded into, before they are: the decoder would take much that is a mistake,
// and its errors quote values, which may be secrets.
type strict struct {
	file  string
	lines map[string]int // of paths, for what is found wrong later
	fail  func(Problem)
}

func (s *strict) problem(n *yaml.Node, path, format string, args ...any) {
	s.fail(Problem{File: s.file, Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// value checks n against t. It tells false when n must not be decoded.
func (s *strict) value(path string, n *yaml.Node, t reflect.Type, depth int) bool {
	s.lines[path] = n.Line
	switch {
	case depth > maxDepth:
		s.problem(n, path, "is more than %d sections deep", maxDepth)
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		s.problem(n, path, "has an anchor or an alias, which are not taken here")
		return false
	case n.Tag != "" && !strings.HasPrefix(n.Tag, "!!"):
		s.problem(n, path, "has a tag of its own, which is not taken here")
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return true // "accounts:" with nothing below is not set
	}
	switch {
	case t == secretType:
		return s.scalar(path, n, "must be text: put it in quotes, or YAML reads it as something else", "!!str")
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		return s.scalar(path, n, "must be one value", "!!str", "!!int")
	}
	switch t.Kind() {
	case reflect.Struct:
		if n.Kind != yaml.MappingNode {
			s.problem(n, path, "must be a section with keys of its own")
			return false
		}
		return s.section(path, n, t, depth)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			s.problem(n, path, "must be a list")
			return false
		}
		good := true
		for i, item := range n.Content {
			good = s.value(fmt.Sprintf("%s[%d]", path, i), item, t.Elem(), depth+1) && good
		}
		return good
	case reflect.String:
		return s.scalar(path, n, "must be text: put it in quotes", "!!str")
	case reflect.Bool:
		return s.scalar(path, n, "must be true or false", "!!bool")
	default:
		return s.scalar(path, n, "must be a whole number", "!!int")
	}
}

func (s *strict) scalar(path string, n *yaml.Node, otherwise string, tags ...string) bool {
	if n.Kind == yaml.ScalarNode && slices.Contains(tags, n.Tag) {
		return true
	}
	s.problem(n, path, "%s", otherwise)
	return false
}

func (s *strict) section(path string, n *yaml.Node, t reflect.Type, depth int) bool {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fields[key] = f.Type
	}
	good := true
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		field, known := fields[key.Value]
		at := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str" || key.Anchor != "":
			s.problem(key, path, "has a key that is not a plain word")
			good = false
		case seen[key.Value]:
			s.problem(key, at, "is there twice")
			good = false
		case !known:
			hint := ""
			if near := config.Suggest(key.Value, fields); near != "" {
				hint = fmt.Sprintf(" (did you mean %q?)", near)
			}
			s.problem(key, clip(at), "is not known here%s", hint)
			good = false
		default:
			seen[key.Value] = true
			good = s.value(at, v, field, depth+1) && good
		}
	}
	return good
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// clip shortens what an error quotes.
func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
