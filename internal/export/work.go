package export

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// work is the folder of a job: what it has done is kept there, so that its next life goes on where the last one ended. A note tells
// what of the folder counts; it is written when what it tells of is on the disk, and never half.
type work struct{ folder string }

func (w work) path(name string) string { return filepath.Join(w.folder, name) }

// read reads a note. What is not there or is none leaves into as it was.
func (w work) read(name string, into any) bool {
	b, err := os.ReadFile(w.path(name))
	return err == nil && json.Unmarshal(b, into) == nil
}

// note writes a note.
func (w work) note(name string, what any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := writeFile(w.path(name+".new"), func(f *os.File) error {
		_, err := f.Write(b)
		return err
	}); err != nil {
		return err
	}
	return w.rename(name+".new", name)
}

// rename gives a file that is on the disk its name, for good.
func (w work) rename(from, to string) error {
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		return err
	}
	dir, err := os.Open(w.folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// remove removes files that are not needed any more.
func (w work) remove(names ...string) error {
	for _, name := range names {
		if err := os.Remove(w.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writeFile writes a new file, down to the disk.
func writeFile(name string, write func(*os.File) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Sync(), f.Close())
}

// openKept opens a file of which the first bytes are to be kept, and cuts off the rest.
func openKept(name string, keep int64) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = f.Truncate(keep); err == nil {
		_, err = f.Seek(keep, 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
