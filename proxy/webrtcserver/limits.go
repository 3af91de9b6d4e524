package webrtcserver

import "time"

// Caps on what a browser may send. A browser is not trusted: it may be anybody's program.
const (
	// MaxOfferBytes bounds an SDP offer. Chromium's with every codec it knows has 8 KB.
	MaxOfferBytes = 64 << 10
	// MaxFragmentBytes bounds one trickled SDP fragment; a candidate line has about 150 bytes.
	MaxFragmentBytes = 16 << 10
	// maxSections bounds the media sections of an offer: video, data, and an audio that is declined.
	maxSections = 8
	// maxRemoteCandidates bounds the candidates one viewer may name, in its offer and by trickle.
	maxRemoteCandidates = 64
	// DefaultMaxViewers is used where Config.MaxViewers is zero.
	DefaultMaxViewers = 32

	// maxMessageBytes bounds one data channel message in either direction (PROTOCOL.md).
	maxMessageBytes = 64 << 10
	// maxViolations is how many malformed or forbidden messages a viewer may send before it is ended.
	maxViolations = 100
	// maxKeyNameBytes bounds `code` and `key`; the longest named key of UI Events has 25 characters.
	maxKeyNameBytes = 32
	// maxTextBytes bounds one composed text.
	maxTextBytes = 4096
	// maxIDBytes bounds the id of a message that a browser says it has shown; ours have 26.
	maxIDBytes = 64
	// maxTexts bounds the messages that wait to be read. The oldest are dropped.
	maxTexts = 16
	// maxStillBytes bounds the blurred picture of a frozen session: as base64, with its message, below maxMessageBytes. A larger one is
	// left out.
	maxStillBytes = 40 << 10
	// maxComboKeys bounds a key combination.
	maxComboKeys = 8
	// idrBurst is how many IDRs a viewer may ask for at once: joining on a lossy path takes a few.
	idrBurst = 4
	// maxHeldKeys bounds the keys held at once: nobody has more fingers, but stuck keys add up.
	maxHeldKeys = 64
	// maxCoordinate bounds |x| and |y|, and the size they refer to. A drag may well leave the picture, so what
	// lies within this is clamped; beyond it somebody lies.
	maxCoordinate = 1 << 16
	// maxClipPartBytes bounds the text of one received clipboard part, in UTF-8 bytes.
	maxClipPartBytes = 16 << 10
	// maxClipParts bounds the parts of one clipboard text: 1 MiB in parts of 1 KiB.
	maxClipParts = 1024
	// sentClipPartBytes is the size of the parts we send: JSON may need six bytes for one ("\u001f"), and the
	// message must stay below maxMessageBytes.
	sentClipPartBytes = 10 << 10
)

// Queues. All are bounded; the comment says what happens when they are full.
const (
	// viewerUnits is the Hub's queue for one viewer, in access units: at 30 a second, one second. Full: the Hub
	// drops to the next IDR.
	viewerUnits = 30
	// inputQueue holds decoded input messages. Full: the data channel is not read, and SCTP pushes back.
	inputQueue = 256
	// outboxQueue holds messages that may not be dropped (state, role, notice). Full: the viewer is ended.
	outboxQueue = 64
	// highWater is how many bytes may lie in a data channel before we wait, lowWater when we go on.
	highWater, lowWater = 256 << 10, 64 << 10
	// sctpWindow is what may always be under way in data channels, sctpResend what is sent again at once of what was lost. SCTP's own
	// window would halve with each lost packet: at 5 % loss and 100 ms it carries 70 KB/s, whatever the link does. What fills
	// channels is patches, and those are paced by the estimate of the link as it is.
	sctpWindow, sctpResend = 64 << 10, 16 << 10
	// patchWater is how many bytes of patches may lie in their data channel before the lane waits: about what is under way on a
	// link of 20 Mbit/s and 50 ms.
	patchWater = 128 << 10
	// patchSlack is how many bytes of patches may be unacknowledged when all has arrived: two packets that are sent again.
	patchSlack = 2 * maxPacketBytes
	// patchOpen is the most that may be under way of them because the link has carried as much before: what SCTP sends without a wait, and
	// room for video in a router's queue.
	patchOpen = sctpWindow * 3 / 4
	// nackPackets is how many sent packets are kept for retransmission: five IDRs of 500 KB. A power of two.
	nackPackets = 2048
	// socketBuffer is the wished size of the UDP socket's buffers in bytes; the kernel may grant less.
	socketBuffer = 4 << 20
)

// Times.
const (
	// connectTimeout ends a viewer whose browser never came.
	connectTimeout = 30 * time.Second
	// disconnectedAfter without a packet from the browser, what it holds down is released.
	disconnectedAfter = 5 * time.Second
	// failedAfter that, the viewer has left.
	failedAfter = 15 * time.Second
	// keepalive is how often an idle path is probed.
	keepalive = 2 * time.Second
	// reportInterval is the time between sender reports. They tie streams to each other, of which there is one: a browser needs
	// them for the round trip only.
	reportInterval = 5 * time.Second
	// patchAhead is how much longer patches may be under way than the link should need for them.
	patchAhead = 20 * time.Millisecond
	// patchLook is the longest time between two looks at whether patches have arrived while the next wait; the first come after pacingStep.
	patchLook = 8 * time.Millisecond
	// resizeInterval is the shortest time between two resize requests of a viewer; the last one wins.
	resizeInterval = 250 * time.Millisecond
	// idrInterval is how often one viewer may ask for an IDR, after idrBurst at once.
	idrInterval = time.Second
	// cursorInterval is the shortest time between two pointer shapes sent.
	cursorInterval = 33 * time.Millisecond
	// clipTimeout ends an incoming clipboard text whose next part does not come.
	clipTimeout = 3 * time.Second
	// flushTimeout is how long the last message to a viewer may take.
	flushTimeout = time.Second
	// staleMotion is how long after a change of buttons a motion with other buttons counts as older than it.
	staleMotion = 200 * time.Millisecond
)

// ICE-TCP.
const (
	// tcpReadPackets is how many packets of one TCP connection may wait to be read. Full: TCP pushes back.
	tcpReadPackets = 64
	// tcpWriteBuffer is how many bytes may wait for one TCP connection. Full: packets are dropped, as on UDP.
	tcpWriteBuffer = 4 << 20
)

// RTP.
const (
	// clockRate is the RTP clock of video in Hz ([RFC 6184] 8.2.1).
	clockRate = 90000
	// maxPacketBytes is the largest RTP packet: the 1200 bytes every path carries, as browsers send.
	maxPacketBytes = 1200
	// packetOverhead is what surrounds a payload in it: RTP header (12), extensions (4+3·4), the original
	// sequence number of a retransmission (2), the SRTP tag (16).
	packetOverhead = 12 + 16 + 2 + 16
	// maxPayloadBytes is what remains.
	maxPayloadBytes = maxPacketBytes - packetOverhead
)
