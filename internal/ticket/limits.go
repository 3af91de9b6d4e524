package ticket

import "time"

const (
	// Lifetime is how long a ticket may be used.
	Lifetime = time.Minute
	// keepFor is how long one is remembered afterwards, so that the audit log tells a late or second use from a made-up ticket.
	keepFor = 24 * time.Hour
	// tidyInterval is how often what is over is removed.
	tidyInterval = 10 * time.Minute

	secretBytes = 16 // 128 bits
	idLetters   = 12 // of form NLA's name; it only has to be another one
	// maxTextBytes bounds what is looked up: a client may send an alternate shell of half a kilobyte.
	maxTextBytes = 64
	// maxFailures of proving a password end its ticket.
	maxFailures = 3
	// maxHashes bounds the NT hashes in memory. Beyond, no ticket of form NLA is issued until some are over.
	maxHashes = 10_000

	// A person may ask for perMinute tickets a minute, burst of them at once.
	perMinute = 20
	burst     = 10
	// maxPeople bounds the people that are counted; beyond, those who were quiet longest are forgotten.
	maxPeople = 10_000
)
