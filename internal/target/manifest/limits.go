package manifest

// Caps of what is read.
const (
	MaxBytes       = 32 << 20 // of all files together: 100,000 targets with an account or two
	MaxImportBytes = 8 << 20  // of what the console uploads
	MaxFiles       = 10_000   // in a folder
	maxDocuments   = 100_000
	maxProblems    = 50 // that are told
	maxDepth       = 12 // of sections in sections
	maxSecretBytes = 64 << 10
	maxCABytes     = 1 << 20
)
