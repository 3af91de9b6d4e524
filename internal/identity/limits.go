package identity

import (
	"time"

	"github.com/alexedwards/argon2id"
)

// How long a sign-in lives.
const (
	DefaultIdleTimeout     = 8 * time.Hour
	DefaultAbsoluteTimeout = 24 * time.Hour
	// seenInterval is how often use of a sign-in or a token is written down.
	seenInterval = time.Minute
)

// Passwords and names.
const (
	DefaultMinPasswordLength = 12   // characters
	MaxPasswordBytes         = 1024 // argon2 would take more, but nobody types it
	MaxNameBytes             = 128
	MaxDisplayName           = 128 // characters
	MaxEmailBytes            = 254 // RFC 5321, 4.5.3.1.3
	MaxDescription           = 500 // characters
	maxUserAgentBytes        = 256
	tokenBytes               = 32 // of a browser's cookie and of an API token: 256 bits
	passwordLetters          = 20 // of a generated password: 20 letters of 32, 100 bits
)

// API tokens.
const (
	DefaultMaxTokenLifetime = 365 * 24 * time.Hour
	MaxTokensPerUser        = 50
	// keepExpiredTokens is how long a token that has expired is still listed, so that one sees why a program stopped.
	keepExpiredTokens = 30 * 24 * time.Hour
)

// knownSourceFor is how long a source is remembered that somebody signed in from.
const knownSourceFor = 90 * 24 * time.Hour

// maxHashing bounds how many passwords are hashed at once: each takes DefaultHashing's memory.
const maxHashing = 4

// Failures before tries are slowed down, and by how much. The wait doubles with each further failure.
const (
	freePairFailures   = 5 // of one name from one source
	freeSourceFailures = 20
	freeNameFailures   = 20 // of one name from anywhere it is not known from
	firstWait          = time.Second
	maxPairWait        = 5 * time.Minute
	maxSourceWait      = 5 * time.Minute
	maxNameWait        = time.Minute      // short: strangers can bring it about
	forgetAfter        = 30 * time.Minute // without a failure
	maxThrottleEntries = 30_000
)

// DefaultHashing is RFC 9106, 4 (second recommendation): 64 MiB, 3 passes.
func DefaultHashing() *argon2id.Params {
	return &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}
}
