package session

import (
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Caps on what people may do. A browser may be anybody's program, so the Arbiter believes nothing the doors have checked.
const (
	// inputRate and inputBurst bound acts a second, all kinds together: a hand on a mouse of 1000 reports a second, and
	// room. Long texts and many notches count for several, see cost.
	inputRate, inputBurst = 2000, 500
	// maxInputDelay is how long an act waits for the rate; what would wait longer is refused.
	maxInputDelay = time.Second
	// maxTextBytes bounds one composed text (PROTOCOL.md of the browser's door).
	maxTextBytes = 4096
	// textBytesPerAct is how many bytes of text count as one act: each becomes key presses on the target.
	textBytesPerAct = 32
	// maxHeldKeys bounds the keys held at once.
	maxHeldKeys = 64

	// clipboardRate and clipboardBurst bound clipboard text in bytes, each way. They keep what waits for the disk far
	// below what the recorder takes.
	clipboardRate, clipboardBurst = 512 << 10, desktop.MaxClipboardBytes + clipboardCost
	// clipboardCost is what a text costs besides its bytes.
	clipboardCost = 4 << 10
	// maxClipboardDelay is how long a text for the target waits for the rate; what would wait longer is refused.
	maxClipboardDelay = 2 * time.Second

	// nameInterval is the shortest time between two desktop names passed on, after nameBurst at once; the last wins.
	nameInterval, nameBurst = time.Second, 4
)

// Messages.
const (
	// maxMessageBytes bounds a text for the session's person: 1000 characters of any script.
	maxMessageBytes = 4000
	// maxMessages is how many may wait to be read. More are refused.
	maxMessages = 8
	// maxAsked bounds the rules that one question names.
	maxAsked = 4
	// maxReasonBytes bounds a justification: 500 characters of any script.
	maxReasonBytes = 2000
	// maxFreezeText bounds the reason of a freeze: 500 characters of any script. What is longer is cut.
	maxFreezeText = 2000
)

// Alerts.
const (
	// alertWindow is how long alerts that are alike, by rule, source and person, are counted before they become a second event.
	alertWindow = 10 * time.Second
	// maxAlertKinds bounds the kinds of alerts counted apart from each other; more than that are told one by one.
	maxAlertKinds = 1024
)

// Queues.
const (
	// queueItems bounds the acts on their way to the target. When it is full motion is given up and others wait.
	queueItems = 512
	// recorderUnits is the hub's queue for the recorder, in access units: 10 s at 30 a second. It overflows when the
	// recorder does not take pictures for so long, and that ends the session.
	recorderUnits = 300
	// maxRejections bounds the kinds of refused input counted apart from each other.
	maxRejections = 32
)

// Times.
const (
	// stallTimeout ends a session whose target takes no input for so long while there is some.
	stallTimeout = 5 * time.Second
	// resizeTimeout bounds the wait for a request of another size to be on its way.
	resizeTimeout = 2 * time.Second
	// wishInterval and wishTries say how often the size wished for at the start is asked for: a VNC target tells only
	// some time after the handshake that it takes sizes at all.
	wishInterval, wishTries = 100 * time.Millisecond, 50
	// rejectionWindow is how long refused input of one kind is counted before it becomes a second event.
	rejectionWindow = 5 * time.Second
	// defaultFreezeGrace is how long a session that cannot be recorded any more shows why before it ends.
	defaultFreezeGrace = 3 * time.Second

	// Each stage of stopping goes on without waiting longer for the one before.
	sendTimeout       = 500 * time.Millisecond
	stopSourceTimeout = 3 * time.Second
	drainTimeout      = 5 * time.Second
	farewellTimeout   = 2 * time.Second
	stopDoorTimeout   = 5 * time.Second
)
