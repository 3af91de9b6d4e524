package sensitive

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotText = errors.New("sensitive: not a text of JSON")

// Text is text of JSON as bytes, which can be wiped; a string cannot.
type Text []byte

// UnmarshalJSON implements json.Unmarshaler for a JSON string.
func (t *Text) UnmarshalJSON(b []byte) error {
	text, err := Unquote(b)
	*t = text
	return err
}

// Unquote reads a JSON string into bytes without making a string of it on the way. Lone surrogates become U+FFFD, as
// encoding/json has it.
func Unquote(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return nil, errNotText
	}
	b = b[1 : len(b)-1]
	out := make([]byte, 0, len(b)+utf8.UTFMax) // never grows: an escape is at least as long as what it stands for
	for len(b) > 0 {
		c := b[0]
		switch {
		case c == '\\':
			text, n, err := escape(b)
			if err != nil {
				return nil, err
			}
			out, b = utf8.AppendRune(out, text), b[n:]
			continue
		case c == '"' || c < ' ':
			return nil, errNotText
		}
		r, n := utf8.DecodeRune(b)
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	return out, nil
}

// escape reads the escape at the beginning of b and says how long it is.
func escape(b []byte) (rune, int, error) {
	if len(b) < 2 {
		return 0, 0, errNotText
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2, nil
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
		first, ok := unit(b)
		if !ok {
			return 0, 0, errNotText
		}
		if !utf16.IsSurrogate(first) {
			return first, 6, nil
		}
		if second, ok := unit(b[6:]); ok {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return r, 12, nil
			}
		}
		return utf8.RuneError, 6, nil
	}
	return 0, 0, errNotText
}

// unit reads \uXXXX.
func unit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
