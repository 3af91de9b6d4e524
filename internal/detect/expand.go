package detect

import (
	"slices"
	"strings"
	"unicode"
)

// expand does what a shell does to a line before it runs it: it puts lines of its history, or words of them, in the place of what names them
// by "!" (bash's HISTORY EXPANSION, without modifiers), or by "^old^new^" at its beginning. known is unset where what is named is not among
// the lines of this session, or nobody can say from here; that part stays as it was typed.
func expand(line string, history []string) (out string, known bool) {
	if old, rest, ok := strings.Cut(strings.TrimPrefix(line, "^"), "^"); ok && strings.HasPrefix(line, "^") && old != "" {
		fresh, rest, _ := strings.Cut(rest, "^")
		if last, ok := at(history, 1); ok && strings.Contains(last, old) {
			return strings.Replace(last, old, fresh, 1) + rest, true
		}
		return line, false
	}
	known = true
	var b strings.Builder
	single, double := false, false
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == '\\' && !single && i+1 < len(line):
			b.WriteString(line[i : i+2])
			i += 2
			continue
		case c == '\'' && !double:
			single = !single
		case c == '"' && !single:
			double = !double
		case c == '!' && !single:
			text, n, ok := designated(line[i:], history, double)
			if n > 0 {
				known = known && ok
				if i += n; ok {
					b.WriteString(text)
				} else {
					b.WriteString(line[i-n : i])
				}
				if b.Len() > 4*maxLineRunes {
					return b.String(), false
				}
				continue
			}
		}
		b.WriteByte(c)
		i++
	}
	return b.String(), known
}

// at is a line of the history, 1 the last one.
func at(history []string, back int) (string, bool) {
	if back < 1 || back > len(history) {
		return "", false
	}
	return history[len(history)-back], true
}

// designated reads what "!" at the beginning of s stands for: n bytes of it, 0 when it is nothing but an exclamation mark.
func designated(s string, history []string, quoted bool) (text string, n int, ok bool) {
	if len(s) < 2 || strings.ContainsRune(" \t\n=(", rune(s[1])) || quoted && s[1] == '"' {
		return "", 0, false
	}
	event := ""
	switch c := s[1]; {
	case c == '!':
		event, ok = at(history, 1)
		n = 2
	case strings.ContainsRune("$^*", rune(c)): // words of the last line
		event, ok = at(history, 1)
		n = 1
	case c == '-' || c >= '0' && c <= '9':
		n = 2
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		back := 0
		for _, d := range s[2:n] {
			back = min(back*10+int(d-'0'), maxHistory+1)
		}
		if c == '-' { // the number of a line is bash's own affair
			event, ok = at(history, back)
		}
	case c == '?':
		want, _, _ := strings.Cut(s[2:], "?")
		if n = 2 + len(want); n < len(s) {
			n++
		}
		event, ok = lastLine(history, func(l string) bool { return want != "" && strings.Contains(l, want) })
	default:
		n = 1 + strings.IndexFunc(s[1:]+" ", func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`:;&|<>()"'^$*%-`, r) })
		event, ok = lastLine(history, func(l string) bool { return strings.HasPrefix(l, s[1:n]) })
	}
	if n < len(s) && s[n] == ':' {
		n++
		if n == len(s) || !strings.ContainsRune("$^*", rune(s[n])) {
			return "", n, false // modifiers and other words
		}
	}
	if n < len(s) && strings.ContainsRune("%-", rune(s[n])) {
		return "", n, false
	}
	if n == len(s) || !strings.ContainsRune("$^*", rune(s[n])) {
		return event, n, ok
	}
	words := strings.Fields(event)
	if ok = ok && len(words) > 0; !ok {
		return "", n + 1, false
	}
	switch s[n] {
	case '$':
		text = words[len(words)-1]
	case '^':
		if len(words) > 1 {
			text = words[1]
		}
	case '*':
		text = strings.Join(words[1:], " ")
	}
	return text, n + 1, true
}

func lastLine(history []string, is func(string) bool) (string, bool) {
	for _, line := range slices.Backward(history) {
		if is(line) {
			return line, true
		}
	}
	return "", false
}
