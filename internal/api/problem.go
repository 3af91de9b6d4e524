package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
)

// Error is a refusal a caller sees as a problem document (RFC 9457). Code is stable, Detail a sentence for people.
// Err, if any, is the cause, for the log only.
type Error struct {
	Status int
	Code   string
	Detail string
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("api: %s: %v", e.Code, e.Err)
	}
	return fmt.Sprintf("api: %s: %s", e.Code, e.Detail)
}

func (e *Error) Unwrap() error { return e.Err }

// Codes of problems that have no error of their own elsewhere.
const (
	codeInternal         = "internal"
	codeNotFound         = "not_found"
	codeMethodNotAllowed = "method_not_allowed"
	codeRequestInvalid   = "request_invalid"
	codeBodyTooLarge     = "body_too_large"
	codeMediaType        = "unsupported_media_type"
	codeUnauthenticated  = "unauthenticated"
	codeCrossOrigin      = "cross_origin"
	codeForbidden        = "forbidden"
)

// errorOf says what a caller sees of err.
func errorOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{http.StatusRequestEntityTooLarge, codeBodyTooLarge, fmt.Sprintf("A request has at most %d bytes.", e.Limit), err}
	}
	if e, ok := errors.AsType[*policy.DeniedError](err); ok {
		return &Error{http.StatusForbidden, codeForbidden, fmt.Sprintf("You may not do this: %s.", e.Reason), err}
	}
	if _, ok := errors.AsType[*identity.ThrottledError](err); ok {
		return &Error{http.StatusTooManyRequests, "sign_in_throttled", "Too many failed tries. Wait a moment before the next.", err}
	}
	if e, ok := errors.AsType[*recording.CorruptError](err); ok {
		return &Error{
			http.StatusUnprocessableEntity, "recording_corrupt",
			fmt.Sprintf("The file %s of this recording is not what was recorded: it was damaged or altered.", e.File), err,
		}
	}
	for _, known := range []struct {
		is     error
		status int
		code   string
		detail string
	}{
		{identity.ErrBadCredentials, http.StatusUnauthorized, "sign_in_failed", "The name or the password is wrong."},
		{identity.ErrNotSignedIn, http.StatusUnauthorized, codeUnauthenticated, "The sign-in has expired or was never there."},
		{target.ErrNotFound, http.StatusNotFound, "target_not_found", "There is no such target."},
		{recording.ErrNotFound, http.StatusNotFound, "recording_not_found", "There is no such recording, or it has no such file."},
		{recording.ErrNotSealed, http.StatusConflict, "recording_not_sealed", "The recording is not sealed yet."},
		{recording.ErrEmpty, http.StatusConflict, "recording_empty", "The session ended before a picture was recorded."},
		{recording.ErrCursor, http.StatusBadRequest, codeRequestInvalid, "The cursor in \"after\" is not one this recording gave out."},
		{recording.ErrFormatVersion, http.StatusUnprocessableEntity, "recording_version", "The recording was made by a later version of Vitrine."},
		{store.ErrNotFound, http.StatusNotFound, "session_not_found", "There is no such session."},
		{context.DeadlineExceeded, http.StatusGatewayTimeout, "timeout", "It took too long."},
	} {
		if errors.Is(err, known.is) {
			return &Error{known.status, known.code, known.detail, err}
		}
	}
	return &Error{http.StatusInternalServerError, codeInternal, "The gateway failed; its log tells why under the id of this request.", err}
}

// fail answers with the problem err is, and leaves err for the request's log line. An answer that has begun it breaks off,
// so that nobody takes it for whole.
func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	e := errorOf(err)
	if t, ok := errors.AsType[*identity.ThrottledError](err); ok {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(t.RetryAfter.Seconds()))))
	}
	p := apigen.Problem{Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Code: e.Code, Detail: &e.Detail}
	if id := telemetry.RequestID(c.Request.Context()); id != "" {
		p.Instance = &id
	}
	body, err := json.Marshal(p)
	if err != nil { // a struct of strings and a number
		panic(err)
	}
	h := c.Writer.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "ETag", "Last-Modified"} {
		h.Del(name) // set for the answer that did not come about
	}
	h.Set("Cache-Control", "no-store")
	c.Data(e.Status, "application/problem+json", body)
}
