package zgfx

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Decompressor unpacks the messages of one graphics channel in their order. The zero value is ready. It holds
// HistoryBytes, is not safe for concurrent use, and must not be used again after an error: its history has a gap then.
type Decompressor struct {
	// ring holds the last HistoryBytes of the messages before the present one; next is where it goes on. It begins as
	// zeros, and a match that reaches back before the first byte reads them.
	ring []byte
	next int
}

// Decompress appends what the message src unpacks to, at most MaxMessageBytes, to dst and returns the extended slice. It
// keeps neither. After an error what it returns is of no use.
func (d *Decompressor) Decompress(dst, src []byte) ([]byte, error) {
	if len(src) < descriptorBytes {
		return dst, dataError("empty message")
	}
	if d.ring == nil {
		d.ring = make([]byte, HistoryBytes)
	}
	base := len(dst)
	var err error
	switch descriptor, rest := src[0], src[descriptorBytes:]; descriptor {
	case segmentedSingle:
		dst, err = d.segment(dst, base, rest)
	case segmentedMultipart:
		dst, err = d.multipart(dst, base, rest)
	default:
		err = dataError("descriptor %#x", descriptor)
	}
	if err != nil {
		return dst, err
	}
	d.remember(dst[base:])
	return dst, nil
}

// multipart unpacks a list of segments.
func (d *Decompressor) multipart(dst []byte, base int, src []byte) ([]byte, error) {
	if len(src) < multipartHeaderBytes {
		return dst, dataError("multipart header of %d bytes", len(src))
	}
	count := int(binary.LittleEndian.Uint16(src))
	size := uint64(binary.LittleEndian.Uint32(src[2:]))
	src = src[multipartHeaderBytes:]
	if count*(segmentSizeBytes+minSegmentBytes) > len(src) {
		return dst, dataError("segmentCount %d in %d bytes", count, len(src))
	}
	if size > MaxMessageBytes {
		return dst, dataError("uncompressedSize %d exceeds %d", size, MaxMessageBytes)
	}
	if size > uint64(count)*maxSegmentBytes {
		return dst, dataError("uncompressedSize %d of %d segments", size, count)
	}
	dst = slices.Grow(dst, int(size)+maxSegmentBytes) // a segment wants room for the largest
	for i := range count {
		if len(src) < segmentSizeBytes {
			return dst, dataError("segment %d of %d is missing", i, count)
		}
		n := uint64(binary.LittleEndian.Uint32(src))
		src = src[segmentSizeBytes:]
		if n > uint64(len(src)) {
			return dst, dataError("segment %d of %d bytes, %d left", i, n, len(src))
		}
		var err error
		if dst, err = d.segment(dst, base, src[:n]); err != nil {
			return dst, err
		}
		if got := uint64(len(dst) - base); got > size {
			return dst, dataError("%d bytes after segment %d exceed uncompressedSize %d", got, i, size)
		}
		src = src[n:]
	}
	if got := uint64(len(dst) - base); got != size {
		return dst, dataError("%d bytes, not uncompressedSize %d", got, size)
	}
	if len(src) > 0 {
		return dst, dataError("%d bytes after the last segment", len(src))
	}
	return dst, nil
}

// segment appends what one RDP8_BULK_ENCODED_DATA unpacks to. The message began at base.
func (d *Decompressor) segment(dst []byte, base int, src []byte) ([]byte, error) {
	if len(src) < minSegmentBytes {
		return dst, dataError("segment of %d bytes", len(src))
	}
	header, src := src[0], src[segmentHeaderBytes:]
	if header&packetCompressed == 0 {
		if len(src) > maxSegmentBytes {
			return dst, dataError("segment of %d plain bytes exceeds %d", len(src), maxSegmentBytes)
		}
		return append(dst, src...), nil
	}
	if t := header & compressionTypeMask; t != compressionTypeRDP8 {
		return dst, dataError("compression type %d", t)
	}
	return d.inflate(dst, base, src)
}

// inflate unpacks the bit string of a compressed segment ([MS-RDPEGFX] 3.1.9.1.2).
func (d *Decompressor) inflate(dst []byte, base int, src []byte) ([]byte, error) {
	last := len(src) - 1
	unused := int(src[last])
	src = src[:last]
	total := 8*len(src) - unused // bits
	if unused > 7 || total < 0 {
		return dst, dataError("%d unused bits at the end of %d bytes", unused, len(src))
	}
	pos := len(dst)
	end := pos + maxSegmentBytes
	out := slices.Grow(dst, maxSegmentBytes)[:end]

	// acc holds the have next bits at its top; src[in:] follows. Beyond the end there are zeros, and left tells.
	var acc uint64
	have, in, left := 0, 0, total
	for left > 0 {
		acc, have, in = refill(acc, have, in, src)
		tok := &tokens[acc>>(64-prefixBits)]
		acc <<= tok.prefix
		have -= int(tok.prefix)
		left -= int(tok.prefix)
		if tok.kind == kindLiteral {
			if left < 0 {
				break
			}
			if pos == end {
				return dst, dataError("segment exceeds %d bytes", maxSegmentBytes)
			}
			out[pos] = byte(tok.base)
			pos++
			continue
		}
		if tok.kind == kindInvalid {
			return dst, dataError("unknown code")
		}
		distance := int(tok.base) + int(acc>>(64-tok.value))
		acc <<= tok.value
		have -= int(tok.value)
		left -= int(tok.value)
		if distance > HistoryBytes {
			return dst, dataError("distance %d exceeds %d", distance, HistoryBytes)
		}
		acc, have, in = refill(acc, have, in, src)
		if distance == 0 { // plain bytes from the next whole byte on
			n := int(acc >> (64 - 15))
			left -= 15
			from := (total - left + 7) / 8
			if left < 0 || 8*(from+n) > total {
				return dst, dataError("%d plain bytes, %d bits left", n, left)
			}
			if n > end-pos {
				return dst, dataError("segment exceeds %d bytes", maxSegmentBytes)
			}
			pos += copy(out[pos:], src[from:from+n])
			acc, have, in, left = 0, 0, from+n, total-8*(from+n)
			continue
		}
		ones := bits.LeadingZeros64(^acc)
		if ones > maxLengthOnes {
			return dst, dataError("length of more than %d ones", maxLengthOnes)
		}
		n, used := 3, 1
		if ones > 0 {
			used = 2 * (ones + 1)
			n = 1<<(ones+1) + int(acc<<(ones+1)>>(64-(ones+1)))
		}
		acc <<= used
		have -= used
		left -= used
		if left < 0 {
			break
		}
		if n > end-pos {
			return dst, dataError("segment exceeds %d bytes", maxSegmentBytes)
		}
		d.match(out[base:pos+n], pos-base, distance)
		pos += n
	}
	if left < 0 {
		return dst, dataError("the last code lacks %d bits", -left)
	}
	return out[:pos], nil
}

// refill tops acc up to more than 56 bits from src[in:], with zeros after its end.
func refill(acc uint64, have, in int, src []byte) (uint64, int, int) {
	if in+8 <= len(src) {
		acc |= binary.BigEndian.Uint64(src[in:]) >> have
		n := (63 - have) >> 3
		return acc, have + 8*n, in + n
	}
	for have <= 56 {
		if in < len(src) {
			acc |= uint64(src[in]) << (56 - have)
			in++
		}
		have += 8
	}
	return acc, have, in
}

// match fills message from pos to its end with what was distance bytes before, in the message or, further back, in the
// ring. The two places may overlap: then the bytes repeat.
func (d *Decompressor) match(message []byte, pos, distance int) {
	for back := distance - pos; back > 0 && pos < len(message); back = distance - pos {
		from := d.next - back
		if from < 0 {
			from += HistoryBytes
		}
		n := min(back, len(message)-pos, HistoryBytes-from)
		pos += copy(message[pos:], d.ring[from:from+n])
	}
	for from := pos - distance; pos < len(message); {
		pos += copy(message[pos:], message[from:pos]) // twice as much each time
	}
}

// remember puts the end of a message into the ring.
func (d *Decompressor) remember(message []byte) {
	if len(message) >= HistoryBytes {
		copy(d.ring, message[len(message)-HistoryBytes:])
		d.next = 0
		return
	}
	n := copy(d.ring[d.next:], message)
	copy(d.ring, message[n:])
	d.next = (d.next + len(message)) % HistoryBytes
}
