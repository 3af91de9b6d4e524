package rdp

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// The few BER ([X.690] 8) and aligned PER ([X.691]) forms that T.125 and T.124 need here.

// BER tags.
const (
	berBoolean    = 0x01
	berInteger    = 0x02
	berOctets     = 0x04
	berEnumerated = 0x0a
	berSequence   = 0x30
)

// appendBERLength appends a length in the definite form.
func appendBERLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xff:
		return append(b, 0x81, byte(n))
	}
	return binary.BigEndian.AppendUint16(append(b, 0x82), uint16(n))
}

func appendBERInteger(b []byte, v uint32) []byte {
	switch {
	case v < 0x80:
		return append(b, berInteger, 1, byte(v))
	case v < 0x8000:
		return binary.BigEndian.AppendUint16(append(b, berInteger, 2), uint16(v))
	case v < 0x800000:
		return append(b, berInteger, 3, byte(v>>16), byte(v>>8), byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, berInteger, 4), v)
}

// berLength reads a definite length that what follows must satisfy.
func berLength(r *wire.Reader) int {
	first := int(r.Uint8())
	n := first
	switch {
	case first < 0x80:
	case first == 0x80:
		_ = r.Refuse("indefinite length")
		return 0
	default:
		octets := first & 0x7f
		if octets > 4 {
			_ = r.Refuse("length of %d octets", octets)
			return 0
		}
		n = 0
		for _, o := range r.Bytes(octets) {
			n = n<<8 | int(o)
		}
	}
	if r.Err() == nil && n > r.Len() {
		_ = r.Refuse("length %d, %d bytes left", n, r.Len())
		return 0
	}
	return n
}

// berValue reads the contents behind a tag of one byte.
func berValue(r *wire.Reader, tag uint8) []byte {
	if got := r.Uint8(); r.Err() == nil && got != tag {
		_ = r.Refuse("tag %#x, want %#x", got, tag)
	}
	return r.Bytes(berLength(r))
}

// berUint reads an INTEGER or ENUMERATED that is not negative and has at most 32 bits.
func berUint(r *wire.Reader, tag uint8) uint32 {
	p := berValue(r, tag)
	if r.Err() != nil {
		return 0
	}
	if len(p) == 0 || len(p) > 5 || len(p) == 5 && p[0] != 0 {
		_ = r.Refuse("integer of %d octets", len(p))
		return 0
	}
	v := uint32(0)
	for _, o := range p {
		v = v<<8 | uint32(o)
	}
	return v
}

// appendPERLength appends a length determinant in one or two bytes ([X.691] 10.9), up to 16383.
func appendPERLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint16(b, uint16(n)|0x8000)
}

// perLength reads a length determinant.
func perLength(r *wire.Reader) int {
	first := int(r.Uint8())
	if first&0x80 == 0 {
		return first
	}
	if first&0x40 != 0 {
		_ = r.Refuse("fragmented length %#x", first)
		return 0
	}
	return first&0x3f<<8 | int(r.Uint8())
}
