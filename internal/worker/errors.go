package worker

import (
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/session"
)

// What the Manager refuses. The text of the wrapping error says more.
var (
	// ErrNotFound: there is no running session of that id.
	ErrNotFound = errors.New("worker: no such session")
	// ErrExists: there is a session of that id, or its spool folder.
	ErrExists = errors.New("worker: the session exists")
	// ErrEnded: the session has ended or is just ending.
	ErrEnded = errors.New("worker: the session has ended")
	// ErrShutdown: the Manager takes no new sessions.
	ErrShutdown = errors.New("worker: shutting down")

	// ErrOffer: the SDP offer cannot be answered.
	ErrOffer = errors.New("worker: unusable offer")
	// ErrFragment: the candidates cannot be read.
	ErrFragment = errors.New("worker: unusable candidates")
	// ErrRules: rules of detection cannot be used.
	ErrRules = errors.New("worker: unusable rules")
	// ErrTooManyViewers: the session is full.
	ErrTooManyViewers = errors.New("worker: too many viewers")
	// ErrControlTaken: another person has control.
	ErrControlTaken = errors.New("worker: another person has control")
	// ErrUnknownViewer: the session has no viewer of that id.
	ErrUnknownViewer = errors.New("worker: unknown viewer")
)

// RefusedError is what a session refused a supervisor. Code is session.Refusal's, Message a sentence for people.
type RefusedError struct{ Code, Message string }

func (e *RefusedError) Error() string { return fmt.Sprintf("worker: %s: %s", e.Code, e.Message) }

// EndError is why a session could not be started: the code and the sentence for people are those of End, and the same as
// in the recording if there is one. Err, if any, is for the log.
type EndError struct {
	session.End
	Err error
}

func (e *EndError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("worker: %s: %v", e.Code, e.Err)
	}
	return fmt.Sprintf("worker: %s: %s", e.Code, e.Message)
}

func (e *EndError) Unwrap() error { return e.Err }

func endError(code session.EndCode, detail string, err error) *EndError {
	return &EndError{session.NewEnd(code, detail), err}
}
