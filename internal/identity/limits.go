package identity

import (
	"time"

	"github.com/alexedwards/argon2id"
)

// How long a sign-in lives.
const (
	DefaultIdleTimeout     = 8 * time.Hour
	DefaultAbsoluteTimeout = 24 * time.Hour
	// seenInterval is how often use of a sign-in is written down.
	seenInterval = time.Minute
)

// Passwords and names.
const (
	MinPasswordLength = 8    // characters
	MaxPasswordBytes  = 1024 // argon2 would take more, but nobody types it
	MaxNameBytes      = 128
	tokenBytes        = 32 // of a browser's cookie: 256 bits
	passwordLetters   = 20 // of a generated password: 20 letters of 32, 100 bits
)

// maxHashing bounds how many passwords are hashed at once: each takes DefaultHashing's memory.
const maxHashing = 4

// Failures before tries are slowed down, and by how much. The wait doubles with each further failure.
const (
	freePairFailures   = 5 // of one name from one source
	freeSourceFailures = 20
	freeNameFailures   = 50 // high: strangers could otherwise lock a person out
	firstWait          = time.Second
	maxPairWait        = 5 * time.Minute
	maxSourceWait      = 5 * time.Minute
	maxNameWait        = 30 * time.Second
	forgetAfter        = 30 * time.Minute // without a failure
	maxThrottleEntries = 30_000
)

// DefaultHashing is RFC 9106, 4 (second recommendation): 64 MiB, 3 passes.
func DefaultHashing() *argon2id.Params {
	return &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}
}
