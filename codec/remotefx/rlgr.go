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

// refill makes n, the number of the highest bits of acc that are the next ones of the stream, at least 56, unless src ends
// before; pos is how much of src is read. More bits of acc than n may be set, to what the stream holds there; beyond
// its end they are zero.
func refill(src []byte, pos int, acc uint64, n int) (int, uint64, int) {
	if pos+8 <= len(src) {
		return pos + (63-n)>>3, acc | binary.BigEndian.Uint64(src[pos:])>>(n&63), n | 56
	}
	for n <= 56 && pos < len(src) {
		acc |= uint64(src[pos]) << (56 - n)
		pos++
		n += 8
	}
	return pos, acc, n
}

// longOnes takes ones up to the next zero, and that zero, however many they are. n is negative at the end of src.
func longOnes(src []byte, pos int, acc uint64, n int) (pos2 int, acc2 uint64, n2, ones int) {
	for {
		if run := bits.LeadingZeros64(^acc); run < n {
			pos, acc, n = refill(src, pos, acc<<(run+1), n-run-1)
			return pos, acc, n, ones + run
		}
		ones += n
		if pos, acc, n = refill(src, pos, acc<<n, 0); n == 0 {
			return pos, acc, -1, 0
		}
	}
}

// decodeRLGR decodes one component ([MS-RDPRFX] 3.1.8.1.7.3) in the variant RLGR3 or RLGR1. Numbers that src does not reach
// are zero, and so is one whose code is cut off.
func decodeRLGR(out *[tileCoefs]int16, src []byte, rlgr3 bool) {
	clear(out[:])
	var acc uint64
	pos, n := 0, 0
	kp, krp := 1<<kpShift, 1<<kpShift
	for i := 0; i < tileCoefs; {
		// Each time: a condition on n would be guessed wrong too often. What follows takes at most 33 bits before the
		// code, which may be of any length.
		if pos+8 <= len(src) {
			acc |= binary.BigEndian.Uint64(src[pos:]) >> (n & 63)
			pos += (63 - n) >> 3
			n |= 56
		} else if pos, acc, n = refill(src, pos, acc, n); n <= 0 {
			return
		}
		inRun, sign := kp>>kpShift != 0, 0
		if inRun {
			z := bits.LeadingZeros64(acc)
			if z >= longRun {
				return
			}
			run := &zeroRuns[kp][z]
			kp = int(run.kp)
			k := kp >> kpShift
			acc <<= (z + 1) & 63
			i += int(run.zeros) + int(acc>>1>>((63-k)&63))
			acc <<= k & 63
			sign = int(acc >> 63)
			acc <<= 1
			n -= z + k + 2
			if n < 0 || i >= tileCoefs {
				return
			}
			kp = max(kp-dnGR, 0)
		}

		// The Golomb-Rice code: ones, a zero, kr bits.
		kr := krp >> kpShift
		ones := bits.LeadingZeros64(^acc)
		if ones+kr < n {
			acc <<= (ones + 1) & 63
			n -= ones + 1 + kr
		} else {
			pos, acc, n, ones = longOnes(src, pos, acc, n)
			if n -= kr; n < 0 {
				return
			}
		}
		code := (ones<<(kr&63) | int(acc>>1>>((63-kr)&63))) & 0xffff
		acc <<= kr & 63
		step := ones
		if ones < len(krSteps) {
			step = krSteps[ones]
		}
		krp = min(max(krp+step, 0), kpMax)

		switch {
		case inRun:
			out[i] = int16((code + 1) ^ -sign + sign)
			i++
		case !rlgr3:
			out[i] = signed(code)
			i++
			step := -dqGR
			if code == 0 {
				step = uqGR
			}
			kp = min(max(kp+step, 0), kpMax)
		default:
			// Two numbers whose sum the code is; as many bits as the sum has tell the first.
			size := bits.Len16(uint16(code))
			if n < size {
				if pos, acc, n = refill(src, pos, acc, n); n < size {
					return
				}
			}
			first := int(acc >> 1 >> ((63 - size) & 63))
			acc <<= size & 63
			n -= size
			second := code - first
			out[i] = signed(first)
			if i++; i < tileCoefs {
				out[i] = signed(second)
				i++
			}
			if first != 0 && second != 0 {
				kp = max(kp-2*dqGR, 0)
			} else if code == 0 {
				kp = min(kp+2*uqGR, kpMax)
			}
		}
	}
}

// krSteps is what is added to krp after a code with so many ones. After more it is their number.
var krSteps = [4]int{-2, 0, 2, 3}

// signed undoes the mapping of numbers to 2·|v|, less one for negative ones.
func signed(code int) int16 { return int16(code>>1) ^ -int16(code&1) }
