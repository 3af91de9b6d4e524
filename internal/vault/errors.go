package vault

import "errors"

// What callers tell apart. No error says anything of a secret.
var (
	// ErrNotFound is returned where nothing is sealed for that purpose and record.
	ErrNotFound = errors.New("vault: no such secret")
	// ErrNoKey is returned for a secret whose master key is not there.
	ErrNoKey = errors.New("vault: the master key is not there")
	// ErrCorrupt is returned for a secret that does not open: it was altered, or belongs to another record.
	ErrCorrupt = errors.New("vault: does not open; it was altered or is of another record")
	// ErrTooLarge is returned for a secret that is larger than MaxBytes.
	ErrTooLarge = errors.New("vault: secret too large")
)
