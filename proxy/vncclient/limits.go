package vncclient

import (
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Caps on what a target may announce and on how long it may dawdle.
const (
	// defaultHandshake bounds everything from the first byte to ServerInit.
	defaultHandshake = 10 * time.Second
	// messageProgress is how long a target may stay silent in the middle of a message. Between messages it may
	// stay silent for hours: nothing changes on its screen.
	messageProgress = 30 * time.Second
	// writeTimeout bounds one write; a target that reads nothing for so long is gone.
	writeTimeout = 10 * time.Second
	// releaseTimeout bounds the farewell: releasing held keys and buttons when the session is ended from here.
	releaseTimeout = 500 * time.Millisecond
	// reasonTimeout bounds the wait for the reason of a refusal, which not every server sends.
	reasonTimeout = time.Second

	// bellInterval is the least time between two bells passed on; a bell costs the target one byte.
	bellInterval = 100 * time.Millisecond

	// maxReasonBytes bounds the reason of a refusal that is read at all.
	maxReasonBytes = 4 << 10
	// maxWireNameBytes bounds a desktop name on the wire; what exceeds desktop.MaxNameBytes is cut off.
	maxWireNameBytes = 64 << 10
	// maxWireClipboardBytes bounds one clipboard message. Text above desktop.MaxClipboardBytes is skipped, a
	// message above this ends the session: the length is nonsense then and the stream probably out of step.
	maxWireClipboardBytes = 32 << 20
	// maxProvideBytes bounds the text of an Extended Clipboard message in its wire form, in which each line end
	// may take a byte more and a NUL ends it.
	maxProvideBytes = 2*desktop.MaxClipboardBytes + 1
	// maxFenceBytes bounds a fence's payload (rfbproto).
	maxFenceBytes = 64
	// maxSecurityTypes: more VeNCrypt subtypes than exist are a sign of another protocol.
	maxSecurityTypes = 64

	// outboxSoft is how many unsent bytes make Send wait, outboxHard how many end the session: answers to
	// fences and update requests never wait, so a target that asks without reading would fill memory.
	outboxSoft = 64 << 10
	outboxHard = 4 << 20
	// textChunk is how many runes of a TextInput are queued at once.
	textChunk = 1024
	// maxHeldKeys bounds the keys remembered as held; a person has ten fingers.
	maxHeldKeys = 64
)
