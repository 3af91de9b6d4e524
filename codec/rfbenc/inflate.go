package rfbenc

import (
	"encoding/binary"
	"math/bits"
)

// inflater decompresses a zlib stream ([RFC 1950], [RFC 1951]) that runs through many rectangles: the server
// flushes it at the end of each, and its history goes on in the next.
//
// compress/flate is not used, because it hands out data only when a block marker of a sync flush arrives or
// its window is full (a server that flushes otherwise would stall it), copies everything through a ring, and
// allocates per stream. Here output lies in one slice behind its history, and callers read it in place.
//
// INVARIANT: buf[w-32K:w], or buf[:w] at the start of the stream, is the history; buf[r:w] is not yet taken.
type inflater struct {
	in []byte // data of the present rectangle
	ip int    // first byte of in that is not in bits

	bits  uint64 // unread bits, the next one lowest; above nbits only copies of bits that in still holds
	nbits uint

	buf  []byte
	r, w int

	state  inflateState
	final  bool // the present block is the last
	stored int  // bytes left in the present stored block
	lit    *litTable
	dist   *distTable

	litDyn  litTable
	distDyn distTable
}

type inflateState uint8

const (
	inflateHeader inflateState = iota // two bytes of zlib header
	inflateBlock                      // three bits of block header
	inflateLength                     // LEN and NLEN of a stored block
	inflateStored
	inflateHuffman
	inflateEnd // behind the last block; what follows is a checksum
)

const (
	inflateWindow = 32 << 10
	inflateChunk  = 96 << 10
	// inflateSlack is what one symbol may write behind the room asked for: the longest match and an
	// eight-byte store.
	inflateSlack = 258 + 8
	// maxPeek is the most that peek can be asked for.
	maxPeek = inflateWindow
)

// reset starts a new stream.
func (z *inflater) reset() {
	if z.buf == nil {
		z.buf = make([]byte, inflateWindow+inflateChunk+inflateSlack)
	}
	z.in, z.ip, z.bits, z.nbits = nil, 0, 0, 0
	z.r, z.w = 0, 0
	z.state, z.final, z.stored = inflateHeader, false, 0
}

// begin hands over the data of the next rectangle, which must stay unchanged until end.
func (z *inflater) begin(in []byte) {
	if z.buf == nil {
		z.reset()
	}
	z.in, z.ip = in, 0
}

// peek decompresses until n bytes, at most maxPeek, wait to be taken, and returns all that wait: fewer than n
// only when the rectangle's data ends before. They are valid until the next call.
func (z *inflater) peek(n int) ([]byte, error) {
	for z.w-z.r < n {
		if z.w+inflateSlack > len(z.buf) {
			z.slide()
		}
		before := z.w
		if err := z.run(); err != nil {
			return nil, err
		}
		if z.w == before {
			break
		}
	}
	return z.buf[z.r:z.w], nil
}

// advance takes n bytes of what peek returned.
func (z *inflater) advance(n int) { z.r += n }

// end finishes the rectangle: the rest of its data must be flush markers, not pixels.
func (z *inflater) end() error {
	b, err := z.peek(z.w - z.r + 1)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		return dataError("zlib: data left over behind the rectangle's pixels")
	}
	z.in, z.ip = nil, 0
	return nil
}

// slide moves the history and what waits to the front of the buffer.
func (z *inflater) slide() {
	low := max(0, min(z.r, z.w-inflateWindow))
	z.w = copy(z.buf, z.buf[low:z.w])
	z.r -= low
}

// refill loads bits until at least 56 are there or the data is used up.
func (z *inflater) refill() {
	if len(z.in)-z.ip >= 8 {
		z.bits |= binary.LittleEndian.Uint64(z.in[z.ip:]) << z.nbits
		z.ip += int(63-z.nbits) >> 3
		z.nbits |= 56
		return
	}
	for z.nbits < 56 && z.ip < len(z.in) {
		z.bits |= uint64(z.in[z.ip]) << z.nbits
		z.ip++
		z.nbits += 8
	}
}

// need reports whether n bits, at most 56, are there.
func (z *inflater) need(n uint) bool {
	if z.nbits < n {
		z.refill()
	}
	return z.nbits >= n
}

// take returns the next n bits, which must be there.
func (z *inflater) take(n uint) uint32 {
	v := uint32(z.bits & (1<<n - 1))
	z.bits >>= n
	z.nbits -= n
	return v
}

// run decompresses until the data is used up, between two symbols, or the buffer is full.
func (z *inflater) run() error {
	for {
		switch z.state {
		case inflateHeader:
			if !z.need(16) {
				return nil
			}
			cmf, flg := z.take(8), z.take(8)
			if cmf&15 != 8 || cmf>>4 > 7 || flg&0x20 != 0 || (cmf<<8|flg)%31 != 0 {
				return dataError("zlib: stream header %02x%02x", cmf, flg)
			}
			z.state = inflateBlock
		case inflateBlock:
			if z.final {
				z.state = inflateEnd
				continue
			}
			if !z.need(3) {
				return nil
			}
			if err := z.block(); err != nil {
				return err
			}
		case inflateLength:
			if !z.need(32) {
				return nil
			}
			n, inv := z.take(16), z.take(16)
			if n != ^inv&0xffff {
				return dataError("zlib: stored block lengths %04x and %04x do not match", n, inv)
			}
			// Whole bytes go back to the input; they come from it, because nothing waits so long in bits.
			z.ip -= int(z.nbits / 8)
			z.bits, z.nbits = 0, 0
			z.stored, z.state = int(n), inflateStored
		case inflateStored:
			n := copy(z.buf[z.w:min(z.w+z.stored, len(z.buf))], z.in[z.ip:])
			z.w += n
			z.ip += n
			z.stored -= n
			if z.stored > 0 {
				return nil
			}
			z.state = inflateBlock
		case inflateHuffman:
			more, err := z.symbols()
			if err != nil || !more {
				return err
			}
			z.state = inflateBlock
		default: // inflateEnd
			z.ip, z.bits, z.nbits = len(z.in), 0, 0
			return nil
		}
	}
}

// block reads a block header, of which three bits are there.
func (z *inflater) block() error {
	z.final = z.take(1) != 0
	switch z.take(2) {
	case 0:
		z.take(z.nbits & 7)
		z.state = inflateLength
	case 1:
		z.lit, z.dist = fixedTables()
		z.state = inflateHuffman
	case 2:
		if err := z.dynamic(); err != nil {
			return err
		}
		z.lit, z.dist = &z.litDyn, &z.distDyn
		z.state = inflateHuffman
	default:
		return dataError("zlib: block type 3")
	}
	return nil
}

// symbols decodes the symbols of a block, and reports whether it came to the block's end.
func (z *inflater) symbols() (ended bool, err error) {
	for {
		ended, err = z.fast()
		if ended || err != nil {
			return ended, err
		}
		// Here the data runs out or the buffer is full: one symbol with every check, then fast again.
		if z.w+inflateSlack > len(z.buf) {
			return false, nil
		}
		z.refill()
		more, end, err := z.careful()
		if end || err != nil || !more {
			return end, err
		}
	}
}

// fast decodes while eight bytes of input and room for a symbol are certain.
func (z *inflater) fast() (ended bool, err error) {
	in, ip, bb, nb := z.in, z.ip, z.bits, z.nbits
	buf, w := z.buf, z.w
	lit, dist := z.lit, z.dist
	for len(in)-ip >= 8 && w+inflateSlack+2 <= len(buf) {
		bb |= binary.LittleEndian.Uint64(in[ip:]) << nb
		ip += int(63-nb) >> 3
		nb |= 56

		// Two literals need at most 30 of the 56 bits.
		e := lit.at(bb)
		if e&symLiteral != 0 {
			buf[w] = byte(e >> symBase)
			w++
			bb >>= e & symBits
			nb -= uint(e & symBits)
			e = lit.at(bb)
			if e&symLiteral != 0 {
				buf[w] = byte(e >> symBase)
				w++
				bb >>= e & symBits
				nb -= uint(e & symBits)
				continue
			}
			// A match needs 48 bits.
			if len(in)-ip < 8 {
				break
			}
			bb |= binary.LittleEndian.Uint64(in[ip:]) << nb
			ip += int(63-nb) >> 3
			nb |= 56
		}
		if e&symSpecial != 0 {
			if e&symEnd == 0 {
				err = errSymbol
				break
			}
			bb >>= e & symBits
			nb -= uint(e & symBits)
			ended = true
			break
		}
		bb >>= e & symBits
		nb -= uint(e & symBits)
		extra := uint(e>>symExtra) & 15
		length := int(e>>symBase) + int(bb&(1<<extra-1))
		bb >>= extra
		nb -= extra

		e = dist.at(bb)
		if e&symSpecial != 0 {
			err = errSymbol
			break
		}
		bb >>= e & symBits
		nb -= uint(e & symBits)
		extra = uint(e>>symExtra) & 15
		d := int(e>>symBase) + int(bb&(1<<extra-1))
		bb >>= extra
		nb -= extra
		if d > w {
			err = dataError("zlib: match %d bytes back in a stream of %d", d, w)
			break
		}
		copyMatch(buf, w, d, length)
		w += length
	}
	z.ip, z.bits, z.nbits, z.w = ip, bb, nb, w
	return ended, err
}

// careful decodes one symbol if all its bits are there, and else leaves everything as it was.
func (z *inflater) careful() (more, ended bool, err error) {
	bb, nb := z.bits, z.nbits
	e := z.lit.at(bb)
	n := uint(e & symBits)
	switch {
	case e&symSpecial != 0 && e&symEnd == 0:
		if nb < maxCodeBits {
			return false, false, nil
		}
		return false, false, errSymbol
	case n > nb:
		return false, false, nil
	case e&symLiteral != 0:
		z.buf[z.w] = byte(e >> symBase)
		z.w++
		z.take(n)
		return true, false, nil
	case e&symEnd != 0:
		z.take(n)
		return true, true, nil
	}
	extra := uint(e>>symExtra) & 15
	length := int(e>>symBase) + int(bb>>n&(1<<extra-1))
	used := n + extra
	if used > nb {
		return false, false, nil
	}
	bb >>= used
	e = z.dist.at(bb)
	if e&symSpecial != 0 {
		if nb-used < maxCodeBits {
			return false, false, nil
		}
		return false, false, errSymbol
	}
	n, extra = uint(e&symBits), uint(e>>symExtra)&15
	if used += n + extra; used > nb {
		return false, false, nil
	}
	d := int(e>>symBase) + int(bb>>n&(1<<extra-1))
	if d > z.w {
		return false, false, dataError("zlib: match %d bytes back in a stream of %d", d, z.w)
	}
	copyMatch(z.buf, z.w, d, length)
	z.w += length
	z.bits >>= used
	z.nbits -= used
	return true, false, nil
}

// copyMatch copies length bytes from dist back to buf[w:], with overlap repeating them. It may write up to
// seven bytes more.
func copyMatch(buf []byte, w, dist, length int) {
	src, end := w-dist, w+length
	for dist < 8 { // a short pattern: write it out until eight bytes back is a whole repetition
		if w >= end {
			return
		}
		for i := range dist {
			buf[w+i] = buf[src+i]
		}
		w += dist
		dist *= 2
	}
	for ; w < end; w += 8 {
		binary.LittleEndian.PutUint64(buf[w:], binary.LittleEndian.Uint64(buf[w-dist:]))
	}
}

// dynamic reads the code lengths of a dynamic block and builds its tables. The header must lie whole in the
// rectangle's data.
func (z *inflater) dynamic() error {
	if !z.need(14) {
		return errHeader
	}
	nlit, ndist, nclen := int(z.take(5))+257, int(z.take(5))+1, int(z.take(4))+4
	if nlit > numLit || ndist > 30 {
		return dataError("zlib: %d literal and %d distance codes", nlit, ndist)
	}
	order := [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	var clens [19]uint8
	for i := range nclen {
		if !z.need(3) {
			return errHeader
		}
		clens[order[i]] = uint8(z.take(3))
	}
	var codes clenTable
	if err := buildTable(codes.root[:], clenRoot, clens[:], clenSymbols[:], false); err != nil {
		return err
	}
	var lens [numLit + 32]uint8
	for i := 0; i < nlit+ndist; {
		z.refill()
		e := codes.root[z.bits&(1<<clenRoot-1)]
		n := uint(e & symBits)
		if n > z.nbits {
			return errHeader
		}
		if e&symSpecial != 0 {
			return errSymbol
		}
		z.take(n)
		sym := uint8(e >> symBase)
		if sym < 16 {
			lens[i] = sym
			i++
			continue
		}
		var value uint8
		base, extra := 3, uint(2)
		switch sym {
		case 16:
			if i == 0 {
				return dataError("zlib: repeat before the first code length")
			}
			value = lens[i-1]
		case 17:
			extra = 3
		default:
			base, extra = 11, 7
		}
		if !z.need(extra) {
			return errHeader
		}
		rep := base + int(z.take(extra))
		if i+rep > nlit+ndist {
			return dataError("zlib: %d code lengths exceed %d", i+rep, nlit+ndist)
		}
		for range rep {
			lens[i] = value
			i++
		}
	}
	if lens[256] == 0 {
		return dataError("zlib: block without an end code")
	}
	if err := buildTable(z.litDyn[:], litRoot, lens[:nlit], litSymbols[:], true); err != nil {
		return err
	}
	return buildTable(z.distDyn[:], distRoot, lens[nlit:nlit+ndist], distSymbols[:], true)
}

var (
	errSymbol = dataError("zlib: unused code")
	errHeader = dataError("zlib: data ends inside a block header")
)

func reverse(code uint16, n uint8) uint32 { return uint32(bits.Reverse16(code) >> (16 - n)) }
