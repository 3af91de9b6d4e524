package config

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	durationType        = reflect.TypeFor[time.Duration]()
	secretType          = reflect.TypeFor[Secret]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// checker compares what a file holds with the types of this package before anything is decoded, so that its
// errors can name the path and never quote a secret.
type checker struct{ errs []error }

func (c *checker) fail(path, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("config: %s "+format, append([]any{path}, args...)...))
}

// object checks m against the struct type t and returns it without nulls: "http:" with nothing below is not set.
func (c *checker) object(path string, m map[string]any, t reflect.Type) map[string]any {
	fields := fieldTypes(t)
	out := make(map[string]any, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		field, known := fields[key]
		if !known {
			c.errs = append(c.errs, unknownKey(join(path, key), suggest(key, maps.Keys(fields)), path))
			continue
		}
		if m[key] == nil {
			continue
		}
		if v := c.value(join(path, key), m[key], field); v != nil {
			out[key] = v
		}
	}
	return out
}

func (c *checker) value(path string, v any, t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		if _, ok := v.(string); !ok {
			c.fail(path, "needs a duration with its unit, such as \"30s\" or \"5m\"")
			return nil
		}
		return v
	case t == secretType:
		if _, ok := v.(string); !ok {
			c.fail(path, "must be text: put it in quotes, or YAML reads it as something else")
			return nil
		}
		return v
	case reflect.PointerTo(t).Implements(textUnmarshalerType):
		switch v := v.(type) {
		case string:
			return v
		case int:
			return strconv.Itoa(v)
		}
		c.fail(path, "must be one value, not a list or a section")
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			c.fail(path, "must be a section with keys of its own")
			return nil
		}
		return c.object(path, m, t)
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			c.fail(path, "must be a list")
			return nil
		}
		out := make([]any, 0, len(list))
		for i, item := range list {
			if item = c.value(fmt.Sprintf("%s[%d]", path, i), item, t.Elem()); item != nil {
				out = append(out, item)
			}
		}
		return out
	case reflect.String:
		if _, ok := v.(string); !ok {
			c.fail(path, "must be text: put it in quotes")
			return nil
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			c.fail(path, "must be true or false")
			return nil
		}
	case reflect.Int, reflect.Int64:
		if _, ok := v.(int); !ok {
			c.fail(path, "must be a whole number")
			return nil
		}
	}
	return v
}

// fieldTypes returns the keys of a struct type.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fields[key] = f.Type
	}
	return fields
}

// environmentNames maps the variable of every key that has one to the key's path.
func environmentNames(prefix string, t reflect.Type) map[string]string {
	names := map[string]string{}
	for key, ft := range fieldTypes(t) {
		path := join(prefix, key)
		leaf := ft.Kind() != reflect.Struct || reflect.PointerTo(ft).Implements(textUnmarshalerType)
		switch {
		case !leaf:
			maps.Copy(names, environmentNames(path, ft))
		case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
			// A list of sections has no variables.
		default:
			names[EnvPrefix+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))] = path
		}
	}
	return names
}

func unknownKey(key, suggestion, section string) error {
	if suggestion == "" {
		return fmt.Errorf("config: unknown key %q", key)
	}
	return fmt.Errorf("config: unknown key %q (did you mean %q?)", key, join(section, suggestion))
}

// suggest returns the candidate nearest to word, or "" if none is near.
func suggest(word string, candidates func(func(string) bool)) string {
	best, bestDistance := "", max(2, len(word)/4)+1
	for _, c := range slices.Sorted(candidates) {
		if d := editDistance(word, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, changes and swaps of neighbours that turn a into b.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Suggest returns the key of fields nearest to word, or "" if none is near.
func Suggest[V any](word string, fields map[string]V) string {
	if len(word) > maxSuggested {
		return ""
	}
	return suggest(word, maps.Keys(fields))
}

// maxSuggested bounds the words that are compared, in bytes: the time goes with their length.
const maxSuggested = 100
