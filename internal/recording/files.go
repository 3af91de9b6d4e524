package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/vitrine-psm/vitrine/internal/objectstore"
)

// folder is a recording in a folder: in the spool, or a copy of a sealed one.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, path.Base(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return &folder{root}, nil
}

func (f *folder) raw(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return file, nil
}

func (f *folder) names(context.Context) ([]string, error) {
	list, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	var names []string
	for _, e := range list {
		if e.Name() != ".lock" { // what the disk store keeps the folder by; no object's name begins with a dot
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f *folder) close() error { return f.root.Close() }

// stored is a recording in the store.
type stored struct {
	store objectstore.Store
	id    string
}

// objectKey is where a file of a recording lies in the store.
func objectKey(id, name string) string { return path.Join("recordings", id, name) }

func (s stored) raw(ctx context.Context, name string) (io.ReadCloser, error) {
	body, err := s.store.Get(ctx, objectKey(s.id, name), objectstore.Range{})
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return body, err
}

func (s stored) names(ctx context.Context) ([]string, error) {
	prefix := objectKey(s.id, "") + "/"
	var names []string
	for o, err := range s.store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		names = append(names, o.Key[len(prefix):])
	}
	return names, nil
}

// both looks in the spool first and in the store second: see the package's invariants.
type both struct {
	spool *folder // nil: the folder is gone
	store archive
}

func (b both) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if b.spool != nil {
		body, err := b.spool.raw(ctx, name)
		if !errors.Is(err, ErrNotFound) {
			return body, err
		}
	}
	return b.store.open(ctx, name)
}

// opener is where a file can be read from.
type opener interface {
	open(ctx context.Context, name string) (io.ReadCloser, error)
}

// readAll reads a whole file of at most limit bytes.
func readAll(ctx context.Context, src opener, name string, limit int64) ([]byte, error) {
	body, err := src.open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("recording: read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, &CorruptError{File: name, Offset: limit, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	return b, nil
}

// Folder is where the objects of a session's recording lie in the store.
func Folder(sessionID string) string { return objectKey(sessionID, "") }
