// Package ntlm is NTLM version 2 ([MS-NLMP]) as CredSSP uses it: both sides of the exchange of three messages, and the
// sealing of what follows with the session key that the exchange leaves.
//
//	client                                server
//	NEGOTIATE_MESSAGE     ──────────────▶
//	                      ◀──────────────  CHALLENGE_MESSAGE (8 random bytes, who the server is, its clock)
//	AUTHENTICATE_MESSAGE  ──────────────▶  (proof of the password over both, MIC over all three)
//
// NTLM version 1, LM, and sessions without 128-bit keys, key exchange or extended session security are refused on both
// sides. Client and Server do no I/O and log nothing. INVARIANT: no error tells a password, a hash, a key or payload.
package ntlm

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

var (
	// ErrCredentials says: the client's proof does not fit the password, or there is no such user. Server only.
	ErrCredentials = errors.New("wrong user name or password")
	// ErrWeak says: the peer does not offer the protection asked for.
	ErrWeak = errors.New("the peer offers only NTLM without 128-bit session security")
	// ErrAltered says: a signature does not fit its message.
	ErrAltered = errors.New("signature does not fit")
	// ErrBindings says: the client authenticates to a TLS channel that is not the server's own. Server only.
	ErrBindings = errors.New("the client is bound to another TLS channel")
)

// errState is what a Step out of turn gives.
var errState = errors.New("ntlm: step out of turn")

// Hash is a password as NTLM keeps it, MD4 of its UTF-16: as good as the password, and printed as little.
type Hash [16]byte

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Hash) String() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Hash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Hash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Hash) MarshalText() ([]byte, error) { return []byte(redacted), nil }
