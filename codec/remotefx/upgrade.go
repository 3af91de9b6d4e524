package remotefx

import "math/bits"

// bitReader is a stream of bits, the highest of a byte first: acc, n and pos are as in refill, except that beyond the end
// of the stream there are zeros without end.
type bitReader struct {
	src []byte
	pos int
	acc uint64
	n   int
}

// refillZeros is refill for a bitReader: n is at least 56 in any case.
func refillZeros(src []byte, pos int, acc uint64, n int) (int, uint64, int) {
	if pos, acc, n = refill(src, pos, acc, n); n < 56 {
		n = 56
	}
	return pos, acc, n
}

// upgrader is the state in which an upgrade goes through the bands of a component ([MS-RDPEGFX] 3.3.8.2): a stream of
// raw bits for the coefficients that have a sign already, and one for the others, coded by SRL (Simplified Run-Length):
// runs of zeros as in RLGR, each ended by a sign and a magnitude in unary.
type upgrader struct {
	raw, srl bitReader
	kp       int  // the parameter k of runs, in eighths
	zeros    int  // left of the present run
	ended    bool // a number other than zero follows the run
}

func newUpgrader(srl, raw []byte) upgrader {
	return upgrader{raw: bitReader{src: raw}, srl: bitReader{src: srl}, kp: 1 << kpShift}
}

// lowest adds n bits, at most maxUpgradeBits, to each coefficient of LL3, whose numbers are not coded by sign.
func (u *upgrader) lowest(coefs []int16, shift, n uint) {
	if n == 0 {
		return
	}
	r := &u.raw
	for i := range coefs {
		if r.n < 16 {
			r.pos, r.acc, r.n = refillZeros(r.src, r.pos, r.acc, r.n)
		}
		coefs[i] += int16(int(r.acc>>((64-n)&63)) << shift)
		r.acc <<= n & 63
		r.n -= int(n)
	}
}

// band adds n bits, at most maxUpgradeBits, to each coefficient of another band.
func (u *upgrader) band(coefs []int16, signs []int8, shift, n uint) {
	if n == 0 {
		return
	}
	// Single variables stay in registers, structures do not.
	raw, rawPos, rawAcc, rawN := u.raw.src, u.raw.pos, u.raw.acc, u.raw.n
	srl, srlPos, srlAcc, srlN := u.srl.src, u.srl.pos, u.srl.acc, u.srl.n
	kp, zeros, ended := u.kp, u.zeros, u.ended
	limit := 1<<(n&15) - 2 // of the zeros in a magnitude, after which no one follows
	signs = signs[:len(coefs)]
	for i := range coefs {
		if sign := int(signs[i]); sign != 0 {
			if rawN < 16 {
				rawPos, rawAcc, rawN = refillZeros(raw, rawPos, rawAcc, rawN)
			}
			coefs[i] += int16(sign * int(rawAcc>>((64-n)&63)) << (shift & 63))
			rawAcc <<= n & 63
			rawN -= int(n)
			continue
		}
		if zeros > 0 {
			zeros--
			continue
		}
		if srlN < 32 {
			srlPos, srlAcc, srlN = refillZeros(srl, srlPos, srlAcc, srlN)
		}
		if !ended {
			k := kp >> kpShift
			if srlAcc>>63 == 0 {
				srlAcc <<= 1
				srlN--
				zeros = 1<<(k&63) - 1
				kp = min(kp+upGR, kpMax)
				continue
			}
			zeros = int(srlAcc << 1 >> 1 >> ((63 - k) & 63))
			srlAcc <<= (k + 1) & 63
			srlN -= k + 1
			if zeros > 0 {
				zeros--
				ended = true
				continue
			}
		}
		ended = false
		kp = max(kp-dnGR, 0)
		v := 1
		sign := int8(1 - 2*int(srlAcc>>63))
		srlAcc <<= 1
		srlN--
		if limit > 0 {
			zeros := bits.LeadingZeros64(srlAcc)
			switch {
			case zeros < limit && zeros < srlN:
				srlAcc <<= (zeros + 1) & 63
				srlN -= zeros + 1
			case zeros >= limit && limit <= srlN:
				zeros = limit
				srlAcc <<= zeros & 63
				srlN -= zeros
			default:
				srlPos, srlAcc, srlN, zeros = longZeros(srl, srlPos, srlAcc, srlN, limit)
			}
			v += zeros
		}
		signs[i] = sign
		coefs[i] += int16(v * int(sign) << (shift & 63))
	}
	u.raw.pos, u.raw.acc, u.raw.n = rawPos, rawAcc, rawN
	u.srl.pos, u.srl.acc, u.srl.n = srlPos, srlAcc, srlN
	u.kp, u.zeros, u.ended = kp, zeros, ended
}

// longZeros takes zeros up to the next one, and that one, or limit zeros, however many they are.
func longZeros(src []byte, pos int, acc uint64, n, limit int) (pos2 int, acc2 uint64, n2, zeros int) {
	for {
		run := min(bits.LeadingZeros64(acc), n, limit-zeros)
		acc <<= run
		n -= run
		if zeros += run; zeros == limit {
			return pos, acc, n, zeros
		}
		if n > 0 {
			return pos, acc << 1, n - 1, zeros
		}
		pos, acc, n = refillZeros(src, pos, acc, n)
	}
}
