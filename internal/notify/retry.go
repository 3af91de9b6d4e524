package notify

import (
	"errors"
	"math/rand/v2"
	"time"
)

var errNoChannel = permanent(errors.New("notify: its webhook or mail server is not configured any more"))

// permanentError is a failure that another try would not mend.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func permanent(err error) error { return &permanentError{err} }

func isPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

// backoff is how long to wait after the given number of failed tries: twice as long each time, with some chance in it, so
// that a server that comes back is not met by everybody at once.
func backoff(attempt int) time.Duration {
	wait := min(firstWait<<min(attempt-1, 20), maxWait)
	return wait + rand.N(wait/2)
}
