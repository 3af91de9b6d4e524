package webrtcserver

import "errors"

var (
	// ErrOffer is wrapped by what Offer returns for an SDP it cannot answer, with what is wrong in it.
	ErrOffer = errors.New("webrtc: unusable offer")
	// ErrFragment is wrapped by what AddCandidates returns for a fragment it cannot read.
	ErrFragment = errors.New("webrtc: unusable candidate fragment")
	// ErrTooManyViewers is wrapped by what Offer returns when the session is full.
	ErrTooManyViewers = errors.New("webrtc: too many viewers")
	// ErrControlTaken is wrapped by what Offer returns when another person has control.
	ErrControlTaken = errors.New("webrtc: another person has control")
	// ErrUnknownViewer is wrapped when no viewer has that id, or has it no more.
	ErrUnknownViewer = errors.New("webrtc: unknown viewer")
	// ErrClosed is returned once Run has ended.
	ErrClosed = errors.New("webrtc: server closed")
)

// Why a viewer left: the causes that end viewer.run. Their text is the reason shown and recorded.
var (
	errLeft       = errors.New("closed by the browser")
	errConnection = errors.New("connection lost")
	errNeverCame  = errors.New("the browser did not connect")
	errMisbehaved = errors.New("too many malformed messages")
	errNotReading = errors.New("the browser does not read its messages")
	errEnded      = errors.New("session ended")
	errShutdown   = errors.New("server closed")
	errVideo      = errors.New("video ended")
)
