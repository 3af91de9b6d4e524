package target

import (
	"errors"
	"fmt"
	"strings"
)

// What callers tell apart.
var (
	ErrNotFound       = errors.New("target: not found")
	ErrExists         = errors.New("target: the id is taken")
	ErrAccountExists  = errors.New("target: the account's name is taken")
	ErrUnknownAccount = errors.New("target: no such account")
	ErrNoAccount      = errors.New("target: it has no account to connect with")
	ErrWhichAccount   = errors.New("target: it has several accounts, and none is named")
	// ErrStale is returned for a change of another revision than there is by now.
	ErrStale = errors.New("target: changed meanwhile")
	// ErrConfigured is returned for a change of what the configuration file holds.
	ErrConfigured = errors.New("target: it is in the configuration file, which alone changes it")
	ErrTooMany    = errors.New("target: too many")
)

// InvalidError is a target or account that cannot be. Its problems quote no secret.
type InvalidError struct{ Problems []Problem }

// Problem is a value that is wrong.
type Problem struct {
	Path string // of the value, such as tls.fingerprint
	Text string // what is wrong
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("target: %s: %s", p.Path, p.Text)
	}
	return strings.Join(lines, "\n")
}
