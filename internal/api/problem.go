package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/vitrine-psm/vitrine/internal/access"
	"github.com/vitrine-psm/vitrine/internal/accessrequest"
	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/custody"
	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/identity/factor"
	"github.com/vitrine-psm/vitrine/internal/identity/oidc"
	"github.com/vitrine-psm/vitrine/internal/native"
	"github.com/vitrine-psm/vitrine/internal/notify"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/review"
	"github.com/vitrine-psm/vitrine/internal/rules"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
	"github.com/vitrine-psm/vitrine/internal/target/manifest"
	"github.com/vitrine-psm/vitrine/internal/telemetry"
	"github.com/vitrine-psm/vitrine/internal/ticket"
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
	codeTargetInvalid    = "target_invalid"
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
	if _, ok := errors.AsType[*ticket.TooManyError](err); ok {
		return &Error{http.StatusTooManyRequests, "rate_limited", "Too many tickets in a short time. Wait a moment.", err}
	}
	if e, ok := errors.AsType[*LimitedError](err); ok {
		return &Error{http.StatusTooManyRequests, "rate_limited", fmt.Sprintf("Too many %s in a short time. Wait a moment.", e.What), err}
	}
	if e, ok := errors.AsType[*identity.WeakPasswordError](err); ok {
		return &Error{http.StatusUnprocessableEntity, "password_weak", e.Reason, err}
	}
	if e, ok := errors.AsType[*identity.InvalidError](err); ok {
		return &Error{http.StatusUnprocessableEntity, "invalid_" + e.Field, e.Reason, err}
	}
	if e, ok := errors.AsType[*manifest.InvalidError](err); ok {
		return &Error{http.StatusUnprocessableEntity, "import_invalid", e.Error(), err}
	}
	if e, ok := errors.AsType[*target.InvalidError](err); ok {
		return &Error{http.StatusUnprocessableEntity, codeTargetInvalid, invalidTarget(e), err}
	}
	if e, ok := errors.AsType[*recording.CorruptError](err); ok {
		return &Error{
			http.StatusUnprocessableEntity, "recording_corrupt",
			fmt.Sprintf("The file %s of this recording is not what was recorded: it was damaged or altered.", e.File), err,
		}
	}
	if e, ok := errors.AsType[*policy.TextError](err); ok {
		return &Error{http.StatusUnprocessableEntity, "policy_invalid", "The text has errors: " + e.First() + ".", err}
	}
	if e, ok := errors.AsType[*detect.RuleError](err); ok {
		return &Error{http.StatusUnprocessableEntity, "rule_invalid", wrongRule(e), err}
	}
	if e, ok := errors.AsType[*policy.InvalidError](err); ok {
		return &Error{http.StatusUnprocessableEntity, codeRequestInvalid, fmt.Sprintf("It cannot be saved: %s.", e.What), err}
	}
	if e, ok := errors.AsType[*access.NeededError](err); ok {
		return &Error{http.StatusForbidden, e.Code, e.Detail(), err}
	}
	if e, ok := errors.AsType[*access.CrowdedError](err); ok {
		return &Error{http.StatusConflict, access.EndSessionLimit, e.Detail(), err}
	}
	if e, ok := errors.AsType[*accessrequest.InvalidError](err); ok {
		return &Error{http.StatusBadRequest, codeRequestInvalid, fmt.Sprintf("The member %q %s.", e.Field, e.Detail), err}
	}
	for _, known := range []struct {
		is     error
		status int
		code   string
		detail string
	}{
		{native.ErrCode, http.StatusConflict, "sign_in_not_waiting", "No sign-in waits for this code. It is good for five minutes."},
		{identity.ErrBadCredentials, http.StatusUnauthorized, "sign_in_failed", "The name or the password is wrong."},
		{identity.ErrSecondFactor, http.StatusUnauthorized, "second_factor_wrong", "The code is wrong or was used before, or the passkey was not the right one."},
		{identity.ErrPendingOver, http.StatusUnauthorized, "sign_in_over", "This sign-in took too long or was finished already. Begin anew."},
		{identity.ErrEnrolFirst, http.StatusConflict, "other_step", "The sign-in waits for another step than this."},
		{identity.ErrDirectory, http.StatusServiceUnavailable, "directory_unreachable", "The directory cannot be asked now. Try again later."},
		{identity.ErrUserDisabled, http.StatusForbidden, "user_disabled", "You may not sign in here."},
		{identity.ErrNameTaken, http.StatusConflict, "name_taken", "Somebody else has your name here. Ask an administrator."},
		{factor.ErrWrong, http.StatusUnprocessableEntity, "second_factor_wrong", "The code is wrong or was used before, or the passkey was not the right one."},
		{factor.ErrExpired, http.StatusConflict, "ceremony_over", "This took too long or was finished already. Begin anew."},
		{factor.ErrUnknown, http.StatusNotFound, "factor_not_found", "There is no such second factor."},
		{factor.ErrName, http.StatusBadRequest, codeRequestInvalid, "A passkey needs a name of at most 64 bytes."},
		{factor.ErrTooMany, http.StatusConflict, "too_many_passkeys", "You have as many passkeys as you may."},
		{factor.ErrExists, http.StatusConflict, "passkey_exists", "This passkey is enrolled already."},
		{factor.ErrNoPasskeys, http.StatusConflict, "no_passkeys", "Passkeys do not work at this gateway's address."},
		{oidc.ErrUnknown, http.StatusNotFound, "provider_not_found", "There is no such provider."},
		{oidc.ErrExpired, http.StatusConflict, "sign_in_over", "This sign-in took too long or was finished already. Begin anew."},
		{oidc.ErrUnreachable, http.StatusServiceUnavailable, "provider_unreachable", "The provider cannot be reached now. Try again later."},
		{oidc.ErrCancelled, http.StatusForbidden, "provider_cancelled", "The provider did not sign you in."},
		{oidc.ErrNotAllowed, http.StatusForbidden, "provider_not_allowed", "You are none of those who may sign in from this provider."},
		{oidc.ErrRefused, http.StatusBadGateway, "provider_refused", "What the provider says of you is not as it must be; the gateway's log tells why."},
		{identity.ErrNotSignedIn, http.StatusUnauthorized, codeUnauthenticated, "The sign-in has expired or was never there."},
		{identity.ErrUnknownUser, http.StatusNotFound, "user_not_found", "There is no such user."},
		{identity.ErrUnknownGroup, http.StatusNotFound, "group_not_found", "There is no such group."},
		{identity.ErrUnknownSignIn, http.StatusNotFound, "sign_in_not_found", "There is no such sign-in, or it is over."},
		{identity.ErrUnknownToken, http.StatusNotFound, "token_not_found", "There is no such token."},
		{identity.ErrTooManyTokens, http.StatusConflict, "too_many_tokens", fmt.Sprintf("Nobody has more than %d tokens. Revoke one first.", identity.MaxTokensPerUser)},
		{identity.ErrExists, http.StatusConflict, "name_taken", "The name is taken."},
		{identity.ErrLastAdministrator, http.StatusConflict, "last_administrator", "Nobody who can sign in would be left to administer the gateway."},
		{identity.ErrNotLocal, http.StatusConflict, "user_not_local", "This user signs in elsewhere and has no password here."},
		{identity.ErrSetupDone, http.StatusConflict, "setup_done", "The gateway is set up already. Sign in."},
		{identity.ErrBadSetupCode, http.StatusForbidden, "setup_code_wrong", "The code is not the one the gateway printed at its last start."},
		{target.ErrNotFound, http.StatusNotFound, "target_not_found", "There is no such target."},
		{target.ErrUnknownAccount, http.StatusNotFound, "account_not_found", "The target has no such account."},
		{target.ErrExists, http.StatusConflict, "target_exists", "Another target has this id."},
		{target.ErrAccountExists, http.StatusConflict, "account_exists", "Another account of this target has this name."},
		{manifest.ErrOtherPlan, http.StatusConflict, "stale", "The targets have changed since the plan was made. Look at it again."},
		{target.ErrStale, http.StatusConflict, "stale", "Somebody else has changed this meanwhile. Look at it again, then make your change."},
		{target.ErrConfigured, http.StatusConflict, "target_configured", "This target is in the gateway's configuration file, which alone changes it."},
		{target.ErrNoAccount, http.StatusConflict, "no_account", "The target has no account to connect with."},
		{target.ErrWhichAccount, http.StatusUnprocessableEntity, "account_needed", "The target has several accounts: say which."},
		{target.ErrTooMany, http.StatusConflict, "too_many", "There are as many as there can be."},
		{review.ErrOff, http.StatusConflict, "search_off", "The gateway is configured to keep no index of recordings. One recording can be searched in its player."},
		{review.ErrTooShort, http.StatusBadRequest, codeRequestInvalid, "Look for at least three characters in a row."},
		{review.ErrCursor, http.StatusBadRequest, codeRequestInvalid, "The cursor is not one that a search gave out."},
		{store.ErrTooMany, http.StatusConflict, "too_many", "There are as many as there can be."},
		{store.ErrHeld, http.StatusConflict, "recording_held", "The recording is on legal hold. Release the hold first."},
		{store.ErrNotHeld, http.StatusConflict, "recording_not_held", "There is no legal hold on this recording."},
		{store.ErrDeleted, http.StatusGone, "recording_deleted", "The recording is deleted, or about to be."},
		{custody.ErrNotSealed, http.StatusConflict, "recording_not_sealed", "The recording is not sealed yet."},
		{custody.ErrNotEncrypted, http.StatusConflict, "recording_not_encrypted", "The recording is not encrypted: there is no key to destroy."},
		{custody.ErrStoreBehind, http.StatusServiceUnavailable, "store_unavailable", "The store of recordings cannot be told now. Try again later."},
		{recording.ErrNotFound, http.StatusNotFound, "recording_not_found", "There is no such recording, or it has no such file."},
		{recording.ErrNoKey, http.StatusGone, "recording_shredded", "The key of this recording does not exist any more: nobody can read it."},
		{recording.ErrNotSealed, http.StatusConflict, "recording_not_sealed", "The recording is not sealed yet."},
		{recording.ErrEmpty, http.StatusConflict, "recording_empty", "The session ended before a picture was recorded."},
		{recording.ErrCursor, http.StatusBadRequest, codeRequestInvalid, "The cursor in \"after\" is not one this recording gave out."},
		{recording.ErrFormatVersion, http.StatusUnprocessableEntity, "recording_version", "The recording was made by a later version of Vitrine."},
		{rules.ErrUnknown, http.StatusNotFound, "rule_not_found", "There is no such rule or list."},
		{rules.ErrTaken, http.StatusConflict, "rule_exists", "There is a rule of this id already."},
		{rules.ErrOutdated, http.StatusConflict, "rule_changed", "It was changed meanwhile. Look at it again before you save."},
		{rules.ErrUnchanged, http.StatusConflict, "rule_unchanged", "It comes with Vitrine or stands in the configuration, and nothing was changed of it here. Switch it off instead."},
		{policy.ErrUnknown, http.StatusNotFound, "policy_not_found", "There is no such policy."},
		{policy.ErrTaken, http.StatusConflict, "policy_exists", "There is a policy of this id already."},
		{policy.ErrOutdated, http.StatusConflict, "policy_changed", "The policy was changed meanwhile. Look at it again before you save."},
		{policy.ErrLockout, http.StatusConflict, "policy_lockout", "With this change no administrator could manage policies any more."},
		{policy.ErrTooMany, http.StatusConflict, "too_many_policies", "There are as many policies as there may be."},
		{policy.ErrNotLoaded, http.StatusServiceUnavailable, "policy_unavailable", "The gateway cannot decide now; its log tells why."},
		{policy.ErrStale, http.StatusServiceUnavailable, "policy_unavailable", "The gateway cannot decide now; its log tells why."},
		{accessrequest.ErrNotFound, http.StatusNotFound, "access_not_found", "There is no such access request or grant."},
		{accessrequest.ErrOwn, http.StatusForbidden, "own_request", "Nobody decides on a request of their own."},
		{accessrequest.ErrTwice, http.StatusConflict, "decided_already", "You have decided on this request already."},
		{accessrequest.ErrStale, http.StatusConflict, "access_request_changed", "The request changed meanwhile. Look at it again before you decide."},
		{accessrequest.ErrClosed, http.StatusConflict, "access_closed", "It is over: there is nothing left to decide."},
		{accessrequest.ErrTooMany, http.StatusConflict, "too_many_pending", "You have as many undecided requests as you may."},
		{accessrequest.ErrNoGrant, http.StatusConflict, "grant_over", "The access you were given is over, or has not begun."},
		{accessrequest.ErrUsed, http.StatusConflict, "grant_used_up", "The access you were given was for one session, which has been started."},
		{accessrequest.ErrBusy, http.StatusConflict, "grant_busy", "A session of the access you were given is running. End it before you start another."},
		{notify.ErrTooManyStreams, http.StatusTooManyRequests, "too_many_streams", "The console is open in too many places."},
		{store.ErrNotFound, http.StatusNotFound, "session_not_found", "There is no such session."},
		{audit.ErrUnavailable, http.StatusServiceUnavailable, "audit_unavailable", "This cannot be written to the audit log now, and so it is not done."},
		{context.DeadlineExceeded, http.StatusGatewayTimeout, "timeout", "It took too long."},
	} {
		if errors.Is(err, known.is) {
			return &Error{known.status, known.code, known.detail, err}
		}
	}
	return &Error{http.StatusInternalServerError, codeInternal, "The gateway failed; its log tells why under the id of this request.", err}
}

// wrongRule is what is wrong with a rule of detection.
func wrongRule(e *detect.RuleError) string {
	if e.ID == "" {
		return sentence(e.What)
	}
	return e.ID + ": " + e.What + "."
}

// invalidTarget is what is wrong with a target, in a sentence for each.
func invalidTarget(e *target.InvalidError) string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Path + ": " + p.Text + "."
	}
	return strings.Join(lines, " ")
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
		retryAfter(c.Writer.Header(), t.RetryAfter)
	}
	if t, ok := errors.AsType[*ticket.TooManyError](err); ok {
		retryAfter(c.Writer.Header(), t.RetryAfter)
	}
	if l, ok := errors.AsType[*LimitedError](err); ok {
		retryAfter(c.Writer.Header(), l.RetryAfter)
	}
	p := apigen.Problem{Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Code: e.Code, Detail: &e.Detail}
	if needed, ok := errors.AsType[*access.NeededError](err); ok {
		p.TicketPattern, p.Approvals = optional(needed.Pattern), optional(needed.Approvals)
	}
	if text, ok := errors.AsType[*policy.TextError](err); ok {
		p.Findings = new(findingsOut(text.Findings))
	}
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
