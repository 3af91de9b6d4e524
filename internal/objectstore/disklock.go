package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"
)

// lockFile is where a folder's lock is written. CheckKey keeps keys out of it. A folder is locked as a whole, by this
// program only: whoever has the disk can remove what is on it.
const lockFile = ".lock"

// maxLockFile bounds it, in bytes.
const maxLockFile = 1 << 10

var _ Locker = (*Disk)(nil)

// diskLock is the content of a lock file.
type diskLock struct {
	Until time.Time `json:"retain_until,omitzero"`
	Hold  bool      `json:"legal_hold,omitempty"`
}

// Lock locks a folder.
func (d *Disk) Lock(_ context.Context, folder string, l Lock) error {
	if err := CheckKey(folder); err != nil {
		return err
	}
	d.locks.Lock()
	defer d.locks.Unlock()
	if _, err := d.root.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing to lock; what comes brings its lock along
	}
	return d.lock(folder, l, true)
}

// lock makes a folder's lock longer, and sets its hold or, unless exact, only puts it on.
func (d *Disk) lock(folder string, l Lock, exact bool) error {
	before, err := d.readLock(folder)
	if err != nil {
		return err
	}
	after := before
	if l.Until.After(before.Until) {
		after.Until = l.Until.UTC()
	}
	after.Hold = l.Hold || !exact && before.Hold
	if after == before {
		return nil
	}
	b, err := json.Marshal(after)
	if err != nil {
		return err
	}
	f, temp, err := d.createTemporary(folder)
	if err != nil {
		return fmt.Errorf("objectstore: lock: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = d.root.Rename(temp, path.Join(folder, lockFile))
	}
	if err != nil {
		_ = d.root.Remove(temp)
		return fmt.Errorf("objectstore: lock: %w", err)
	}
	return d.syncFolder(folder)
}

func (d *Disk) readLock(folder string) (diskLock, error) {
	name := path.Join(folder, lockFile)
	info, err := d.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return diskLock{}, nil
	}
	if err != nil {
		return diskLock{}, fmt.Errorf("objectstore: lock: %w", err)
	}
	if info.Size() > maxLockFile {
		return diskLock{}, fmt.Errorf("objectstore: lock of %s: %d bytes", folder, info.Size())
	}
	b, err := d.root.ReadFile(name)
	if err != nil {
		return diskLock{}, fmt.Errorf("objectstore: lock: %w", err)
	}
	var l diskLock
	if err := json.Unmarshal(b, &l); err != nil {
		return diskLock{}, fmt.Errorf("objectstore: lock of %s: %w", folder, err)
	}
	return l, nil
}

// locked returns ErrLocked for a key in a folder that is locked now.
func (d *Disk) locked(key string) error {
	l, err := d.readLock(path.Dir(key))
	if err != nil {
		return err
	}
	switch {
	case l.Hold:
		return fmt.Errorf("%w: %s is on legal hold", ErrLocked, key)
	case d.now().Before(l.Until):
		return fmt.Errorf("%w: %s until %s", ErrLocked, key, l.Until.Format(time.RFC3339))
	}
	return nil
}

func (d *Disk) now() time.Time {
	if d.Clock != nil {
		return d.Clock()
	}
	return time.Now()
}

// removeFolder removes a folder that holds no object any more, with its lock.
func (d *Disk) removeFolder(folder string) error {
	list, err := fs.ReadDir(d.root.FS(), folder)
	if err != nil {
		return err
	}
	if len(list) == 1 && list[0].Name() == lockFile {
		if err := d.root.Remove(path.Join(folder, lockFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return d.root.Remove(folder)
}
