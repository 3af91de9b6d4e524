package rfbenc

import (
	"encoding/binary"
	"errors"
	"io"
)

// Reader buffers a byte stream for decoders, which take small pieces of it without copying. It is not safe
// for concurrent use.
type Reader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is read from src and not yet taken
}

// NewReader returns a Reader on src with a buffer of ReaderBytes.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, buf: make([]byte, ReaderBytes)}
}

// Reset makes the Reader continue with src and forget what is buffered.
func (r *Reader) Reset(src io.Reader) { r.src, r.r, r.w = src, 0, 0 }

// Buffered returns how many bytes wait in the buffer.
func (r *Reader) Buffered() int { return r.w - r.r }

// maxEmptyReads is how often in a row a source may return neither bytes nor an error.
const maxEmptyReads = 100

// fill reads once from the source into the free space of the buffer.
func (r *Reader) fill() error {
	if r.r == r.w {
		r.r, r.w = 0, 0
	} else if r.w == len(r.buf) {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for range maxEmptyReads {
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Next returns the next n bytes, at most ReaderBytes. They are valid until the next call. The error is io.EOF
// when the stream ends before the first of them and io.ErrUnexpectedEOF when it ends among them.
func (r *Reader) Next(n int) ([]byte, error) {
	if n > len(r.buf) {
		return nil, dataError("%d bytes asked of a buffer of %d", n, len(r.buf))
	}
	for r.w-r.r < n {
		if r.r > 0 && r.r+n > len(r.buf) {
			r.w = copy(r.buf, r.buf[r.r:r.w])
			r.r = 0
		}
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && r.w > r.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	p := r.buf[r.r : r.r+n]
	r.r += n
	return p, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.r == r.w {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	return n, nil
}

// ReadFull fills p. What the buffer does not hold is read straight into p as long as it is large.
func (r *Reader) ReadFull(p []byte) error {
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	got := n
	for empty := 0; got < len(p); {
		var err error
		if rest := p[got:]; len(rest) >= len(r.buf)/2 {
			n, err = r.src.Read(rest)
			if n > 0 {
				err, empty = nil, 0
			} else if empty++; err == nil && empty == maxEmptyReads {
				err = io.ErrNoProgress
			}
		} else if n, err = 0, r.fill(); err == nil {
			n = copy(rest, r.buf[r.r:r.w])
			r.r += n
		}
		got += n
		if err != nil {
			if errors.Is(err, io.EOF) && got > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// Skip discards n bytes.
func (r *Reader) Skip(n int64) error {
	for n > 0 {
		p, err := r.Next(int(min(n, int64(len(r.buf)))))
		if err != nil {
			return err
		}
		n -= int64(len(p))
	}
	return nil
}

// Uint8 reads one byte.
func (r *Reader) Uint8() (uint8, error) {
	p, err := r.Next(1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// Uint16 reads two bytes, the high one first.
func (r *Reader) Uint16() (uint16, error) {
	p, err := r.Next(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(p), nil
}

// Uint32 reads four bytes, the highest first.
func (r *Reader) Uint32() (uint32, error) {
	p, err := r.Next(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(p), nil
}
