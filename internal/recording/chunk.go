package recording

import (
	"os"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// chunk is the open event file.
type chunk struct {
	f      spoolfs.File
	entry  Entry // digests and Quiet are set when it is closed
	digest *digest
	dirty  bool
}

func newChunk(fs spoolfs.FS, name string, firstUS int64) (*chunk, error) {
	f, err := fs.Open(name, os.O_CREATE|os.O_EXCL|os.O_RDWR)
	if err != nil {
		return nil, &SpoolError{"create", name, err}
	}
	return &chunk{f: f, entry: Entry{Name: name, Kind: KindEvents, FirstUS: firstUS}, digest: newDigest(), dirty: true}, nil
}

// write appends count lines, the last of which is of lastUS.
func (c *chunk) write(lines []byte, count int, lastUS int64) error {
	c.dirty = true
	if _, err := c.f.WriteAt(lines, c.entry.Size); err != nil {
		return &SpoolError{"write", c.entry.Name, err}
	}
	c.digest.add(lines)
	c.entry.Size += int64(len(lines))
	c.entry.Count += count
	c.entry.LastUS = lastUS
	return nil
}

func (c *chunk) sync() error {
	if !c.dirty {
		return nil
	}
	if err := c.f.Sync(); err != nil {
		return &SpoolError{"sync", c.entry.Name, err}
	}
	c.dirty = false
	return nil
}

func (c *chunk) close() (Entry, error) {
	if err := c.sync(); err != nil {
		return Entry{}, err
	}
	if err := c.f.Close(); err != nil {
		return Entry{}, &SpoolError{"close", c.entry.Name, err}
	}
	c.digest.seal(&c.entry)
	return c.entry, nil
}
