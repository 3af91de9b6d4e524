// Package objectstore is where recordings rest once they leave the spool: a folder (Disk) or an S3 bucket (MinIO).
// Every backend passes the suite in objectstoretest.
package objectstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

var (
	// ErrNotFound is returned by Get, Stat and Delete for a key that holds no object.
	ErrNotFound = errors.New("objectstore: no such object")
	// ErrChecksum is returned by Put when the bytes are not those of the promised checksum or size. Nothing was stored.
	ErrChecksum = errors.New("objectstore: content differs from its checksum")
	// ErrKey is returned for a key outside the rules of CheckKey.
	ErrKey = errors.New("objectstore: invalid key")
	// ErrLocked is returned by Delete for an object whose time is not over, or that is on hold. It is still there.
	ErrLocked = errors.New("objectstore: object is locked")
	// ErrNoLock says that a bucket was made without Object Lock, which cannot be added later.
	ErrNoLock = errors.New("objectstore: the bucket has no Object Lock")
	// ErrRange is returned by Get for a range that does not begin inside the object.
	ErrRange = errors.New("objectstore: range outside the object")
)

// Store keeps objects by key. All methods may be called at the same time.
//
// Every error that is not one of the sentinels above may pass by itself (the network, the disk, a restart): callers try
// again. A method may block until its context ends.
type Store interface {
	// Put stores size bytes of r under key. The object is whole and durable when Put returns nil. When Put fails or
	// the process dies, the object is whole, absent, or what it was before: never a part. Storing a key again replaces it. The bytes
	// must hash to opt.SHA256, else nothing is stored and the error is ErrChecksum. After an error r may still be read for
	// a while: another attempt needs another reader.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64, opt PutOptions) error
	// Get opens rng of an object. The caller closes it.
	Get(ctx context.Context, key string, rng Range) (io.ReadCloser, error)
	// Stat describes an object as the store holds it now. SHA256 is always set and is that of the stored bytes: a
	// backend that does not keep it reads the object to know.
	Stat(ctx context.Context, key string) (Object, error)
	// List yields the objects whose keys begin with prefix, in the order of their keys, without SHA256. It stops at
	// the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Delete removes an object, for good, with all its versions where the store keeps any. A locked one it leaves alone and
	// returns ErrLocked.
	Delete(ctx context.Context, key string) error
}

// Lock is what keeps objects from being removed.
type Lock struct {
	Until time.Time // zero: no time
	Hold  bool      // for as long as it is not taken off
}

// Locker is a Store that can keep objects from being removed.
type Locker interface {
	// Lock locks all objects in a folder, those of keys that begin with it and a slash. A time is only ever made longer, by
	// the zero time not at all; a hold is put on or taken off.
	Lock(ctx context.Context, folder string, l Lock) error
}

// PutOptions go with the bytes of an object.
type PutOptions struct {
	ContentType string
	SHA256      [sha256.Size]byte // required
	Lock        Lock              // from the first moment; for stores that are no Locker it has no effect
}

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
	SHA256   [sha256.Size]byte // by Stat only
}

// Range is a part of an object in bytes. A Length of zero means up to the end; the zero Range is the whole object.
// A range may end beyond the object and is cut there.
type Range struct{ Offset, Length int64 }

// maxKeyBytes bounds a key; S3 allows 1024 with the configured prefix.
const maxKeyBytes = 512

// CheckKey returns ErrKey unless key is slash-separated names of letters, digits, dots, dashes and underscores, none
// of which begins with a dot: what every backend can keep and no file system can misread.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return fmt.Errorf("%w: %d bytes", ErrKey, len(key))
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
		}) {
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
	}
	return nil
}
