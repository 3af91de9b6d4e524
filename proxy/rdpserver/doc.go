// Package rdpserver is the front door for native clients: an RDP server by which xfreerdp, Remmina or mstsc view and control
// a session. The wire formats are those of package rdp.
//
// # The life of a connection
//
//	Accept ──▶ *Client ──┬─ Activate ──▶ *Conn ── Serve ──▶ Disconnect
//	                     ├─ Refuse                └─ Detach ─▶ State ─┐
//	                     └─ Detach ─▶ State ─▶ Resume ─▶ *Client ◀────┘
//
// Accept speaks with whoever connects until the client has said who it is: preconnection PDU, X.224, TLS, network level
// authentication where asked for, MCS and GCC, channels, Client Info. It runs before anybody is known, so it is bounded in
// time and memory and gives nothing away. Activate then licenses the client and agrees on capabilities and the desktop's
// size; Serve shows a desktop until its context ends.
//
// TLS ends where the ticket is read, which is inside TLS and before a session is known. So that the session's process can go
// on with the client, Detach gives the connection up between two PDUs and says in a State what the next process must know,
// what was read too early included; Resume takes it up there. The process that holds the TLS copies bytes. A client that is
// active already, because it was shown a sign-in screen, is activated again with the session's size ([MS-RDPBCGR] 1.3.1.3).
//
// # The picture
//
// Every client can be shown bitmap updates: changed blocks, compared with what the client was sent last, without loss as
// planar or interleaved RLE bitmaps. Clients with the graphics pipeline and H.264 get the session's one encode as it is, and
// exact patches beside it (see video.go); without H.264, planar bitmaps in the pipeline's frames.
//
// # Goroutines
//
// A Conn in Serve has one goroutine that reads, one that writes an outbox, and one for each source of its picture. The one
// that reads never waits for the client to read.
package rdpserver
