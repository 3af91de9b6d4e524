package remotefx

import (
	"encoding/binary"
	"math/bits"
)

// Constants of RLGR ([MS-RDPRFX] 3.1.8.1.7.3). The parameters k and kr adapt in eighths: kp and krp.
const (
	kpMax   = 80 // so k and kr are at most 10
	kpShift = 3  // kp is k << kpShift
	upGR    = 4  // added to kp after a whole run of zeros
	dnGR    = 6  // taken from kp after the number that ends a run
	uqGR    = 3  // added to kp after a zero outside runs
	dqGR    = 3  // taken from kp after another number outside runs
)

// longRun is how many bits of zero are certain to say more zeros than a tile has numbers, whatever k is.
const longRun = 22

// zeroRun is what a number of zero bits in front of a run means at some kp: so many zeros, and the kp that follows.
type zeroRun struct{ zeros, kp uint16 }

// zeroRuns is indexed by kp and the number of zero bits. Each bit stands for 1<<k zeros and then raises kp.
var zeroRuns = func() (t [kpMax + 1][longRun]zeroRun) {
	for kp := range t {
		run, p := 0, kp
		for z := range t[kp] {
			t[kp][z] = zeroRun{uint16(run), uint16(p)}
			run += 1 << (p >> kpShift)
			p = min(p+upGR, kpMax)
		}
	}
	return t
}()

// window is a bit stream: the next n bits are the highest of acc, and src is what follows them. More bits of acc than n
// may be set, to what the stream holds there; beyond the end of the stream they are zero.
type window struct {
	src []byte
	acc uint64
	n   int
}

// fill makes n at least 56 unless the stream ends before.
func (w window) fill() window {
	if len(w.src) >= 8 {
		w.acc |= binary.BigEndian.Uint64(w.src) >> (w.n & 63)
		read := (63 - w.n) >> 3
		w.src = w.src[read:]
		w.n += read << 3
		return w
	}
	for w.n <= 56 && len(w.src) > 0 {
		w.acc |= uint64(w.src[0]) << (56 - w.n)
		w.src = w.src[1:]
		w.n += 8
	}
	return w
}

// ones takes ones up to the next zero, and that zero. The stream is at its end when n is negative afterwards.
func (w window) ones() (window, uint) {
	count := uint(0)
	for {
		if ones := bits.LeadingZeros64(^w.acc); ones < w.n {
			w.acc <<= ones + 1
			w.n -= ones + 1
			return w.fill(), count + uint(ones)
		}
		count += uint(w.n)
		w.acc <<= w.n
		w.n = 0
		if w = w.fill(); w.n == 0 {
			w.n = -1
			return w, 0
		}
	}
}

// decodeRLGR decodes one component ([MS-RDPRFX] 3.1.8.1.7.3) in the variant RLGR3 or RLGR1. Numbers that src does not reach
// are zero, and so is one whose code is cut off.
func decodeRLGR(out *[tileCoefs]int16, src []byte, rlgr3 bool) {
	clear(out[:])
	w := window{src: src}
	kp, krp := uint(1<<kpShift), uint(1<<kpShift)
	for i := 0; i < tileCoefs; {
		if w.n < 48 {
			if w = w.fill(); w.n <= 0 {
				return
			}
		}
		inRun, negative := kp>>kpShift != 0, false
		if inRun {
			z := bits.LeadingZeros64(w.acc)
			if z >= longRun {
				return
			}
			run := zeroRuns[kp][z]
			kp = uint(run.kp)
			k := kp >> kpShift
			w.acc <<= z + 1
			i += int(run.zeros) + int(w.acc>>1>>((63-k)&63))
			w.acc <<= k & 63
			negative = w.acc>>63 != 0
			w.acc <<= 1
			w.n -= z + int(k) + 2
			if w.n < 0 || i >= tileCoefs {
				return
			}
			kp -= min(kp, dnGR)
			if w.n < 32 {
				w = w.fill()
			}
		}

		// The Golomb-Rice code: ones, a zero, kr bits.
		kr := krp >> kpShift
		var code uint
		ones := uint(bits.LeadingZeros64(^w.acc))
		if ones+kr < uint(w.n) {
			w.acc <<= (ones + 1) & 63
		} else if w, ones = w.ones(); w.n < 0 {
			return
		} else {
			w.n += int(ones) + 1 // taken again below
		}
		code = ones<<kr | uint(w.acc>>1>>((63-kr)&63))
		w.acc <<= kr & 63
		if w.n -= int(ones + kr + 1); w.n < 0 {
			return
		}
		if ones != 1 {
			if ones == 0 {
				krp -= min(krp, 2)
			} else {
				krp = min(krp+ones, kpMax)
			}
		}

		switch {
		case inRun:
			v := int16(code + 1)
			if negative {
				v = -v
			}
			out[i] = v
			i++
		case !rlgr3:
			out[i] = signed(code)
			i++
			if code == 0 {
				kp = min(kp+uqGR, kpMax)
			} else {
				kp -= min(kp, dqGR)
			}
		default:
			// Two numbers whose sum the code is; as many bits as the sum has tell the first.
			size := bits.Len16(uint16(code))
			if w.n < size {
				if w = w.fill(); w.n < size {
					return
				}
			}
			first := uint(w.acc >> 1 >> ((63 - size) & 63))
			w.acc <<= size & 63
			w.n -= size
			second := code - first
			if first != 0 && second != 0 {
				kp -= min(kp, 2*dqGR)
			} else if code == 0 {
				kp = min(kp+2*uqGR, kpMax)
			}
			out[i] = signed(first)
			if i++; i < tileCoefs {
				out[i] = signed(second)
				i++
			}
		}
	}
}

// signed undoes the mapping of numbers to 2·|v|, less one for negative ones.
func signed(code uint) int16 { return int16(code>>1) ^ -int16(code&1) }
