package target

import "github.com/vitrine-psm/vitrine/internal/config"

// Caps of targets and accounts.
const (
	MaxTargets       = config.MaxTargets
	MaxAccounts      = 200 // on a target
	maxName          = 128 // characters
	maxDescription   = 2000
	maxAddress       = 262 // a DNS name and a port
	maxTags          = 64
	maxTag           = 64      // characters
	maxUsername      = 256     // characters; also of a domain
	maxReference     = 1024    // characters of where a provider finds a credential
	maxCABytes       = 1 << 20 // of certification authorities, PEM
	MaxPasswordBytes = 4096    // as long as a person or program may have set; RDP and VNC take far less
)
