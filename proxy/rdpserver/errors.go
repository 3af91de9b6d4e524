package rdpserver

import "errors"

// What Accept returns, among others, for callers to branch on. Whoever connects learns nothing of it but what RDP says.
var (
	// ErrNegotiation: the client and this listener have no security protocol in common. It was told so.
	ErrNegotiation = errors.New("rdpserver: no security protocol in common")
	// ErrAuthentication: network level authentication failed. The client was told so.
	ErrAuthentication = errors.New("rdpserver: network level authentication failed")
	// ErrTimeout: the client did not get on with it in time.
	ErrTimeout = errors.New("rdpserver: the client took too long")
	// ErrState is returned by Resume for a State that this program did not write.
	ErrState = errors.New("rdpserver: no valid state of a connection")
	// ErrPhase is returned by methods called at the wrong time.
	ErrPhase = errors.New("rdpserver: not possible now")
)
