package policy

import "time"

// Caps of policies. They are written by administrators, who paste mistakes like everybody else.
const (
	maxTextBytes  = 64 << 10 // of one policy's text
	maxStatements = 100      // permits and forbids in one text
	// maxNesting bounds brackets, signs and if-then-else around each other: parser and checker recurse.
	maxNesting = 32
	// maxStatementBytes bounds one statement: the checker goes through it for every combination of action and resource.
	maxStatementBytes = 8 << 10
	maxSigns          = 8    // exclamation marks and minus signs in a row
	maxPolicies       = 1000 // policies altogether
	maxNameBytes      = 200  // of a policy's name
	maxFindings       = 50   // told of one text
)

// Times of the engine.
const (
	// pollInterval is how often an engine looks whether another process has changed the policies.
	pollInterval = 2 * time.Second
	// pollTimeout bounds one look.
	pollTimeout = 5 * time.Second
	// StaleAfter is how long decisions are made by policies that could not be looked at again. Then there are none: a store
	// that cannot be read may hold a forbid by now.
	StaleAfter = 5 * time.Minute
	// complainInterval is the shortest time between two log lines about the same policy.
	complainInterval = time.Minute
)
