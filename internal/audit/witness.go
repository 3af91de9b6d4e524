package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// Folder keeps checkpoints in files of a folder, one file a month, one line of JSON each. Copy the folder to where the
// gateway's administrators cannot write, or let it be on such a mount.
type Folder struct {
	Path string
	Now  func() time.Time // nil: time.Now

	mu sync.Mutex
}

var _ Witness = (*Folder)(nil)

// keptLine is a line of a checkpoint file.
type keptLine struct {
	Time time.Time `json:"time"`
	Size int64     `json:"size"`
	Note string    `json:"note"`
}

// maxLine bounds a line of a checkpoint file.
const maxLine = 64 << 10

// Keep implements Witness.
func (f *Folder) Keep(_ context.Context, size int64, signed string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now
	if f.Now != nil {
		now = f.Now
	}
	at := now().UTC()
	line, err := json.Marshal(keptLine{at.Truncate(time.Second), size, signed})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return err
	}
	name := filepath.Join(f.Path, at.Format("checkpoints-2006-01.ndjson"))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	// One write: what other processes append does not come between.
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Sync(), file.Close(), syncFolder(f.Path))
}

// Newest implements Witness.
func (f *Folder) Newest(ctx context.Context) (string, error) {
	var newest keptLine
	err := f.each(ctx, func(k keptLine) error {
		if k.Size >= newest.Size {
			newest = k
		}
		return nil
	})
	return newest.Note, err
}

// All implements Witness.
func (f *Folder) All(ctx context.Context, yield func(string) error) error {
	return f.each(ctx, func(k keptLine) error { return yield(k.Note) })
}

func (f *Folder) each(ctx context.Context, yield func(keptLine) error) error {
	names, err := filepath.Glob(filepath.Join(f.Path, "checkpoints-*.ndjson"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = readKept(file, yield)
		file.Close()
		if err != nil {
			return fmt.Errorf("audit: %s: %w", name, err)
		}
	}
	return nil
}

// readKept reads lines of a checkpoint file. A last one without its end was cut off by a crash and does not count.
func readKept(r io.Reader, yield func(keptLine) error) error {
	buffered := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := buffered.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var k keptLine
		if err := json.Unmarshal(line, &k); err != nil {
			return fmt.Errorf("line is no checkpoint: %w", err)
		}
		if err := yield(k); err != nil {
			return err
		}
	}
}

// Objects keeps checkpoints in the store of recordings, an object each, but not every one: at least Every apart, and the
// last of a process.
type Objects struct {
	Store objectstore.Store
	Every time.Duration
	Now   func() time.Time // nil: time.Now

	mu   sync.Mutex
	last time.Time
}

var _ Witness = (*Objects)(nil)

// objectPrefix begins the keys of checkpoints.
const objectPrefix = "audit/checkpoints/"

// Keep implements Witness.
func (o *Objects) Keep(ctx context.Context, size int64, signed string, final bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	if !final && now().Sub(o.last) < o.Every {
		return nil
	}
	sum := sha256.Sum256([]byte(signed))
	key := fmt.Sprintf("%s%020d-%s.note", objectPrefix, size, hex.EncodeToString(sum[:4]))
	err := o.Store.Put(ctx, key, bytes.NewReader([]byte(signed)), int64(len(signed)), objectstore.PutOptions{ContentType: "text/plain; charset=utf-8", SHA256: sum})
	if err == nil {
		o.last = now()
	}
	return err
}

// Newest implements Witness.
func (o *Objects) Newest(ctx context.Context) (string, error) {
	newest := "" // keys are in the order of sizes
	for object, err := range o.Store.List(ctx, objectPrefix) {
		if err != nil {
			return "", err
		}
		newest = object.Key
	}
	if newest == "" {
		return "", nil
	}
	return o.read(ctx, newest)
}

// All implements Witness.
func (o *Objects) All(ctx context.Context, yield func(string) error) error {
	for object, err := range o.Store.List(ctx, objectPrefix) {
		if err != nil {
			return err
		}
		signed, err := o.read(ctx, object.Key)
		if err != nil {
			return err
		}
		if err := yield(signed); err != nil {
			return err
		}
	}
	return nil
}

func (o *Objects) read(ctx context.Context, key string) (string, error) {
	r, err := o.Store.Get(ctx, key, objectstore.Range{})
	if err != nil {
		return "", err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, maxLine))
	if err != nil {
		return "", fmt.Errorf("audit: %s: %w", key, err)
	}
	return string(content), nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadCheckpoints reads checkpoints that were kept elsewhere: one signed note, or a file of a checkpoints' folder.
func ReadCheckpoints(content []byte, from string) ([]Kept, error) {
	if !bytes.HasPrefix(content, []byte("{")) {
		if _, err := unsignedCheckpoint(string(content)); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		return []Kept{{string(content), from}}, nil
	}
	var list []Kept
	err := readKept(bytes.NewReader(content), func(k keptLine) error {
		list = append(list, Kept{k.Note, from})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return list, nil
}
