// Package rdp holds the wire formats of the Remote Desktop Protocol that client and server share: TPKT, X.224, MCS and
// GCC, licensing, capabilities, the share's PDUs, fast-path, bitmap and pointer updates, surface commands, input
// ([MS-RDPBCGR]; [T.123], [X.224], [T.125], [T.124] as far as it uses them).
//
// Every type encodes and decodes, so that the target's side (package rdpclient) and a front door for native clients stand
// on the same code. Nothing here does I/O but FrameReader, starts a goroutine or keeps state between PDUs but Fragments.
//
// # Layers
//
// A PDU is wrapped several times; each file unwraps one layer and hands on the rest:
//
//	frame.go      TPKT, or a fast-path header                       [T.123] 8, [MS-RDPBCGR] 2.2.9.1.2
//	x224.go       negotiation of security; afterwards 02 F0 80      [X.224] 13, [MS-RDPBCGR] 2.2.1.1
//	mcs.go        domain PDUs: users, channels, data on a channel   [T.125] 7
//	gcc.go        the user data of MCS connect: blocks of settings  [T.124] 8.7, [MS-RDPBCGR] 2.2.1.3
//	security.go   a header of flags before some PDUs                [MS-RDPBCGR] 2.2.8.1.1.2
//	share.go      share control and share data headers              [MS-RDPBCGR] 2.2.8.1.1.1
//
// Standard RDP security is not implemented on purpose: what it encrypts anybody on the way can read.
//
// # Conventions
//
// Append appends the whole structure; Decode reads one from b and refuses what the specification forbids, with an error
// that wraps wire.ErrMalformed. Decoded byte slices lie within b. Numbers are those of the specification; constants carry
// its names as far as Go allows.
package rdp
