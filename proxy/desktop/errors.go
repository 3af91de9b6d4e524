package desktop

import "errors"

// What callers tell apart when a Source ends or refuses. The text of the wrapping error carries the detail
// meant for people; none ever quotes a credential or bytes of the wire.
var (
	// ErrNotConnected is returned by Send before the handshake and after the end.
	ErrNotConnected = errors.New("desktop: not connected to the target")
	// ErrUnsupported is returned when the target lacks an optional ability.
	ErrUnsupported = errors.New("desktop: not supported by the target")
	// ErrAuth: the target refused the credentials.
	ErrAuth = errors.New("desktop: the target refused the credentials")
	// ErrCertificate: the target's certificate did not verify or did not match its pin.
	ErrCertificate = errors.New("desktop: the target's certificate was not accepted")
	// ErrSecurity: no security type that both sides and the configuration accept.
	ErrSecurity = errors.New("desktop: no acceptable security with the target")
	// ErrProtocol: the target sent something the protocol forbids or a cap refuses.
	ErrProtocol = errors.New("desktop: protocol error from the target")
	// ErrWrongProtocol: the target does not speak the protocol at all.
	ErrWrongProtocol = errors.New("desktop: the target does not speak this protocol")
	// ErrEnded: the target ended the session and said why, in the words of the wrapping error.
	ErrEnded = errors.New("desktop: the target ended the session")
	// ErrTargetGone: the connection broke or the target vanished.
	ErrTargetGone = errors.New("desktop: the target closed the connection")
	// ErrTimeout: the target did not answer in time.
	ErrTimeout = errors.New("desktop: the target did not answer in time")
)
