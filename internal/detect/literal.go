package detect

import (
	"regexp/syntax"
	"strings"
	"unicode"
)

// maxNeed bounds the alternatives that required follows.
const maxNeed = 64

// required returns strings in lower case of which a text must contain one for the pattern to fit it, and nil when there are none
// to tell. It lets nearly every rule be left out by a search for plain strings.
func required(pattern string) []string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return needOf(tree)
}

func needOf(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			if c >= unicode.MaxASCII { // its lower case may be of another length, or several
				return nil
			}
		}
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return needOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needOf(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if need := needOf(sub); need != nil && better(need, best) {
				best = need
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			need := needOf(sub)
			if need == nil || len(all)+len(need) > maxNeed {
				return nil
			}
			all = append(all, need...)
		}
		return all
	}
	return nil
}

// better tells whether a is the sharper test: what counts is the shortest of its strings.
func better(a, b []string) bool {
	if b == nil {
		return true
	}
	return shortest(a) > shortest(b) || shortest(a) == shortest(b) && len(a) < len(b)
}

func shortest(list []string) int {
	n := len(list[0])
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}
