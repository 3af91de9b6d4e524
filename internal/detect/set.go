package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Set is rules ready to be tried. It never changes and may be used by several at once.
type Set struct {
	rules []*compiled
	of    map[Source][]*compiled
	holds bool // some rule does more than alert
}

type compiled struct {
	rule           *Rule
	any, all, none []pattern
	words          map[string]bool // of its lists, in lower case
}

// pattern is one RE2 with what a text must contain for it.
type pattern struct {
	re   *regexp.Regexp
	need []sifted // in lower case, one of them; nil: not known
}

// Hit is a rule that fits a text.
type Hit struct {
	Rule    *Rule
	Source  Source
	Excerpt string // what of the text, bounded
	Actor   string // set by a Detector
}

// Compile makes a Set of the enabled rules. What is wrong is told by a *RuleError.
func Compile(rules []Rule, lists []List) (*Set, error) {
	if len(rules) > MaxRules {
		return nil, &RuleError{What: fmt.Sprintf("%d rules, want at most %d", len(rules), MaxRules)}
	}
	if len(lists) > MaxLists {
		return nil, &RuleError{What: fmt.Sprintf("%d lists, want at most %d", len(lists), MaxLists)}
	}
	words := map[string]map[string]bool{}
	for i := range lists {
		if err := lists[i].Check(); err != nil {
			return nil, err
		}
		if words[lists[i].Name] != nil {
			return nil, &RuleError{ID: lists[i].Name, What: "there are two lists of this name"}
		}
		set := map[string]bool{}
		for _, w := range lists[i].Words {
			set[strings.ToLower(w)] = true
		}
		words[lists[i].Name] = set
	}
	s := &Set{of: map[Source][]*compiled{}}
	size, seen := 0, map[string]bool{}
	for i := range rules {
		r := rules[i]
		if err := r.Check(); err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, &RuleError{ID: r.ID, What: "there are two rules of this id"}
		}
		seen[r.ID] = true
		for _, name := range r.Lists {
			if words[name] == nil {
				return nil, &RuleError{ID: r.ID, What: fmt.Sprintf("there is no list %q", clip(name, 64))}
			}
		}
		if r.Disabled {
			continue
		}
		c, n, err := compileRule(&r, words)
		if err != nil {
			return nil, &RuleError{ID: r.ID, What: err.Error()}
		}
		if size += n; size > maxProgram {
			return nil, &RuleError{ID: r.ID, What: "the patterns of all rules together are too large"}
		}
		s.rules = append(s.rules, c)
		for _, source := range r.Sources {
			s.of[source] = append(s.of[source], c)
		}
		s.holds = s.holds || r.Action != ActionAlert
	}
	return s, nil
}

func compileRule(r *Rule, words map[string]map[string]bool) (*compiled, int, error) {
	c := &compiled{rule: r}
	size := 0
	var errs error
	all := func(list []string) (out []pattern) {
		for _, p := range list {
			re, n, err := compile(p)
			if err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			size += n
			var need []sifted
			for _, n := range required(p) {
				need = append(need, newSifted(n))
			}
			out = append(out, pattern{re, need})
		}
		return out
	}
	c.any, c.all, c.none = all(r.Any), all(r.All), all(r.None)
	for _, name := range r.Lists {
		if c.words == nil {
			c.words = map[string]bool{}
		}
		for w := range words[name] {
			c.words[w] = true
		}
	}
	return c, size, errs
}

// Len is the number of rules.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.rules)
}

// Rules returns the rules that are tried.
func (s *Set) Rules() []Rule {
	var out []Rule
	if s != nil {
		for _, c := range s.rules {
			out = append(out, *c.rule)
		}
	}
	return out
}

// Uses tells whether some rule looks at a source.
func (s *Set) Uses(source Source) bool { return s != nil && len(s.of[source]) > 0 }

// Match returns the rules that fit a text of a source, each once, in their order. A long text is looked at line by line.
func (s *Set) Match(source Source, text string) []Hit {
	if s == nil || len(s.of[source]) == 0 || strings.TrimSpace(text) == "" {
		return nil
	}
	var hits []Hit
	done := map[*compiled]bool{}
	for piece := range pieces(text) {
		lower, words := newSifted(lowered(piece)), wordsOf(piece, s.of[source])
		var live []*compiled // those whose words are there at all
		for _, c := range s.of[source] {
			if !done[c] && c.possible(&lower, words) {
				live = append(live, c)
			}
		}
		if len(live) == 0 {
			continue
		}
		t := Tidy(piece)
		for _, c := range live {
			if !c.fits(&t, &lower, words) {
				continue
			}
			done[c] = true
			if hits = append(hits, Hit{Rule: c.rule, Source: source, Excerpt: excerpt(piece)}); len(hits) == maxHits {
				return hits
			}
		}
	}
	return hits
}

// lowered is every form of a text that patterns are tried on, in lower case, one after the other.
func lowered(s string) string {
	plain := strings.ReplaceAll(strings.ToLower(s), "\u017f", "s") // the long s, which (?i)s takes for one
	tidy := strings.ReplaceAll(strings.ToLower(squeeze(unquote(s))), "\u017f", "s")
	if tidy == plain && !strings.Contains(tidy, ".exe") {
		return plain
	}
	return plain + "\n" + tidy + "\n" + strings.ReplaceAll(tidy, ".exe", "")
}

// possible tells whether a text, lowered and in words, has what the rule cannot do without.
func (c *compiled) possible(lower *sifted, words []string) bool {
	if len(c.words) > 0 && slices.ContainsFunc(words, func(w string) bool { return c.words[w] }) {
		return true
	}
	has := func(p pattern) bool { return p.possible(lower) }
	if len(c.all) > 0 && !slices.ContainsFunc(c.all, func(p pattern) bool { return !has(p) }) {
		return true
	}
	return slices.ContainsFunc(c.any, has)
}

// possible tells whether a text, lowered, has what the pattern cannot do without; where it is nil that is not known.
func (p *pattern) possible(lower *sifted) bool {
	if p.need == nil || lower == nil {
		return true
	}
	for i := range p.need {
		if lower.has(&p.need[i]) {
			return true
		}
	}
	return false
}

// fits tells whether the rule fits a text, of which lower is all that lowered makes and words are those of wordsOf.
func (c *compiled) fits(t *Text, lower *sifted, words []string) bool {
	clean := func(s string) bool {
		return !slices.ContainsFunc(c.none, func(p pattern) bool { return p.possible(lower) && p.re.MatchString(s) })
	}
	for _, p := range c.any {
		if !p.possible(lower) {
			continue
		}
		for _, cmd := range t.Commands {
			if p.re.MatchString(cmd) && clean(cmd) {
				return true
			}
		}
		if p.re.MatchString(t.Whole) && clean(t.Whole) || p.re.MatchString(t.Raw) && clean(t.Raw) {
			return true
		}
	}
	if len(c.all) > 0 {
		for _, cmd := range t.Commands {
			if !slices.ContainsFunc(c.all, func(p pattern) bool { return !p.re.MatchString(cmd) }) && clean(cmd) {
				return true
			}
		}
	}
	for _, w := range words {
		if c.words[w] && clean(t.Whole) {
			return true
		}
	}
	return false
}

// wordsOf takes a text apart into words in lower case, where a rule of list needs them.
func wordsOf(text string, list []*compiled) []string {
	if !slices.ContainsFunc(list, func(c *compiled) bool { return c != nil && len(c.words) > 0 }) {
		return nil
	}
	var out []string
	forms := []string{text}
	if plain := unquote(text); plain != text {
		forms = append(forms, plain)
	}
	for _, form := range forms {
		for word := range strings.FieldsFuncSeq(strings.ToLower(form), func(c rune) bool {
			return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '.' && c != '-' && c != '_'
		}) {
			out = append(out, word)
			if base, _, cut := strings.Cut(strings.TrimLeft(word, "-"), "."); cut || base != word {
				out = append(out, base, strings.TrimRight(word, "."))
			}
		}
	}
	return out
}

// pieces yields the lines of a text, long ones in parts that overlap.
func pieces(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		for line := range strings.SplitSeq(text, "\n") {
			for len(line) > maxText {
				end := maxText
				for !utf8.RuneStart(line[end]) {
					end--
				}
				if n++; n > maxPieces || !yield(line[:end]) {
					return
				}
				next := end - overlap
				for !utf8.RuneStart(line[next]) {
					next--
				}
				line = line[next:]
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			if n++; n > maxPieces || !yield(line) {
				return
			}
		}
	}
}

// excerpt is what is quoted of a text.
func excerpt(s string) string { return clip(squeeze(s), maxExcerpt) }

// clip shortens s to n bytes at the edge of a character.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
