package policy

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// A shapeError is why a text is not even given to the parser.
type shapeError struct {
	offset int
	what   string
}

func (e *shapeError) Error() string { return e.what }

// checkShape bounds what the parser and the checker, which recurse, have to work on.
func checkShape(text string) error {
	if len(text) > maxTextBytes {
		return &shapeError{0, fmt.Sprintf("the text has %d bytes, want at most %d", len(text), maxTextBytes)}
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			return &shapeError{i, "the text is not UTF-8"}
		}
		i += n
	}
	depth, signs, begin := 0, 0, 0
	for at := range code(text) {
		c := text[at]
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ';':
			begin = at + 1
		}
		switch c {
		case '!', '-':
			signs++
		case ' ', '\t', '\r', '\n':
		default:
			signs = 0
		}
		switch {
		case depth > maxNesting:
			return &shapeError{at, fmt.Sprintf("brackets nest more than %d deep", maxNesting)}
		case signs > maxSigns:
			return &shapeError{at, fmt.Sprintf("more than %d signs in a row", maxSigns)}
		case at-begin > maxStatementBytes:
			return &shapeError{begin, fmt.Sprintf("a statement has more than %d bytes", maxStatementBytes)}
		}
	}
	return nil
}

// code goes through the offsets of text that are neither in a string nor in a comment. A string's quotes are not code.
func code(text string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '"':
				for i++; i < len(text) && text[i] != '"'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
			case strings.HasPrefix(text[i:], "//"):
				end := strings.IndexByte(text[i:], '\n')
				if end < 0 {
					return
				}
				i += end
			default:
				if !yield(i) {
					return
				}
			}
		}
	}
}

// position returns line and column, from 1, of an offset; columns count characters.
func position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}
