package rdpserver

import "time"

const (
	// defaultAcceptTimeout bounds Accept in time. Clients that ask the person about a certificate do so within the TLS handshake
	// or after it, so it is longer than the machine needs.
	defaultAcceptTimeout = 60 * time.Second
	// maxRequestBytes bounds the TPKT of an X.224 request: its length indicator has 8 bits.
	maxRequestBytes = 4 + 256
	// maxHandshakePDUs bounds what a client may send between Client Info and the end of its activation: input it sends already,
	// finalization, capabilities of channels.
	maxHandshakePDUs = 4096
	// maxJoins bounds channel joins: each of the channels once, with the user's own, I/O and message channel, and some again.
	maxJoins = 64
	// activateTimeout bounds how long a client may take to agree on capabilities.
	activateTimeout = 30 * time.Second
	// farewellTimeout bounds how long a client may take to hang up after it was told that it is over.
	farewellTimeout = 3 * time.Second
	// writeTimeout ends a client that has read nothing for so long.
	writeTimeout = 2 * time.Minute
	// maxStateBytes bounds a State as JSON: what was read too early is most of it.
	maxStateBytes = 1 << 18
	// maxPending bounds what was read too early: one PDU and what the reader's buffer holds.
	maxPending = 1 << 17
	// maxHelloText bounds each text of a Hello in a State, in bytes: 512 bytes of UTF-16 make at most 768 of UTF-8.
	maxHelloText = 1024
)

// The outbox: Push waits while softBytes are unsent, and whoever asks for more than hardBytes without reading is let go.
const (
	softBytes = 256 << 10
	hardBytes = 8 << 20
)
