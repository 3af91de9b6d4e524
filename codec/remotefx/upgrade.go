package remotefx

import (
	"encoding/binary"
	"math/bits"
)

// bitReader reads a stream of bits, the highest of a byte first. Beyond its end there are zeros.
type bitReader struct {
	src []byte
	acc uint64 // the next n bits are the highest
	n   uint
}

// fill makes n at least 56.
func (r *bitReader) fill() {
	if len(r.src) >= 8 {
		r.acc |= binary.BigEndian.Uint64(r.src) >> (r.n & 63)
		read := (63 - r.n) >> 3
		r.src = r.src[read:]
		r.n += read << 3
		return
	}
	for r.n <= 56 {
		if len(r.src) > 0 {
			r.acc |= uint64(r.src[0]) << (56 - r.n)
			r.src = r.src[1:]
		}
		r.n += 8
	}
}

// take returns the next n bits, at most 32.
func (r *bitReader) take(n uint) int {
	if r.n < n {
		r.fill()
	}
	v := int(r.acc >> 1 >> ((63 - n) & 63))
	r.acc <<= n & 63
	r.n -= n
	return v
}

// upgrader is the state in which an upgrade goes through the bands of a component ([MS-RDPEGFX] 3.3.8.2.3): a stream of
// raw bits for the coefficients that have a sign already, and one for the others, coded by SRL (Simplified Run-Length).
type upgrader struct {
	raw, srl bitReader
	kp       uint // the parameter k of runs, in eighths
	zeros    int  // left of the present run
	ended    bool // a number other than zero follows the run
}

func newUpgrader(srl, raw []byte) upgrader {
	return upgrader{raw: bitReader{src: raw}, srl: bitReader{src: srl}, kp: 1 << kpShift}
}

// lowest adds n bits to each coefficient of LL3, whose numbers are not coded by sign.
func (u *upgrader) lowest(coefs []int16, shift, n uint) {
	if n == 0 {
		return
	}
	for i := range coefs {
		coefs[i] += int16(u.raw.take(n) << shift)
	}
}

// band adds n bits to each coefficient of another band.
func (u *upgrader) band(coefs []int16, signs []int8, shift, n uint) {
	if n == 0 {
		return
	}
	raw := u.raw // a copy stays in registers
	signs = signs[:len(coefs)]
	for i := range coefs {
		sign := int(signs[i])
		if sign != 0 {
			coefs[i] += int16(sign * raw.take(n) << shift)
			continue
		}
		if u.zeros > 0 {
			u.zeros--
			continue
		}
		if v := u.number(n); v != 0 {
			signs[i] = 1
			if v < 0 {
				signs[i] = -1
			}
			coefs[i] += int16(v << shift)
		}
	}
	u.raw = raw
}

// number reads from SRL, no run being left: a zero that begins a run, or another number of n bits.
func (u *upgrader) number(n uint) int {
	if !u.ended {
		k := u.kp >> kpShift
		if u.srl.take(1) == 0 {
			u.zeros = 1<<k - 1
			u.kp = min(u.kp+upGR, kpMax)
			return 0
		}
		u.ended = true
		if u.zeros = u.srl.take(k); u.zeros > 0 {
			u.zeros--
			return 0
		}
	}
	u.ended = false
	u.kp -= min(u.kp, dnGR)
	negative := u.srl.take(1) != 0
	magnitude := 1 + int(u.srl.unary(1<<n-2))
	if negative {
		return -magnitude
	}
	return magnitude
}

// unary counts zeros up to the next one, which is taken, or to limit, after which no one follows.
func (r *bitReader) unary(limit uint) uint {
	for count := uint(0); ; {
		if r.n < 32 {
			r.fill()
		}
		zeros := min(uint(bits.LeadingZeros64(r.acc)), r.n, limit-count)
		r.acc <<= zeros
		r.n -= zeros
		if count += zeros; count == limit {
			return count
		}
		if r.n > 0 {
			r.take(1)
			return count
		}
	}
}
