package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// verifyAhead is the size up to which a file is checked before its first byte is handed out. A longer one is checked
// while it is read.
const verifyAhead = 8 << 20

// File opens a file of the recording: session.json, an init, a segment, an event file, or the manifest of a recording
// that is not live. It returns ErrNotFound for any other name, and a *CorruptError when the content is not what was
// recorded: for files above 8 MiB from the last Read. Of a file that still grows it gives the whole fragments or
// lines there are.
func (r *Recording) File(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	if e, ok := r.entry(name); ok && e.Size > verifyAhead {
		body, err := r.src.open(ctx, name)
		if err != nil {
			return nil, 0, err
		}
		return &checkedReader{body: body, hash: sha256.New(), entry: e}, e.Size, nil
	}
	b, err := r.read(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
}

// read reads a whole file and checks it.
func (r *Recording) read(ctx context.Context, name string) ([]byte, error) {
	if e, ok := r.entry(name); ok {
		b, err := readAll(ctx, r.src, name, min(e.Size+1, maxFileBytes))
		if err != nil {
			return nil, err
		}
		return b, checkContent(e, b)
	}
	switch {
	case name == manifestFile && r.manifest != nil:
		return readAll(ctx, r.src, name, maxJournalBytes)
	case name == signatureFile && r.stored:
		return readAll(ctx, r.src.store, name, maxSmallFile)
	}
	if slices.Contains(r.open, name) {
		return r.readOpen(ctx, name)
	}
	return nil, fmt.Errorf("%w: file %q", ErrNotFound, name)
}

// readOpen reads what is whole of a file that still grows. It may have been closed and uploaded since.
func (r *Recording) readOpen(ctx context.Context, name string) ([]byte, error) {
	b, err := readAll(ctx, r.src, name, maxFileBytes)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := parseName(name); kind == KindEvents {
		return b[:bytes.LastIndexByte(b, '\n')+1], nil
	}
	seg, err := fmp4.Inspect(b)
	var corrupt *fmp4.CorruptError
	if errors.As(err, &corrupt) && !errors.Is(err, fmp4.ErrShort) {
		return nil, &CorruptError{File: name, Offset: int64(corrupt.Offset), Err: corrupt.Err}
	}
	return b[:seg.Whole], nil
}

// checkedReader checks a file while it is read: whoever gets io.EOF had the right bytes.
type checkedReader struct {
	body  io.ReadCloser
	hash  hash.Hash
	entry *Entry
	n     int64
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	if c.n > c.entry.Size {
		return 0, &CorruptError{File: c.entry.Name, Offset: c.entry.Size, Err: errors.New("longer than it was")}
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if c.n < c.entry.Size {
		return n, &CorruptError{File: c.entry.Name, Offset: c.n, Err: ErrTruncated}
	}
	if Hash(c.hash.Sum(nil)) != c.entry.SHA256 {
		return n, &CorruptError{File: c.entry.Name, Offset: -1, Err: ErrChecksum}
	}
	return n, io.EOF
}

func (c *checkedReader) Close() error { return c.body.Close() }
