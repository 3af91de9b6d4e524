package recording

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrSpoolFull ends a recording: the file system has less than the minimum free, or the session's spool more than
	// its maximum, or the disk said so.
	ErrSpoolFull = errors.New("recording: spool is full")
	// ErrSealed is returned for units and events that come after Seal.
	ErrSealed = errors.New("recording: already sealed")
	// ErrSealTimeout is returned by Seal when the disk did not answer in time.
	ErrSealTimeout = errors.New("recording: sealing took too long")
	// ErrOverflow ends a recording: events came faster than the disk took them.
	ErrOverflow = errors.New("recording: too many events waiting for the disk")
	// ErrOrder ends a recording: a unit is missing, or time went back, or the first is no IDR picture.
	ErrOrder = errors.New("recording: pictures are not in order")
	// ErrLimit ends a recording that outgrew the format.
	ErrLimit = errors.New("recording: limit of the format reached")

	// ErrNotFound is returned for a session that has no recording, and for a file a recording does not have.
	ErrNotFound = errors.New("recording: not found")
	// ErrNotSealed is returned by Verify for a recording without a manifest.
	ErrNotSealed = errors.New("recording: not sealed yet")
	// ErrFormatVersion is returned for a recording of a later format.
	ErrFormatVersion = errors.New("recording: unknown format version")
	// ErrEmpty is returned by Export for a recording without a picture.
	ErrEmpty = errors.New("recording: no picture was recorded")
	// ErrCursor is returned by Events for a cursor it did not give out.
	ErrCursor = errors.New("recording: bad event cursor")
	// ErrRunning is returned by Recover while the worker lives.
	ErrRunning = errors.New("recording: the worker is still running")
)

// SpoolError is a disk operation that failed. It matches ErrSpoolFull when the disk was full.
type SpoolError struct {
	Op   string // what was tried
	File string
	Err  error
}

func (e *SpoolError) Error() string { return fmt.Sprintf("recording: %s %s: %v", e.Op, e.File, e.Err) }

func (e *SpoolError) Unwrap() error { return e.Err }

// Is makes a full disk an ErrSpoolFull.
func (e *SpoolError) Is(target error) bool {
	return target == ErrSpoolFull && (errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT))
}

// CorruptError is evidence that a file of a recording is not what was written.
type CorruptError struct {
	File   string
	Offset int64 // where it begins, in bytes; -1 when only the checksum tells
	Err    error
}

func (e *CorruptError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("recording: %s is damaged: %v", e.File, e.Err)
	}
	return fmt.Sprintf("recording: %s is damaged at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// ErrChecksum is inside a CorruptError of a file that does not hash to what the journal says.
var ErrChecksum = errors.New("content does not match its checksum")

// ErrTruncated is inside a CorruptError of a file that is shorter than the journal says.
var ErrTruncated = errors.New("file is cut off")
