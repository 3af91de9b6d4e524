package detect

import "slices"

// Finding is a pattern of a rule, or a word of its lists, that is in a text.
type Finding struct {
	Kind    string // any, all, none, list
	Pattern string // or the word
	In      string // the form of the text that it is in, bounded
}

// Explain tells which patterns and words of a rule are in a line, for whoever writes it. Whether the rule fits is for [Set.Match] to say.
func (s *Set) Explain(line string) (out []Finding) {
	line = clip(line, maxText)
	t := Tidy(line)
	forms := append([]string{t.Raw, t.Whole}, t.Commands...)
	for _, c := range s.rules {
		for _, list := range []struct {
			kind     string
			patterns []pattern
			forms    []string
		}{{"any", c.any, forms}, {"all", c.all, t.Commands}, {"none", c.none, forms}} {
			for _, p := range list.patterns {
				if i := slices.IndexFunc(list.forms, p.re.MatchString); i >= 0 {
					out = append(out, Finding{list.kind, p.re.String(), excerpt(list.forms[i])})
				}
			}
		}
		for _, w := range wordsOf(line, s.rules) {
			if c.words[w] && !slices.ContainsFunc(out, func(f Finding) bool { return f.Kind == "list" && f.Pattern == w }) {
				out = append(out, Finding{"list", w, excerpt(t.Whole)})
			}
		}
	}
	return out
}
