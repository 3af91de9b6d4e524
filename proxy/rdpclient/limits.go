package rdpclient

import "time"

// Times of a connection.
const (
	// defaultHandshake bounds everything up to the desktop's size.
	defaultHandshake = 20 * time.Second
	// messageProgress is how long a PDU that has begun may take to come whole.
	messageProgress = 30 * time.Second
	// writeTimeout is how long the target may take to read what is sent.
	writeTimeout = 20 * time.Second
	// releaseTimeout is how long letting go of held keys may take at the end.
	releaseTimeout = 500 * time.Millisecond
	// settleTime is how long a target must be silent for what it has drawn to be whole. xrdp sends a full terminal that
	// scrolls within 20 ms, in which it seldom pauses for longer. Measured beside none on a quiet machine: a third less CPU
	// and recording for scrolling text, 4 ms more from a change to its pixel.
	settleTime = 3 * time.Millisecond
	// commitInterval is how long drawn pixels wait for the rest of what the target is sending before they are shown.
	commitInterval = 30 * time.Millisecond
	// nudgeAfter is how long a target may be silent that has shown nothing yet.
	nudgeAfter = time.Second
	// bellInterval is the least time between two bells passed on.
	bellInterval = time.Second
	// defaultReconnect is how long a broken connection is tried again.
	defaultReconnect = 60 * time.Second
	// firstRetry and lastRetry are the pauses between tries, doubled from one to the next.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 8 * time.Second
	// steadyAfter is how long a connection must have lasted for the pauses to begin anew.
	steadyAfter = 30 * time.Second
	// minHeartbeats is how many missed heartbeats mean a broken connection at the least, whatever the target says.
	minHeartbeats = 3
)

// Caps.
const (
	// outboxSoft is how many unsent bytes make Send wait, outboxHard how many end the connection: answers to the target
	// never wait, so one that asks without reading would fill memory.
	outboxSoft = 64 << 10
	outboxHard = 8 << 20
	// textChunk is how many runes of a TextInput are queued at once.
	textChunk = 256
	// maxHeldKeys bounds the keys remembered as held; a person has ten fingers.
	maxHeldKeys = 64
	// maxEvents is how many input events go into one PDU.
	maxEvents = 64
	// pointerCache is how many pointer shapes the target may keep here: 128 of 384×384 pixels take 75 MB at the very
	// worst, of the usual 32×32 half a megabyte. pointerCacheBytes bounds them all.
	pointerCache      = 128
	pointerCacheBytes = 16 << 20
	// maxRedirects is how often in a row a target may send the gateway elsewhere.
	maxRedirects = 3
	// maxHandshakePDUs bounds the PDUs of one step of the handshake that are passed over, or only answered.
	maxHandshakePDUs = 64
	// maxUnacknowledged is how many frames of surface commands may be under way.
	maxUnacknowledged = 2
	// maxNudges is how often a silent target is asked for its picture.
	maxNudges = 5
	// maxBitmapPadding bounds the width and height a bitmap may claim, in pixels, beyond its rectangle: rows are padded to
	// four pixels.
	maxBitmapPadding = 64
	// maxSVCMessage bounds a message of the dynamic channels' static channel, whose own PDUs are at most 1600 bytes; some
	// servers send longer ones.
	maxSVCMessage = 64 << 10
	// maxDisplayMessage bounds a message of the display control channel: its only one has 20 bytes.
	maxDisplayMessage = 1 << 10
)
