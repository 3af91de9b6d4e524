package audit

import "time"

// Caps of an entry. With all of them reached it has about 40 KB; usual ones have 400 bytes.
const (
	maxName     = 256 // bytes of a name, id, address or action
	maxDetail   = 1024
	maxKey      = 64
	maxDetails  = 32
	maxPolicies = 32
)

// Caps of writing.
const (
	maxBatch     = 500   // entries of one transaction
	maxPending   = 10000 // entries that wait to be written; more are refused, and with them the acts
	writeTimeout = 15 * time.Second
	probeTimeout = 3 * time.Second
)
