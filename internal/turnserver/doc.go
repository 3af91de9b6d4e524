// Package turnserver is a TURN relay (RFC 8656), on pion, for browsers that reach neither the UDP nor the TCP ports of the media: they
// come by UDP, TCP or TLS to one port that is open to them.
//
// It relays to the workers of this gateway and nowhere else:
//
//   - A credential (username, password) is made for one person and one session, and opens allocations for a short time only. The
//     username names expiry, session and person; the password is an HMAC of it under a secret that lives as long as the process
//     (the scheme of draft-uberti-behave-turn-rest). An allocation made in time lives on, by refreshes with the same credential, for
//     as long as its session runs; it ends with the session.
//   - A relayed socket sends to, and hears from, the media port of its session at this machine's own addresses; whatever else a client
//     asks for is dropped and counted. Public addresses, which a router in front of the gateway would translate, are translated
//     here, so that no packet leaves the machine. Where the media is bound to one address, relayed sockets are bound to loopback,
//     where nobody outside reaches them.
//   - TCP allocations (RFC 6062) are refused. Connections without an allocation are closed after a moment, their number is bounded.
package turnserver
