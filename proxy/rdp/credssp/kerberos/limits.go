package kerberos

import "time"

// Caps on what a peer may send. Whole messages are bounded by who reads them (64 KiB in CredSSP).
const (
	// maxTicketBytes bounds a service ticket in bytes: Windows allows 48000 for tokens, of which the ticket is most.
	maxTicketBytes = 48000
	// maxNames bounds the components of a principal's name.
	maxNames = 8
	// maxSkew is how far the clocks may differ, as everywhere in Kerberos.
	maxSkew = 5 * time.Minute
)
