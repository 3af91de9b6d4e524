package worker

import (
	"time"

	"github.com/vitrine-psm/vitrine/internal/ocr"
)

// Caps of the control protocol.
const (
	// maxRequestBytes bounds a request to the worker: certificate authorities and rules of detection of 1 MiB each in Start, offers of 64 KiB.
	maxRequestBytes = 4 << 20
	// maxResponseBytes bounds what serve takes from a worker, which may have been taken over: an SDP answer, a list of viewers.
	maxResponseBytes = 256 << 10
	// controlWindow is what either side of the control socket takes unread, in bytes. It is fixed: gRPC's estimate of a better
	// one costs a round trip after every message.
	controlWindow = 256 << 10
	// maxFeedFiles bounds the names of closed files that wait to be told. Full: the oldest is forgotten, and the uploader
	// finds it by looking.
	maxFeedFiles = 1024
	// maxFeedAlerts bounds the alerts that wait to be told, on either side. Full: the oldest is forgotten.
	maxFeedAlerts = 256
	// maxLogLine bounds a line of a worker's log in bytes; longer ones are cut.
	maxLogLine = 8 << 10
	// logRate and logBurst bound the lines a second that are passed on of one worker's log. The burst has room for the
	// last words of a crash.
	logRate, logBurst = 50, 1000
	// maxTextBytes bounds the texts a worker reports: names, reasons.
	maxTextBytes = 4 << 10
	// maxAskedRules bounds the rules of a question that a worker tells of.
	maxAskedRules = 8
	// maxMomentUS bounds the moments a worker reports: a year.
	maxMomentUS = 365 * 24 * 3600 * 1_000_000
	// maxViewers bounds the viewers a worker reports.
	maxViewers = 256
	// maxPublicAddresses bounds the addresses in ICE candidates.
	maxPublicAddresses = 16
)

// Reading the screen.
const (
	// maxScreenBytes bounds what serve takes of a worker's screen at once: the pixels, and 32 bytes a picture.
	maxScreenBytes = ocr.MaxPixels + 32*ocr.MaxPictures
	// longestScreenPause is how long a session's screen is left alone after failures.
	longestScreenPause = 30 * time.Second
	// maxScreenText bounds the text of one event in bytes, but for its last line.
	maxScreenText = 8 << 10
	// maxRecentLines bounds the lines known to be recorded, and screenForget is how long each is after it was seen last.
	maxRecentLines = 4096
	screenForget   = 2 * time.Minute
)

// Times of the worker.
const (
	// startTimeout ends a worker nobody gives work to.
	startTimeout = 30 * time.Second
	// partTimeout is how long the last words of a worker may take to be fetched.
	partTimeout = 3 * time.Second
)

// The dial socket.
const (
	// answerTimeout is how long a worker waits for a connection, and serve for a worker that does not take its answer: longer
	// than redialTimeout and the pace together.
	answerTimeout = 20 * time.Second
	// redialTimeout bounds one dial.
	redialTimeout = 10 * time.Second
	// redialInterval is the least time between two dials for one worker.
	redialInterval = time.Second
	// redialBurst dials may follow each other at that pace; then one each redialRefill.
	redialBurst  = 20
	redialRefill = 30 * time.Second
)

// Times of the manager, where ManagerConfig has none.
const (
	defaultConnectTimeout = 20 * time.Second
	defaultPingInterval   = 2 * time.Second
	defaultPingTimeout    = 6 * time.Second
	// callTimeout bounds a request to a worker whose caller sets no limit.
	callTimeout = 10 * time.Second
	// endTimeout is how long a worker may take to end in good order once it was told to: its own stages add up to less.
	endTimeout = 25 * time.Second
	// exitTimeout is how long it may take to exit once it has said that the session ended.
	exitTimeout = 5 * time.Second
	// keepAlive is how often a silent target's connection is probed.
	keepAlive = 30 * time.Second
)
