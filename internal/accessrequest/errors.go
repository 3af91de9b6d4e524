package accessrequest

import "errors"

// What callers tell apart.
var (
	ErrNotFound = errors.New("accessrequest: no such request or grant")
	ErrOwn      = errors.New("accessrequest: nobody decides on their own request")
	ErrTwice    = errors.New("accessrequest: this person has decided already")
	ErrStale    = errors.New("accessrequest: the request changed meanwhile")
	ErrClosed   = errors.New("accessrequest: there is nothing left to decide")
	ErrTooMany  = errors.New("accessrequest: this person has too many undecided requests")
	ErrNoGrant  = errors.New("accessrequest: no grant is in force")
	ErrUsed     = errors.New("accessrequest: the grant was started as often as it may be")
	ErrBusy     = errors.New("accessrequest: as many sessions of the grant run as may")
)

// InvalidError says what is wrong with what somebody wrote, for them to mend.
type InvalidError struct {
	Field  string // as the API names it
	Detail string
}

func (e *InvalidError) Error() string { return "accessrequest: " + e.Field + ": " + e.Detail }

func invalid(field, detail string) error { return &InvalidError{Field: field, Detail: detail} }
