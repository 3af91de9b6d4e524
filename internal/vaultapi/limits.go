package vaultapi

import "time"

const (
	maxAnswerBytes = 1 << 20 // its own default cap of a secret
	maxTokenBytes  = 8 << 10 // of a file with a token or a secret id

	// A token is replaced before it expires, so that it does not while it is used.
	tokenSafety = 10 * time.Second

	// attempts is how often a request is sent at most that fails for a reason which may pass; firstWait is between the first two,
	// and triples.
	attempts  = 3
	firstWait = 100 * time.Millisecond
)
