package spoolfs

import (
	"io/fs"
	"sync"
)

// Op names an operation for a Fault.
type Op string

// The operations a Fault is asked about.
const (
	OpOpen     Op = "open"
	OpWrite    Op = "write"
	OpRead     Op = "read"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpClose    Op = "close"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpList     Op = "list"
	OpSyncDir  Op = "sync folder"
	OpFree     Op = "free"
)

// Fault decides whether an operation fails, and how. name is empty for operations on the folder. A write that fails has
// written the first half of its bytes. Calls come one at a time.
type Fault func(op Op, name string) error

// Faulty makes operations of fsys fail, for tests.
func Faulty(fsys FS, fault Fault) FS {
	return &faulty{FS: fsys, fault: fault}
}

type faulty struct {
	FS
	mu    sync.Mutex
	fault Fault
}

func (f *faulty) ask(op Op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault(op, name)
}

func (f *faulty) Open(name string, flag int) (File, error) {
	if err := f.ask(OpOpen, name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, fs: f, name: name}, nil
}

func (f *faulty) Rename(from, to string) error {
	if err := f.ask(OpRename, to); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faulty) Remove(name string) error {
	if err := f.ask(OpRemove, name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faulty) List() ([]fs.DirEntry, error) {
	if err := f.ask(OpList, ""); err != nil {
		return nil, err
	}
	return f.FS.List()
}

func (f *faulty) Sync() error {
	if err := f.ask(OpSyncDir, ""); err != nil {
		return err
	}
	return f.FS.Sync()
}

func (f *faulty) Free() (uint64, error) {
	if err := f.ask(OpFree, ""); err != nil {
		return 0, err
	}
	return f.FS.Free()
}

type faultyFile struct {
	File
	fs   *faulty
	name string
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.ask(OpRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.ask(OpWrite, f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.ask(OpTruncate, f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Sync() error {
	if err := f.fs.ask(OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

// Close always closes the file, whatever it returns: as close(2) does.
func (f *faultyFile) Close() error {
	err := f.fs.ask(OpClose, f.name)
	if closeErr := f.File.Close(); err == nil {
		err = closeErr
	}
	return err
}
