// Package webrtcserver is the front door for browsers: it shows one session's access units over WebRTC and
// brings the input of the person in control back, as PROTOCOL.md describes.
//
// A Server belongs to one session and lives in that session's worker. It is an ICE-lite agent on one inherited
// UDP socket (and, where given, one inherited TCP listener); it opens no socket and dials nobody. Signalling is
// somebody else's: Offer takes the SDP a WHEP client posted and returns the answer.
//
//	offer ─▶ Offer ─▶ viewer ── stream.Sink ◀── access units (Hub)
//	                    │ ├─ packetizer ─▶ pacer ─▶ NACK responder ─▶ TWCC ─▶ SRTP ─▶ socket
//	                    │ ├─ data channels input, motion, clipboard, control ─▶ Handler
//	                    │ ├─ stream.PatchSink ◀── patches, notes (Hub) ─▶ data channel patches
//	                    │ └─ outbox ─▶ cursor, size, state, clipboard
//
// # Control
//
// At most one viewer has RoleControl; only its input reaches the Handler. Whatever it holds down (keys,
// buttons) is tracked here, and released when it leaves, loses the role, loses its connection, or says so.
//
// # Goroutines
//
// Run owns everything. Each viewer has one goroutine for its life (viewer.run) which starts and awaits its own:
// the Hub's Serve and ServePatches, the input loop, one sender for each data channel it answers on, and an RTCP reader. The
// callbacks of pion only decode, and hand over to these through bounded queues.
package webrtcserver
