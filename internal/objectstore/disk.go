package objectstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tempPrefix begins the names of objects that are still being written. CheckKey keeps keys out of it.
const tempPrefix = ".put-"

// Disk keeps objects as files under a folder; the key is the path.
type Disk struct {
	root *os.Root
	// Clock tells whether a lock is over; nil: time.Now. It is set before the first use.
	Clock func() time.Time

	locks sync.Mutex // of lock files: held from reading one to writing it, and while an object is removed
}

var _ Store = (*Disk)(nil)

// OpenDisk opens the store in dir, which is made when missing. What an earlier life left half written is removed.
// Only one process may use the folder. The caller closes the store.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("objectstore: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("objectstore: %w", err)
	}
	d := &Disk{root: root}
	if err := d.removeTemporary(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// Close releases the folder.
func (d *Disk) Close() error { return d.root.Close() }

func (d *Disk) removeTemporary() error {
	return fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasPrefix(e.Name(), tempPrefix) {
			return err
		}
		return d.root.Remove(filepath.FromSlash(name))
	})
}

// Put writes a temporary file beside the object, flushes it, renames it and flushes the folder.
func (d *Disk) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, opt PutOptions) (err error) {
	if err := CheckKey(key); err != nil {
		return err
	}
	folder := path.Dir(key)
	if err := d.makeFolder(folder); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if opt.Lock != (Lock{}) {
		d.locks.Lock()
		err := d.lock(folder, opt.Lock, false)
		d.locks.Unlock()
		if err != nil {
			return err
		}
	}
	f, temp, err := d.createTemporary(folder)
	if err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed before when all went well so far
			_ = d.root.Remove(temp)
		}
	}()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), contextReader{ctx, io.LimitReader(r, size+1)})
	if err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if n != size {
		return fmt.Errorf("%w: %d bytes or more, %d promised", ErrChecksum, n, size)
	}
	if [sha256.Size]byte(hash.Sum(nil)) != opt.SHA256 {
		return fmt.Errorf("%w: put %s", ErrChecksum, key)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if err := d.root.Rename(temp, key); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	if err := d.syncFolder(folder); err != nil {
		return fmt.Errorf("objectstore: put: %w", err)
	}
	return nil
}

// createTemporary opens a file of a name nobody else has.
func (d *Disk) createTemporary(folder string) (*os.File, string, error) {
	for i := 0; ; i++ {
		temp := path.Join(folder, fmt.Sprintf("%s%d", tempPrefix, i))
		f, err := d.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, temp, err
		}
	}
}

// makeFolder makes a folder and its parents and flushes the parent of each one that was missing.
func (d *Disk) makeFolder(folder string) error {
	if _, err := d.root.Stat(folder); err == nil {
		return nil
	}
	if err := d.root.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for folder != "." {
		folder = path.Dir(folder)
		if err := d.syncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) syncFolder(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get opens the file. An object replaced meanwhile is read as it was.
func (d *Disk) Get(_ context.Context, key string, rng Range) (io.ReadCloser, error) {
	f, info, err := d.open(key)
	if err != nil {
		return nil, err
	}
	if rng.Offset < 0 || rng.Length < 0 || rng.Offset > 0 && rng.Offset >= info.Size() {
		return nil, errors.Join(fmt.Errorf("%w: from %d of %d bytes", ErrRange, rng.Offset, info.Size()), f.Close())
	}
	length := info.Size() - rng.Offset
	if rng.Length > 0 {
		length = min(length, rng.Length)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, rng.Offset, length), f}, nil
}

// Stat reads the whole file for its checksum: that it can be read back is what the caller wants to know.
func (d *Disk) Stat(ctx context.Context, key string) (Object, error) {
	f, info, err := d.open(key)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, contextReader{ctx, f})
	if err != nil {
		return Object{}, fmt.Errorf("objectstore: stat: %w", err)
	}
	return Object{Key: key, Size: n, Modified: info.ModTime(), SHA256: [sha256.Size]byte(hash.Sum(nil))}, nil
}

func (d *Disk) open(key string) (*os.File, fs.FileInfo, error) {
	if err := CheckKey(key); err != nil {
		return nil, nil, err
	}
	f, err := d.root.Open(key)
	if err != nil {
		return nil, nil, notFound(key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(notFound(key, err), f.Close())
	}
	return f, info, nil
}

// List walks the folders the prefix can be in. fs.WalkDir goes by name within a folder, which is not the order of
// whole keys ("a-b" comes before "a/b"), so a folder's names are compared as keys: folders end in a slash.
func (d *Disk) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		d.list(ctx, ".", prefix, yield)
	}
}

func (d *Disk) list(ctx context.Context, folder, prefix string, yield func(Object, error) bool) bool {
	entries, err := d.readFolder(folder)
	if err != nil {
		return yield(Object{}, fmt.Errorf("objectstore: list: %w", err))
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			yield(Object{}, context.Cause(ctx))
			return false
		}
		key := e.key
		switch {
		case e.IsDir() && (strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)):
			if !d.list(ctx, strings.TrimSuffix(key, "/"), prefix, yield) {
				return false
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix) && !strings.HasPrefix(e.Name(), "."):
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return yield(Object{}, fmt.Errorf("objectstore: list: %w", err))
			}
			if !yield(Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return false
			}
		}
	}
	return true
}

// Delete removes the file and the folders it leaves empty.
func (d *Disk) Delete(_ context.Context, key string) error {
	f, _, err := d.open(key) // only files are objects
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("objectstore: delete: %w", err)
	}
	d.locks.Lock()
	defer d.locks.Unlock()
	if err := d.locked(key); err != nil {
		return err
	}
	if err := d.root.Remove(key); err != nil {
		return notFound(key, err)
	}
	folder := path.Dir(key)
	if err := d.syncFolder(folder); err != nil {
		return fmt.Errorf("objectstore: delete: %w", err)
	}
	for ; folder != "."; folder = path.Dir(folder) {
		if d.removeFolder(folder) != nil {
			break // not empty
		}
	}
	return nil
}

// notFound turns the errors of a path that is not there, or is there as something else, into ErrNotFound.
func notFound(key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	return fmt.Errorf("objectstore: %w", err)
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one call
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
