// Package credssp is CredSSP ([MS-CSSP]) over a TLS connection that stands: Network Level Authentication of RDP, client
// and server, versions 2 to 6.
//
//	client                                             server
//	TSRequest: negoTokens ────────────────────────────▶          NTLM or, by SPNEGO, Kerberos;
//	          ◀──────────────────────────────────────── negoTokens      as often as that needs
//	TSRequest: negoTokens, pubKeyAuth, clientNonce ───▶          "this is the TLS key I see", sealed
//	          ◀──────────────────────────────────────── pubKeyAuth     "and it is mine", sealed; or errorCode
//	TSRequest: authInfo ──────────────────────────────▶          the credentials, sealed
//	          ◀──────────────────────────────────────── EarlyUserAuthResult, only with PROTOCOL_HYBRID_EX
//
// Somebody between client and server who has no key of the server's TLS certificate cannot answer pubKeyAuth, because
// only who knows the password can seal it, nor pass it on, because it names the TLS key. INVARIANT: the client sends
// authInfo only after the server's pubKeyAuth has verified.
//
// Client and Server are state machines without I/O (Step); Authenticate drives one over a connection, on which the
// caller sets deadlines. Neither starts a goroutine or logs; no error tells a secret or payload.
package credssp

import (
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Versions of the protocol ([MS-CSSP] 2.2.1). From 5 on, pubKeyAuth is a hash with a nonce (CVE-2018-0886).
const (
	minVersion  = 2
	maxVersion  = 6
	hashVersion = 5 // the first with clientNonce
	codeVersion = 3 // the first with errorCode
)

// Credentials are what a user logs on with.
type Credentials struct {
	Domain, Username string // a user principal name goes into Username, with Domain empty
	Password         desktop.Secret
}
