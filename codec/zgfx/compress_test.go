package zgfx

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// compressor packs messages as a server would: greedy, with a hash of three bytes. It makes the tests' data.
type compressor struct {
	history []byte // of all messages; the tests' are short
	heads   map[[3]byte]int
}

func newCompressor() *compressor { return &compressor{heads: map[[3]byte]int{}} }

// bitWriter writes most significant bits first.
type bitWriter struct {
	b    []byte
	free int // bits of the last byte
}

func (w *bitWriter) write(v uint64, n int) {
	for n > 0 {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		k := min(n, w.free)
		w.b[len(w.b)-1] |= byte(v>>(n-k)) & (1<<k - 1) << (w.free - k)
		n, w.free = n-k, w.free-k
	}
}

func (w *bitWriter) code(code string) {
	v, _ := strconv.ParseUint(code, 2, 16)
	w.write(v, len(code))
}

func (w *bitWriter) literal(b byte) {
	for _, l := range literals {
		if l.b == b {
			w.code(l.code)
			return
		}
	}
	w.write(uint64(b), prefixBits)
}

func (w *bitWriter) distance(d int) {
	base := 0
	for _, m := range matches {
		if d < base+1<<m.value {
			w.code(m.code)
			w.write(uint64(d-base), int(m.value))
			return
		}
		base += 1 << m.value
	}
	panic("distance")
}

func (w *bitWriter) match(d, n int) {
	w.distance(d)
	if n == 3 {
		w.write(0, 1)
		return
	}
	k := bits.Len(uint(n)) - 1 // n is 2^k and more
	w.write(1<<k-2, k)         // k-1 ones and a zero
	w.write(uint64(n-1<<k), k)
}

func (w *bitWriter) plain(p []byte) {
	w.distance(0)
	w.write(uint64(len(p)), 15)
	w.free = 0
	w.b = append(w.b, p...)
}

// segment returns the bits with the header and the count of unused bits around them.
func (w *bitWriter) segment() []byte {
	s := append([]byte{compressionTypeRDP8 | packetCompressed}, w.b...)
	return append(s, byte(w.free))
}

// pack compresses one segment.
func (c *compressor) pack(data []byte) []byte {
	w := &bitWriter{}
	start := len(c.history)
	c.history = append(c.history, data...)
	for i := start; i < len(c.history); {
		n, d := 0, 0
		if i+3 <= len(c.history) {
			key := [3]byte(c.history[i:])
			if at, ok := c.heads[key]; ok && i-at <= HistoryBytes {
				for d = i - at; i+n < len(c.history) && c.history[i+n] == c.history[at+n]; {
					n++
				}
			}
			c.heads[key] = i
		}
		if n >= 3 {
			w.match(d, n)
			i += n
			continue
		}
		w.literal(c.history[i])
		i++
	}
	return w.segment()
}

// message compresses data into as many segments as it needs.
func (c *compressor) message(data []byte) []byte {
	if len(data) <= plainSegmentBytes {
		return append([]byte{segmentedSingle}, c.pack(data)...)
	}
	var segments [][]byte
	total := uint32(len(data))
	for len(data) > 0 {
		n := min(len(data), plainSegmentBytes)
		segments = append(segments, c.pack(data[:n]))
		data = data[n:]
	}
	return multipart(total, segments...)
}

func single(segment []byte) []byte { return append([]byte{segmentedSingle}, segment...) }

func multipart(size uint32, segments ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{segmentedMultipart}, uint16(len(segments)))
	b = binary.LittleEndian.AppendUint32(b, size)
	for _, s := range segments {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}
