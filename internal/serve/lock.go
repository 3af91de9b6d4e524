package serve

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrRunning is wrapped when another process serves from the same data folder.
var ErrRunning = errors.New("serve: another vitrine already uses this data folder")

// Lock keeps every gateway off the data folder until the lock is closed, for commands that must be alone. It fails with
// ErrRunning while one runs.
func Lock(dir string) (io.Closer, error) { return lockData(dir) }

// lockData makes the data folder and takes the lock that keeps a second process out: two would recover and upload each
// other's running sessions. The lock goes with the file, or the process.
func lockData(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("serve: data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "serve.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("serve: data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w: %s", ErrRunning, dir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
