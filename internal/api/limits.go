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
	defaultEventPage   = 1000
)
