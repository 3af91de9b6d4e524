package accessrequest

import "time"

// What people write, in characters.
const (
	maxReason = 2000
	maxTicket = 128
	maxNote   = 1000
)

const (
	// minWindow is the shortest window that makes sense.
	minWindow = time.Minute
	// clockSkew is how far behind ours a person's clock may be when they ask for "from now".
	clockSkew = 2 * time.Minute
	// sweepInterval is how often what has expired is written down. Nothing is open longer for it.
	sweepInterval = 5 * time.Second
	sweepBatch    = 100 // rows of a kind at a time
	// maxToldOf bounds to how many people one event goes.
	maxToldOf = 200
)
