package remotefx

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// The way from a picture to a message, as plainly as it can be said.

// bitWriter appends bits, the highest of a byte first.
type bitWriter struct {
	b []byte
	n int // bits
}

func (w *bitWriter) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v >> i & 1 << (7 - w.n%8))
		w.n++
	}
}

func (w *bitWriter) repeat(bit, n int) {
	for range n {
		w.put(bit, 1)
	}
}

// golombRice codes v and adapts krp.
func (w *bitWriter) golombRice(krp *int, v int) {
	kr := *krp >> kpShift
	ones := v >> kr
	w.repeat(1, ones)
	w.put(0, 1)
	w.put(v&(1<<kr-1), kr)
	switch {
	case ones == 0:
		*krp = max(*krp-2, 0)
	case ones > 1:
		*krp = min(*krp+ones, kpMax)
	}
}

func magSign(v int) int {
	if v < 0 {
		return -2*v - 1
	}
	return 2 * v
}

// encodeRLGR is the encoder of [MS-RDPRFX] 3.1.8.1.7.3.
func encodeRLGR(q []int16, rlgr3 bool) []byte {
	var w bitWriter
	kp, krp := 1<<kpShift, 1<<kpShift
	next := func() int {
		if len(q) == 0 {
			return 0
		}
		v := int(q[0])
		q = q[1:]
		return v
	}
	for len(q) > 0 {
		if kp>>kpShift != 0 {
			zeros, v := 0, next()
			for v == 0 && len(q) > 0 {
				zeros++
				v = next()
			}
			if v == 0 { // the number that ends the run is beyond the last
				zeros++
			}
			for zeros >= 1<<(kp>>kpShift) {
				w.put(0, 1)
				zeros -= 1 << (kp >> kpShift)
				kp = min(kp+upGR, kpMax)
			}
			w.put(1, 1)
			w.put(zeros, kp>>kpShift)
			sign, magnitude := 0, v
			if v < 0 {
				sign, magnitude = 1, -v
			}
			w.put(sign, 1)
			w.golombRice(&krp, max(magnitude-1, 0))
			kp = max(kp-dnGR, 0)
			continue
		}
		first := magSign(next())
		if !rlgr3 {
			w.golombRice(&krp, first)
			if first == 0 {
				kp = min(kp+uqGR, kpMax)
			} else {
				kp = max(kp-dqGR, 0)
			}
			continue
		}
		second := magSign(next())
		w.golombRice(&krp, first+second)
		w.put(first, bits.Len(uint(first+second)))
		switch {
		case first != 0 && second != 0:
			kp = max(kp-2*dqGR, 0)
		case first == 0 && second == 0:
			kp = min(kp+2*uqGR, kpMax)
		}
	}
	return w.b
}

// encodeSRL codes numbers of n bits each for one upgrade of one component ([MS-RDPEGFX] 3.3.8.2).
func encodeSRL(numbers, n []int) []byte {
	var w bitWriter
	kp, zeros := 1<<kpShift, 0
	for i, v := range numbers {
		if v == 0 {
			if zeros++; zeros == 1<<(kp>>kpShift) {
				w.put(0, 1)
				kp, zeros = min(kp+upGR, kpMax), 0
			}
			continue
		}
		w.put(1, 1)
		w.put(zeros, kp>>kpShift)
		kp, zeros = max(kp-dnGR, 0), 0
		sign, magnitude := 0, v
		if v < 0 {
			sign, magnitude = 1, -v
		}
		w.put(sign, 1)
		w.repeat(0, magnitude-1)
		if magnitude < 1<<n[i]-1 {
			w.put(1, 1)
		}
	}
	if zeros > 0 {
		w.put(0, 1)
	}
	return w.b
}

// split is the forward transform of one row or column into low and high numbers.
func split(x []int, extrapolate bool) (low, high []int) {
	half := func(v int) int { return v >> 1 }
	nl, nh := len(x)/2, len(x)/2
	if extrapolate {
		half = func(v int) int { return v / 2 }
		nl, nh = (len(x)+2)/2, (len(x)-1)/2
	}
	low, high = make([]int, nl), make([]int, nh)
	for i := range high {
		right := x[min(2*i+2, (len(x)-1)&^1)]
		high[i] = half(x[2*i+1] - half(x[2*i]+right))
	}
	for i := range low {
		switch left := high[min(max(i-1, 0), nh-1)]; {
		case extrapolate && 2*i == len(x): // past the end: on the line through the last two
			low[i] = 2*x[2*i-1] - x[2*i-2]
		case i == 0:
			low[i] = x[0] + high[0]
		case i < nh && extrapolate:
			low[i] = x[2*i] + half(left+high[i])
		case i < nh:
			low[i] = x[2*i] + half(left+high[i]+1)
		case len(x)%2 == 1:
			low[i] = x[2*i] + left
		default:
			low[i] = x[2*i] + half(left)
		}
	}
	return low, high
}

// transpose turns rows into columns.
func transpose(m [][]int) [][]int {
	t := make([][]int, len(m[0]))
	for x := range t {
		t[x] = make([]int, len(m))
		for y := range m {
			t[x][y] = m[y][x]
		}
	}
	return t
}

// splitAll splits each row.
func splitAll(m [][]int, extrapolate bool) (low, high [][]int) {
	for _, row := range m {
		l, h := split(row, extrapolate)
		low, high = append(low, l), append(high, h)
	}
	return low, high
}

// forward is the transform of a component of 64×64 numbers, its bands in the order of the stream.
func forward(m [][]int, extrapolate bool) []int {
	var out []int
	for range 3 {
		lowT, highT := splitAll(transpose(m), extrapolate)
		ll, hl := splitAll(transpose(lowT), extrapolate)
		lh, hh := splitAll(transpose(highT), extrapolate)
		for _, band := range [][][]int{hl, lh, hh} {
			for _, row := range band {
				out = append(out, row...)
			}
		}
		m = ll
	}
	for _, row := range m {
		out = append(out, row...)
	}
	return out
}

// tileCoefficients returns the coefficients of the tile at x, y. Beyond the picture its edge is repeated.
func tileCoefficients(p pixel.BGRX, x, y int, extrapolate bool) (coefs [components][]int) {
	var planes [components][][]int
	for c := range planes {
		planes[c] = make([][]int, tileSide)
		for i := range planes[c] {
			planes[c][i] = make([]int, tileSide)
		}
	}
	for j := range tileSide {
		row := p.Row(min(y+j, p.Height-1))
		for i := range tileSide {
			px := row[4*min(x+i, p.Width-1):]
			b, g, r := float64(px[0]), float64(px[1]), float64(px[2])
			planes[0][j][i] = int(math.Round(32 * (0.299*r + 0.587*g + 0.114*b - 128)))
			planes[1][j][i] = int(math.Round(32 * (-0.168935*r - 0.331665*g + 0.50059*b)))
			planes[2][j][i] = int(math.Round(32 * (0.499813*r - 0.418531*g - 0.081282*b)))
		}
	}
	for c := range coefs {
		coefs[c] = forward(planes[c], extrapolate)
	}
	return coefs
}

// bandOf returns the band of each coefficient.
func bandOf(extrapolate bool) (band [tileCoefs]int) {
	layout, i := bandSizes[0], 0
	if extrapolate {
		layout = bandSizes[1]
	}
	for b, n := range layout {
		for range n {
			band[i] = b
			i++
		}
	}
	return band
}

// quantise returns the number of each coefficient with its band's bits below pos cut off: towards zero, but for LL3 down.
func quantise(coefs []int, pos shifts, extrapolate bool) []int {
	band, q := bandOf(extrapolate), make([]int, tileCoefs)
	for i, v := range coefs {
		b := band[i]
		if s := pos[b] - 1; b == bands-1 || v >= 0 {
			q[i] = v >> s
		} else {
			q[i] = -(-v >> s)
		}
	}
	return q
}

// differenced returns the numbers as they are coded: those of LL3 as differences.
func differenced(q []int, extrapolate bool) []int16 {
	out := make([]int16, len(q))
	ll := bandSizes[0][bands-1]
	if extrapolate {
		ll = bandSizes[1][bands-1]
	}
	for i, v := range q {
		if i > len(q)-ll {
			v -= q[i-1]
		}
		out[i] = int16(v)
	}
	return out
}

// appendBlock appends a block of the given type.
func appendBlock(b []byte, blockType uint16, body ...byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, blockType)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+blockHeaderBytes))
	return append(b, body...)
}

func words(vs ...int) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func appendQuant(b []byte, q shifts, order *[bands]uint8) []byte {
	for i := 0; i < bands; i += 2 {
		b = append(b, q[order[i]]|q[order[i+1]]<<4)
	}
	return b
}

func evenQuant(v uint8) (q shifts) {
	for i := range q {
		q[i] = v
	}
	return q
}
