package ntlm

// Caps on what a peer may send. Whole messages are bounded by who reads them (64 KiB in CredSSP).
const (
	// maxAVPairs bounds the pairs of a target information; [MS-NLMP] 2.2.2.1 knows eleven.
	maxAVPairs = 32
	// maxNameBytes bounds a name of user, domain, workstation or target in bytes of UTF-16; Windows allows 256 characters
	// for a user and 255 for a domain.
	maxNameBytes = 1024
	// maxResponseBytes bounds an NtChallengeResponse in bytes: its head and a target information of 16 KiB.
	maxResponseBytes = 16<<10 + 64
)
