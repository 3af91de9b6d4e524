package objectstore

import (
	"fmt"
	"os"
)

// ReadDisk opens the store in dir, which must exist, to look at it while another process may be writing: only Get,
// Stat, List and Lock may be called. The caller closes the store.
func ReadDisk(dir string) (*Disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("objectstore: %w", err)
	}
	return &Disk{root: root}, nil
}
