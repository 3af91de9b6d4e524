// Package wire reads and appends the little-endian structures of the RDP family of protocols.
//
// A Reader holds one structure or message and remembers the first thing that went wrong, so that a decoder reads like
// the table in its specification and asks once, at the end:
//
//	r := wire.NewReader("TS_UD_CS_NET", b)
//	count := r.Uint32()
//	if count > maxChannels { return r.Refuse("channelCount %d exceeds %d", count, maxChannels) }
//	…
//	return r.Err()
//
// INVARIANT: nothing here allocates by a number from the network, and every slice returned lies within the input.
// A decoder checks the length, then the count, then allocates.
//
// Appending needs no help but the standard library's binary.LittleEndian.AppendUint16 and its kin; what is here is what
// that lacks: UTF-16.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error about bytes that a specification forbids or a cap refuses. The text names the
// structure and the numbers and never quotes payload.
var ErrMalformed = errors.New("malformed")

// Errorf returns an error that wraps ErrMalformed, for decoders without a Reader.
func Errorf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrMalformed)...)
}

// Reader reads one structure front to back. After the first error every read returns zero values; Err tells.
type Reader struct {
	name string // of the structure, as the specification writes it
	b    []byte // all of it
	pos  int
	err  error
}

// NewReader returns a Reader of b, which is not copied. name is the structure's in the specification.
func NewReader(name string, b []byte) *Reader { return &Reader{name: name, b: b} }

// Err returns the first error: a read past the end, or what Refuse was told.
func (r *Reader) Err() error { return r.err }

// Refuse makes what is wrong with the structure its error, unless there is one already, and returns that.
func (r *Reader) Refuse(format string, args ...any) error {
	if r.err == nil {
		r.err = fmt.Errorf("%s: "+format+": %w", append(append([]any{r.name}, args...), ErrMalformed)...)
	}
	return r.err
}

// Fail makes err the structure's error, unless there is one already, and returns that.
func (r *Reader) Fail(err error) error {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", r.name, err)
	}
	return r.err
}

// End is Err for structures in which nothing may follow: bytes left over are refused.
func (r *Reader) End() error {
	if r.err == nil && r.Len() > 0 {
		return r.Refuse("%d bytes left over", r.Len())
	}
	return r.err
}

// Len returns how many bytes are left; zero after an error.
func (r *Reader) Len() int {
	if r.err != nil {
		return 0
	}
	return len(r.b) - r.pos
}

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int { return r.pos }

// Bytes returns the next n bytes, which lie within the input, or nil.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.pos {
		r.err = fmt.Errorf("%s: %d bytes wanted at offset %d, %d left: %w", r.name, n, r.pos, len(r.b)-r.pos, ErrMalformed)
		return nil
	}
	p := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return p
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.Bytes(n) }

// Rest returns all bytes that are left.
func (r *Reader) Rest() []byte { return r.Bytes(r.Len()) }

// Peek returns the next n bytes without taking them, or nil when there are fewer, which is no error.
func (r *Reader) Peek(n int) []byte {
	if r.err != nil || n < 0 || n > r.Len() {
		return nil
	}
	return r.b[r.pos : r.pos+n : r.pos+n]
}

// Sub returns a Reader of the next n bytes for the structure name within this one.
func (r *Reader) Sub(name string, n int) *Reader {
	s := &Reader{name: name, b: r.Bytes(n)}
	s.err = r.err
	return s
}

// Uint8 reads a byte.
func (r *Reader) Uint8() uint8 {
	if p := r.Bytes(1); p != nil {
		return p[0]
	}
	return 0
}

// Uint16 reads a 16-bit number, little endian.
func (r *Reader) Uint16() uint16 {
	if p := r.Bytes(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

// Uint32 reads a 32-bit number, little endian.
func (r *Reader) Uint32() uint32 {
	if p := r.Bytes(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// Uint64 reads a 64-bit number, little endian.
func (r *Reader) Uint64() uint64 {
	if p := r.Bytes(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// Int16 reads a signed 16-bit number, little endian.
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Int32 reads a signed 32-bit number, little endian.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Uint16BE reads a 16-bit number, big endian (TPKT, X.224, T.125).
func (r *Reader) Uint16BE() uint16 {
	if p := r.Bytes(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}

// Uint32BE reads a 32-bit number, big endian.
func (r *Reader) Uint32BE() uint32 {
	if p := r.Bytes(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}
