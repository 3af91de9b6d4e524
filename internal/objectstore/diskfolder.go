package objectstore

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// entry is a directory entry with its whole key; that of a folder ends in a slash.
type entry struct {
	fs.DirEntry
	key string
}

// readFolder reads a folder in the order of keys; one that is gone is empty.
func (d *Disk) readFolder(folder string) ([]entry, error) {
	list, err := fs.ReadDir(d.root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(list))
	for i, e := range list {
		entries[i] = entry{e, path.Join(folder, e.Name())}
		if e.IsDir() {
			entries[i].key += "/"
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return entries, nil
}
