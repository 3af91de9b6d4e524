// Package sensitive reads secrets: with a bound, and without leaving copies behind that nobody can wipe.
package sensitive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Buffer keeps the first bytes of what is written to it, in one place.
type Buffer struct {
	b     []byte
	limit int
	over  bool
}

// NewBuffer returns a Buffer that keeps at most limit bytes.
func NewBuffer(limit int) *Buffer { return &Buffer{limit: limit} }

// Bytes is what was kept. It is overwritten by Wipe.
func (b *Buffer) Bytes() []byte { return b.b }

// Over tells whether there was more.
func (b *Buffer) Over() bool { return b.over }

// Write implements io.Writer. It never fails, so that a program that writes here runs to its end.
func (b *Buffer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(b.spare(), rest)
		b.took(n)
		rest = rest[n:]
	}
	return len(p), nil
}

// ReadFrom implements io.ReaderFrom: what is read goes nowhere but into b.
func (b *Buffer) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	for {
		n, err := r.Read(b.spare())
		b.took(n)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// spare returns room for more, which is never empty. Beyond the limit it is room that took forgets again.
func (b *Buffer) spare() []byte {
	if len(b.b) == cap(b.b) {
		// Grown by hand: append would leave copies behind that nobody can wipe.
		grown := make([]byte, len(b.b), max(2*cap(b.b), 512))
		copy(grown, b.b)
		b.Wipe()
		b.b = grown
	}
	return b.b[len(b.b):cap(b.b)]
}

// took counts n bytes of spare.
func (b *Buffer) took(n int) {
	keep := min(n, b.limit-len(b.b))
	if keep < n {
		b.over = true
		clear(b.b[len(b.b)+keep : len(b.b)+n])
	}
	b.b = b.b[:len(b.b)+keep]
}

// Wipe overwrites all there is.
func (b *Buffer) Wipe() { clear(b.b[:cap(b.b)]) }

// ReadAll reads at most limit bytes.
func ReadAll(r io.Reader, limit int) ([]byte, error) {
	out := NewBuffer(limit)
	_, err := out.ReadFrom(r)
	if err == nil && out.over {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		out.Wipe()
		return nil, err
	}
	return out.b, nil
}

// ReadFile reads a file of at most limit bytes.
func ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := ReadAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// ReadLine reads a file that holds one line.
func ReadLine(path string, limit int) (string, error) {
	b, err := ReadFile(path, limit)
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(b))
	if s == "" || strings.ContainsAny(s, "\r\n\x00") {
		return "", fmt.Errorf("%s does not hold one line", path)
	}
	return s, nil
}
