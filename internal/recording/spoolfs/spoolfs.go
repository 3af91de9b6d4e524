// Package spoolfs is the file system as the recorder and its recovery see it: one folder, few operations, each of
// which may fail. Tests make them fail with Faulty.
package spoolfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by Lock when somebody else holds the folder's lock.
var ErrLocked = errors.New("spoolfs: the folder is locked")

// FS is one folder.
type FS interface {
	// Open opens a file of the folder with the flags of os.OpenFile. What it creates is for its owner alone.
	Open(name string, flag int) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List returns the folder's entries by name.
	List() ([]fs.DirEntry, error)
	// Sync makes the folder's entries durable: files created, renamed and removed.
	Sync() error
	// Free returns the bytes an ordinary user may still write to the file system.
	Free() (uint64, error)
	// Lock takes the folder's lock or returns ErrLocked. The kernel gives it back when the process ends; Close does too.
	Lock() error
	// Close releases the lock and the folder.
	Close() error
}

// File is an open file. Offsets are always given, so that a write is what it is whatever came before.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Sync makes the file's bytes durable.
	Sync() error
}

// dir is a real folder.
type dir struct {
	root *os.Root
	self *os.File // the folder itself: for flush, lock and free space
}

// Open opens the folder at path, which must exist. Names cannot leave it, not even by symbolic links.
func Open(path string) (FS, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &dir{root: root, self: self}, nil
}

func (d *dir) Open(name string, flag int) (File, error) {
	f, err := d.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err // a nil *os.File is no nil File
	}
	return f, nil
}

func (d *dir) Rename(from, to string) error { return d.root.Rename(from, to) }

func (d *dir) Remove(name string) error { return d.root.Remove(name) }

func (d *dir) List() ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), ".") }

func (d *dir) Sync() error { return d.self.Sync() }

func (d *dir) Free() (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.self.Fd()), &st); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Lock takes flock(2) on the folder itself. It belongs to this opening of the folder: a descriptor of it that
// another process holds does not keep it.
func (d *dir) Lock() error {
	err := unix.Flock(int(d.self.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

func (d *dir) Close() error { return errors.Join(d.self.Close(), d.root.Close()) }

// ReadFile reads a whole file of at most limit bytes.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("file too large")}
	}
	return b, err
}

// WriteFile makes a file durable at once: it is there whole after WriteFile returned nil, and absent or what it was
// before whenever the process or the machine stops earlier.
func WriteFile(fsys FS, name string, data []byte) error {
	temp := name + TempSuffix
	f, err := fsys.Open(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	return fsys.Sync()
}

// TempSuffix ends the names of files WriteFile has not finished.
const TempSuffix = ".tmp"
