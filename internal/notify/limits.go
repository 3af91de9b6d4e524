package notify

import "time"

// How often a delivery is tried. The wait doubles from firstWait to maxWait, each with up to half of it added by chance;
// twelve tries take about a day.
const (
	maxAttempts = 12
	firstWait   = 15 * time.Second
	maxWait     = 6 * time.Hour
	giveUpAfter = 26 * time.Hour // however many tries there were
	lease       = 2 * time.Minute
)

// Sending.
const (
	sendTimeout    = 20 * time.Second
	maxAnswerBytes = 4 << 10 // of a webhook's answer, read only to keep its connection
	atOnce         = 8       // deliveries under way
	dueBatch       = 64
	pollInterval   = 5 * time.Second // for what another node, or an earlier life, has left
	cleanInterval  = time.Hour
)

// What is kept.
const (
	keepNotifications = 90 * 24 * time.Hour
	maxNotifications  = 500 // of a person
	keepDone          = 7 * 24 * time.Hour
)

// Texts of an event, in bytes; longer ones are cut.
const (
	maxTitle = 300
	maxText  = 4000
)

// Streams of the console that wait for something new.
const (
	maxStreams       = 5000
	maxStreamsOfUser = 16
)
