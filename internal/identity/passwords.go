package identity

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// ErrWeakPassword says that the new password is too short, too long or too easy to guess. The *WeakPasswordError around it tells.
var ErrWeakPassword = errors.New("identity: weak password")

// WeakPasswordError tells what is wrong with a new password; Reason is a sentence for people and never quotes it.
type WeakPasswordError struct{ Reason string }

func (e *WeakPasswordError) Error() string { return "identity: weak password: " + e.Reason }

// Is makes it an ErrWeakPassword.
func (e *WeakPasswordError) Is(target error) bool { return target == ErrWeakPassword }

//go:embed common_passwords.txt
var commonPasswordFile string

// commonPasswords are those everybody tries first, in lower case.
var commonPasswords = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(commonPasswordFile) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			set[line] = true
		}
	}
	return set
})

// NewPassword returns a random password, for those who would rather not think of one.
func NewPassword() string { return randomLetters(passwordLetters) }

// checkNewPassword holds a password that the user of that name shall have against the rules: a length, not the name, and
// none of those everybody tries first, whatever digits and signs stand around it. It asks for no kinds of characters.
func (s *Service) checkNewPassword(name, password string) error {
	switch {
	case !utf8.ValidString(password):
		return &WeakPasswordError{"A password is text."}
	case utf8.RuneCountInString(password) < s.minPassword:
		return &WeakPasswordError{fmt.Sprintf("A password has at least %d characters.", s.minPassword)}
	case len(password) > MaxPasswordBytes:
		return &WeakPasswordError{fmt.Sprintf("A password has at most %d bytes.", MaxPasswordBytes)}
	}
	lower := strings.ToLower(password)
	for _, guess := range []string{lower, strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })} {
		unit := repeated(guess)
		switch {
		case name != "" && (guess == name || unit == name || guess == strings.SplitN(name, "@", 2)[0]):
			return &WeakPasswordError{"The password is the name, or little more."}
		case commonPasswords()[guess] || commonPasswords()[unit] || (guess == lower && utf8.RuneCountInString(unit) < 4):
			return &WeakPasswordError{"The password is one of those that are tried first."}
		}
	}
	return nil
}

// repeated returns the shortest text that s is made of by repeating it; s itself when it repeats nothing.
func repeated(s string) string {
	// In s+s, s begins again after one unit.
	if i := strings.Index((s + s)[min(1, len(s)):], s); i >= 0 && s != "" {
		return s[:i+1]
	}
	return s
}
