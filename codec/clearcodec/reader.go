package clearcodec

import "encoding/binary"

// reader reads one structure front to back. Reads past the end give zeros; short tells.
type reader struct {
	b     []byte
	short bool
}

// bytes returns the next n bytes, or nil.
func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) uint8() int {
	if len(r.b) == 0 {
		r.short = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return int(v)
}

func (r *reader) uint16() int {
	if p := r.bytes(2); p != nil {
		return int(binary.LittleEndian.Uint16(p))
	}
	return 0
}

func (r *reader) uint32() int {
	if p := r.bytes(4); p != nil {
		return int(binary.LittleEndian.Uint32(p))
	}
	return 0
}

// colour reads blue, green and red as one pixel of BGRX.
func (r *reader) colour() uint32 {
	if p := r.bytes(3); p != nil {
		return bgr(p)
	}
	return 0
}

// bgr returns the pixel of three bytes.
func bgr(p []byte) uint32 {
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | opaque
}

// opaque is what goes into the byte without meaning.
const opaque = 0xff << 24

// runLength reads a runLengthFactor of one, two or four bytes: 0xFF and 0xFFFF say that a longer form follows.
func (r *reader) runLength() int {
	if len(r.b) > 0 && r.b[0] != 0xff {
		n := r.b[0]
		r.b = r.b[1:]
		return int(n)
	}
	return r.longRunLength()
}

func (r *reader) longRunLength() int {
	n := r.uint8()
	if n == 0xff {
		if n = r.uint16(); n == 0xffff {
			n = r.uint32()
		}
	}
	return n
}
