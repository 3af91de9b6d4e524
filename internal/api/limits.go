package api

import "time"

// Caps of requests and answers.
const (
	maxBodyBytes   = 1 << 20  // any request; the largest legitimate one is an SDP offer of 64 KiB
	maxHeaderBytes = 64 << 10 // of a request
	sealedMaxAge   = "private, max-age=31536000, immutable"
)

// Timeouts of the HTTP server. Answers that take as long as a recording is large have none as a whole, but each write
// has answerTimeout, so that a browser that stopped reading frees its connection.
const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 30 * time.Second // to read all of a request
	answerTimeout   = time.Minute
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
)

// Sizes of pages.
const (
	defaultSessionPage = 100
	defaultUserPage    = 100
	defaultTargetPage  = 100
	maxSessionsRead    = 1000 // for one page, where many are not the caller's to see
	maxTargetsRead     = 1000 // for one page, where many are not the caller's business
	defaultEventPage   = 1000
	defaultRequestPage = 50
	defaultSearchPage  = 20 // recordings
	defaultHitPage     = 200
	defaultDryRun      = 100 // recordings
	maxNewAlerts       = 100 // that are counted for a person
)

// Trying a rule on recordings.
const (
	dryRunTime = 10 * time.Second // after which no other recording is begun
	dryRunOne  = 15 * time.Second // for one recording
	maxDryRuns = 2                // at a time
)

// Looking for what a person may see among what others asked for: pages read at most for one answer.
const maxPagesLooked = 20

// The stream of notifications.
const (
	streamLifetime = 5 * time.Minute  // then the browser comes again, and is asked again who it is
	streamLook     = 10 * time.Second // how long it may take until a sign-in that is over ends it
	streamQuiet    = 2                // looks without an event before a sign of life
)
