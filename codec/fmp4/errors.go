package fmp4

import (
	"errors"
	"fmt"
)

var (
	// ErrShort is returned for a fragment whose end is not there: it was torn, or is still being written.
	ErrShort = errors.New("fmp4: fragment is cut off")
	// ErrFormat is returned for bytes that are no fragment of this package's layout.
	ErrFormat = errors.New("fmp4: not a fragment")
	// ErrInit is returned for an initialisation segment this package does not understand.
	ErrInit = errors.New("fmp4: bad initialisation segment")
)

// CorruptError says where in a segment the bytes stop being whole fragments.
type CorruptError struct {
	Offset int // bytes from the start of the segment
	Err    error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("%v at offset %d", e.Err, e.Offset) }

func (e *CorruptError) Unwrap() error { return e.Err }
