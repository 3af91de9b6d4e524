// Package der reads and appends the ASN.1 of CredSSP, SPNEGO and Kerberos ([X.690]): tags below 31 and definite
// lengths, which is all these protocols use.
//
// What is appended is DER. What is read may be BER in one respect: a length written with more octets than it needs,
// as some implementations of CredSSP do. Indefinite lengths are refused.
//
// INVARIANT: reading allocates nothing by a number from the network, never panics, and every slice returned lies
// within the input.
package der

import (
	"fmt"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Tags of the universal class, as identifier octets.
const (
	Integer       = 0x02
	BitString     = 0x03
	OctetString   = 0x04
	ObjectID      = 0x06
	Enumerated    = 0x0a
	GeneralString = 0x1b
	GeneralTime   = 0x18
	Sequence      = 0x30
)

// Context is the identifier octet of the constructed element [n] of a structure.
func Context(n int) byte { return 0xa0 | byte(n) }

// Application is the identifier octet of the constructed element [APPLICATION n].
func Application(n int) byte { return 0x60 | byte(n) }

// maxLengthOctets bounds the octets of a length behind the first: four say 4 GiB.
const maxLengthOctets = 4

// Reader reads the elements of one structure in order. It and all Readers entered from it share the first error;
// after that every read returns nothing.
type Reader struct {
	b []byte
	s *state
}

type state struct {
	name string // of the outermost structure
	err  error
}

// NewReader returns a Reader of b, which is not copied. name is the structure's in its specification.
func NewReader(name string, b []byte) *Reader { return &Reader{b: b, s: &state{name: name}} }

// Err returns the first error of this Reader and its kin.
func (r *Reader) Err() error { return r.s.err }

// End refuses what is left over and returns the first error.
func (r *Reader) End() error {
	if r.s.err == nil && len(r.b) > 0 {
		return r.Refuse("%d bytes left over", len(r.b))
	}
	return r.s.err
}

// Refuse makes what is wrong the error, unless there is one already, and returns that.
func (r *Reader) Refuse(format string, args ...any) error {
	if r.s.err == nil {
		r.s.err = fmt.Errorf("%s: "+format+": %w", append(append([]any{r.s.name}, args...), wire.ErrMalformed)...)
	}
	return r.s.err
}

// More reports whether an element follows.
func (r *Reader) More() bool { return r.s.err == nil && len(r.b) > 0 }

// Next reports whether the next element has this tag.
func (r *Reader) Next(tag byte) bool { return r.More() && r.b[0] == tag }

// Element returns the content of the next element, which must have this tag.
func (r *Reader) Element(tag byte) []byte {
	content, _ := r.take(tag)
	return content
}

// Whole returns the next element, which must have this tag, with its tag and length.
func (r *Reader) Whole(tag byte) []byte {
	_, whole := r.take(tag)
	return whole
}

// Enter returns a Reader of the content of the next element, which must have this tag.
func (r *Reader) Enter(tag byte) *Reader { return &Reader{b: r.Element(tag), s: r.s} }

// Skip passes over the next element if it has this tag.
func (r *Reader) Skip(tag byte) {
	if r.Next(tag) {
		r.Element(tag)
	}
}

// Raw returns the next n bytes, which are no element.
func (r *Reader) Raw(n int) []byte {
	if r.s.err != nil {
		return nil
	}
	if n > len(r.b) {
		_ = r.Refuse("%d bytes are due, %d left", n, len(r.b))
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

// Wrapped returns the content of an element inner that is alone within the next element outer: [n] EXPLICIT.
func (r *Reader) Wrapped(outer, inner byte) []byte {
	in := r.Enter(outer)
	content := in.Element(inner)
	_ = in.End()
	return content
}

// Int returns the number that is alone within the next element outer: [n] INTEGER.
func (r *Reader) Int(outer byte) int64 {
	content := r.Wrapped(outer, Integer)
	if r.s.err != nil {
		return 0
	}
	if len(content) == 0 || len(content) > 8 {
		_ = r.Refuse("an INTEGER of %d bytes", len(content))
		return 0
	}
	n := int64(int8(content[0]))
	for _, c := range content[1:] {
		n = n<<8 | int64(c)
	}
	return n
}

// take reads one element: its content, and all of it.
func (r *Reader) take(tag byte) (content, whole []byte) {
	if r.s.err != nil {
		return nil, nil
	}
	if len(r.b) == 0 {
		_ = r.Refuse("ends where tag %#02x is due", tag)
		return nil, nil
	}
	if r.b[0] != tag {
		_ = r.Refuse("tag %#02x where %#02x is due", r.b[0], tag)
		return nil, nil
	}
	header, length, ok := header(r.b)
	switch {
	case !ok:
		_ = r.Refuse("tag %#02x without a definite length of at most %d octets", tag, maxLengthOctets)
	case length > int64(len(r.b)-header):
		_ = r.Refuse("tag %#02x of %d bytes, %d left", tag, length, len(r.b)-header)
	default:
		end := header + int(length)
		content, whole = r.b[header:end:end], r.b[:end:end]
		r.b = r.b[end:]
	}
	return content, whole
}

// header returns how many bytes tag and length take and what length they tell. ok is false when b is too short for
// that or the length is indefinite or too long.
func header(b []byte) (n int, length int64, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	if b[1] < 0x80 {
		return 2, int64(b[1]), true
	}
	octets := int(b[1] & 0x7f)
	if octets == 0 || octets > maxLengthOctets || len(b) < 2+octets {
		return 0, 0, false
	}
	for _, c := range b[2 : 2+octets] {
		length = length<<8 | int64(c)
	}
	return 2 + octets, length, true
}
