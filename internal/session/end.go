package session

import (
	"errors"
	"regexp"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// EndCode says why a session ended, or is frozen, for programs. The strings are stable: they are in recordings, in the
// database and in the API.
type EndCode string

// The reasons people and the gateway give.
const (
	// EndUserDisconnected: the person is done.
	EndUserDisconnected EndCode = "user_disconnected"
	// EndTerminated: somebody ended it.
	EndTerminated EndCode = "terminated"
	// EndOrphaned: nobody watched for the orphan timeout.
	EndOrphaned EndCode = "orphaned"
	// EndFrozen is no end: a supervisor has frozen the session.
	EndFrozen EndCode = "frozen"
	// EndJustification is no end: a rule has frozen the session until its person says why.
	EndJustification EndCode = "justification"
	// EndRule: a rule of detection fits what was typed, pasted or shown. It also is why such a rule has frozen a session.
	EndRule EndCode = "rule"
	// EndShutdown: the gateway is stopping.
	EndShutdown EndCode = "shutdown"
	// EndConnectCancelled: whoever asked for the session went away before it was there.
	EndConnectCancelled EndCode = "connect_cancelled"
)

// The reasons of policies, after a warning.
const (
	// EndPolicyRevoked: nothing allows the session any more.
	EndPolicyRevoked EndCode = "policy_revoked"
	// EndWindowClosed: the time it was allowed for is over.
	EndWindowClosed EndCode = "window_closed"
	// EndMaxDuration: it has lasted as long as it may.
	EndMaxDuration EndCode = "max_duration"
	// EndIdle: nobody did anything for as long as that may last.
	EndIdle EndCode = "idle"
	// EndSessionLimit: more sessions of the person, or on the target, run than may.
	EndSessionLimit EndCode = "session_limit"
	// EndUserDisabled: the person may not sign in any more.
	EndUserDisabled EndCode = "user_disabled"
	// EndPolicyUnavailable: for long it could not be decided whether the session may go on.
	EndPolicyUnavailable EndCode = "policy_unavailable"
)

// The reasons that lie with the target.
const (
	EndTargetUnreachable   EndCode = "target_unreachable"
	EndTargetTimeout       EndCode = "target_timeout"
	EndTargetWrongProtocol EndCode = "target_wrong_protocol"
	EndTargetSecurity      EndCode = "target_security"
	EndTargetCertificate   EndCode = "target_certificate"
	EndTargetAuthFailed    EndCode = "target_auth_failed"
	EndTargetProtocolError EndCode = "target_protocol_error"
	EndTargetClosed        EndCode = "target_closed"
	// EndTargetReconnecting is no end: the session is frozen while a connection that broke is made anew.
	EndTargetReconnecting EndCode = "target_reconnecting"
	// EndTargetEnded: the target said that it ends the session, and why.
	EndTargetEnded EndCode = "target_ended"
)

// The reasons that lie with the gateway.
const (
	// EndRecordingFailed: the session could not be recorded any more.
	EndRecordingFailed EndCode = "recording_failed"
	// EndSpoolFull: there was no room left to record it.
	EndSpoolFull EndCode = "spool_full"
	// EndWorkerCrashed: the session's process ended without having been told to.
	EndWorkerCrashed EndCode = "worker_crashed"
	// EndWorkerHung: the session's process did not answer and was killed.
	EndWorkerHung EndCode = "worker_hung"
	// EndServeGone: the control plane ended without a word.
	EndServeGone EndCode = "serve_gone"
	// EndNoPort: every media port is in use.
	EndNoPort EndCode = "no_media_port"
	// EndSandbox: the process could not be locked in as the configuration requires.
	EndSandbox EndCode = "sandbox_unavailable"
	// EndInternal: a fault of the gateway.
	EndInternal EndCode = "internal_error"
)

// messages are the reasons in plain words, used where nobody gives better ones.
var messages = map[EndCode]string{
	EndUserDisconnected:    "The session was disconnected.",
	EndTerminated:          "The session was ended.",
	EndOrphaned:            "Nobody was watching any more.",
	EndFrozen:              "A supervisor has frozen the session.",
	EndJustification:       "A rule of the gateway asks why.",
	EndRule:                "A rule of the gateway ended the session.",
	EndShutdown:            "The gateway is stopping.",
	EndConnectCancelled:    "The caller went away before the desktop was there.",
	EndPolicyRevoked:       "Access to this desktop was withdrawn.",
	EndWindowClosed:        "The time this desktop may be used is over.",
	EndMaxDuration:         "The session has lasted as long as it may.",
	EndIdle:                "There was no input for a long time.",
	EndSessionLimit:        "More sessions run than may.",
	EndUserDisabled:        "The account was disabled.",
	EndPolicyUnavailable:   "The gateway could not decide whether the session may go on.",
	EndTargetUnreachable:   "The desktop cannot be reached.",
	EndTargetTimeout:       "The desktop did not answer in time.",
	EndTargetWrongProtocol: "What answers there is not a desktop of this kind.",
	EndTargetSecurity:      "The desktop offers no security that is allowed here.",
	EndTargetCertificate:   "The desktop's certificate was not accepted.",
	EndTargetAuthFailed:    "The desktop refused the credentials.",
	EndTargetProtocolError: "The desktop sent something that makes no sense.",
	EndTargetClosed:        "The desktop closed the connection.",
	EndTargetReconnecting:  "The connection to the desktop broke and is being made anew.",
	EndTargetEnded:         "The desktop ended the session.",
	EndRecordingFailed:     "The session could not be recorded any more.",
	EndSpoolFull:           "There is no room left to record the session.",
	EndWorkerCrashed:       "The session's process broke down.",
	EndWorkerHung:          "The session's process did not answer any more.",
	EndServeGone:           "The gateway's control plane is gone.",
	EndNoPort:              "The gateway has no free media port.",
	EndSandbox:             "The session's process could not be locked in.",
	EndInternal:            "Something went wrong in the gateway.",
}

// Message is the reason in plain words, empty for a code this package does not know.
func (c EndCode) Message() string { return messages[c] }

// End is why a session ended or is frozen.
type End struct {
	Code    EndCode
	Message string // a sentence for people
}

// NewEnd returns the reason with its plain message and, in brackets, detail where there is some.
func NewEnd(code EndCode, detail string) End {
	message := code.Message()
	if detail != "" {
		message = strings.TrimSuffix(message, ".") + " (" + detail + ")."
	}
	return End{code, message}
}

// filled gives a reason without words its plain message.
func (e End) filled() End {
	if e.Code == "" {
		e.Code = EndTerminated
	}
	if e.Message == "" {
		e.Message = e.Code.Message()
	}
	return e
}

// targetEnds maps what a Source returns to codes. The first that matches counts. The rest of the error's text is told
// where it helps people to put things right.
var targetEnds = []struct {
	err    error
	code   EndCode
	detail bool
}{
	{desktop.ErrAuth, EndTargetAuthFailed, true},
	{desktop.ErrCertificate, EndTargetCertificate, true},
	{desktop.ErrSecurity, EndTargetSecurity, true},
	{desktop.ErrWrongProtocol, EndTargetWrongProtocol, true},
	{desktop.ErrProtocol, EndTargetProtocolError, true},
	{desktop.ErrSize, EndTargetProtocolError, true},
	{desktop.ErrEnded, EndTargetEnded, true},
	{desktop.ErrTimeout, EndTargetTimeout, false},
	{desktop.ErrTargetGone, EndTargetClosed, false},
}

// TargetEnd is the reason a session ended with what its Source returned.
func TargetEnd(err error) End {
	if err == nil {
		return NewEnd(EndTargetClosed, "")
	}
	for _, t := range targetEnds {
		switch {
		case !errors.Is(err, t.err):
		case t.detail:
			return NewEnd(t.code, detail(err))
		default:
			return NewEnd(t.code, "")
		}
	}
	return NewEnd(EndInternal, "")
}

// packageName is how the packages whose errors a Source returns mark them.
var packageName = regexp.MustCompile(`^(vncclient|rdpclient|rdp|credssp|ntlm|kerberos|gss|trust|worker|desktop|x509|tls)$`)

// detail is the part of an error's text that its code does not say already. Errors of sources are meant to be read by
// people and hold neither credentials nor bytes of the wire.
func detail(err error) string {
	text := err.Error()
	for _, t := range targetEnds {
		text = strings.ReplaceAll(text, t.err.Error(), "")
	}
	var parts []string
	for part := range strings.SplitSeq(text, ": ") {
		part = strings.Trim(part, ": ")
		if part == "" || packageName.MatchString(part) {
			continue
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ": ")
}

// recorderEnd is the reason of a session whose recorder failed.
func recorderEnd(err error) End {
	switch {
	case errors.Is(err, recording.ErrSpoolFull):
		return NewEnd(EndSpoolFull, "")
	case errors.Is(err, stream.ErrOverflow), errors.Is(err, recording.ErrOverflow):
		return NewEnd(EndRecordingFailed, "the disk is too slow")
	}
	return NewEnd(EndRecordingFailed, "")
}
