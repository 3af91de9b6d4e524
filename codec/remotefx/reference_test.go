package remotefx

import (
	"math/rand/v2"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// The inverse transform and the entropy decoder once more, one number and one bit at a time: what the tests hold the
// fast ones against.

// join is the inverse of split.
func join(low, high []int16, extrapolate bool) []int16 {
	half := func(v int16) int16 { return v >> 1 }
	round := int16(1)
	if extrapolate {
		half = func(v int16) int16 { return v / 2 }
		round = 0
	}
	nl, nh := len(low), len(high)
	x := make([]int16, nl+nh)
	for i := range low {
		switch {
		case i == 0:
			x[0] = low[0] - high[0]
		case i < nh:
			x[2*i] = low[i] - half(high[i-1]+high[i]+round)
		case i == nh && nl == nh+1:
			x[2*i] = low[i] - high[nh-1]
		case i == nh:
			x[2*i] = low[i] - half(high[nh-1])
		}
	}
	for i, h := range high {
		left, right := x[2*i], x[2*i]
		if 2*i+2 < len(x) {
			right = x[2*i+2]
		}
		x[2*i+1] = 2*h + half(left+right)
	}
	if nl == nh+2 {
		x[2*nh+1] = half(x[2*nh] + low[nl-1])
	}
	return x
}

// inverse is the inverse of forward.
func inverse(coefs []int16, extrapolate bool) [][]int16 {
	sizes := [3][2]int{{8, 8}, {16, 16}, {32, 32}} // low and high numbers
	if extrapolate {
		sizes = [3][2]int{{9, 8}, {17, 16}, {33, 31}}
	}
	n := sizes[0][0]
	ll := coefs[tileCoefs-n*n:]
	rest := coefs[:tileCoefs-n*n]
	var out [][]int16
	for _, size := range sizes {
		nl, nh := size[0], size[1]
		at := len(rest) - 2*nl*nh - nh*nh
		hl, lh, hh := rest[at:], rest[at+nl*nh:], rest[at+2*nl*nh:]
		rest = rest[:at]
		var lows, highs [][]int16
		for y := range nl {
			lows = append(lows, join(ll[y*nl:][:nl], hl[y*nh:][:nh], extrapolate))
		}
		for y := range nh {
			highs = append(highs, join(lh[y*nl:][:nl], hh[y*nh:][:nh], extrapolate))
		}
		out = make([][]int16, nl+nh)
		for x := range nl + nh {
			var l, h []int16
			for y := range lows {
				l = append(l, lows[y][x])
			}
			for y := range highs {
				h = append(h, highs[y][x])
			}
			for y, v := range join(l, h, extrapolate) {
				out[y] = append(out[y], v)
			}
		}
		ll = nil
		for _, row := range out {
			ll = append(ll, row...)
		}
	}
	return out
}

func refColour(y, cb, cr int16) [3]byte {
	luma := (int(y) + 4096) >> 2
	clamp := func(v int) byte { return byte(min(max(v>>3, 0), 255)) }
	return [3]byte{
		clamp(luma + int(cb)*28999>>16),
		clamp(luma + int(cb)*-5636>>16 + int(cr)*-11698>>16),
		clamp(luma + int(cr)*22986>>16),
	}
}

// TestRenderEqualsReference compares C with Go for coefficients of all kinds.
func TestRenderEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name   string
		spread int
		chance int // one in so many coefficients is not zero
	}{{"dense", 600, 1}, {"sparse", 2000, 40}, {"two levels zero", 900, 4}, {"flat", 3000, 0}} {
		for mode, extrapolate := range map[string]bool{"plain": false, "extrapolate": true} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				var coefs tilePlanes
				for i := range coefs {
					at := i % tileCoefs
					switch {
					case c.chance == 0 && at > 4015 && extrapolate, c.chance == 0 && at > 4032:
						coefs[i] = coefs[i-1]
					case c.chance == 0 && (at == 4015 && extrapolate || at == 4032 && !extrapolate):
						coefs[i] = int16(rng.IntN(c.spread) - c.spread/2)
					case c.name == "two levels zero" && at < 3807:
					case c.chance > 0 && rng.IntN(c.chance) == 0:
						coefs[i] = int16(rng.IntN(c.spread) - c.spread/2)
					}
				}
				got := pixel.NewBGRX(tileSide, tileSide)
				render(got, &coefs, extrapolate)
				var planes [components][][]int16
				for i := range planes {
					planes[i] = inverse(coefs.component(i)[:], extrapolate)
				}
				for y := range tileSide {
					for x := range tileSide {
						want := refColour(planes[0][y][x], planes[1][y][x], planes[2][y][x])
						if px := got.Row(y)[4*x:]; [3]byte(px[:3]) != want {
							t.Fatalf("at %d,%d: %v, want %v", x, y, px[:3], want)
						}
					}
				}
			})
		}
	}
}

// TestColourBound holds the rounding of the package comment against the real formula.
func TestColourBound(t *testing.T) {
	for y := -4096; y < 4096; y += 37 {
		for cb := -4096; cb < 4096; cb += 173 {
			for cr := -4096; cr < 4096; cr += 191 {
				got := refColour(int16(y), int16(cb), int16(cr))
				fy, fb, fr := float64(y)/32+128, float64(cb)/32, float64(cr)/32
				for i, real := range [3]float64{fy + 1.769905*fb, fy - 0.343730*fb - 0.714401*fr, fy + 1.402525*fr} {
					want := int(min(max(real, 0), 255))
					if d := want - int(got[i]); d < -1 || d > 1 {
						t.Fatalf("component %d of %d,%d,%d is %d, really %.3f", i, y, cb, cr, got[i], real)
					}
				}
			}
		}
	}
}

// TestForwardInverse checks that the two transforms of the tests belong together: no more is lost than by rounding.
func TestForwardInverse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for mode, extrapolate := range map[string]bool{"plain": false, "extrapolate": true} {
		m := make([][]int, tileSide)
		for y := range m {
			m[y] = make([]int, tileSide)
			for x := range m[y] {
				m[y][x] = rng.IntN(4000) - 2000
			}
		}
		var coefs []int16
		for _, v := range forward(m, extrapolate) {
			coefs = append(coefs, int16(v))
		}
		if len(coefs) != tileCoefs {
			t.Fatalf("%s: %d coefficients", mode, len(coefs))
		}
		for y, row := range inverse(coefs, extrapolate) {
			for x, v := range row {
				if d := int(v) - m[y][x]; d < -8 || d > 8 {
					t.Fatalf("%s: %d at %d,%d, want %d", mode, v, x, y, m[y][x])
				}
			}
		}
	}
}

// refBits reads one bit after the other.
type refBits struct {
	b   []byte
	pos int
}

func (r *refBits) left() int { return 8*len(r.b) - r.pos }

func (r *refBits) bit() int {
	v := int(r.b[r.pos/8]) >> (7 - r.pos%8) & 1
	r.pos++
	return v
}

func (r *refBits) bits(n int) (v int, ok bool) {
	if r.left() < n {
		return 0, false
	}
	for range n {
		v = v<<1 | r.bit()
	}
	return v, true
}

func (r *refBits) golombRice(krp *int) (code int, ok bool) {
	ones := 0
	for {
		if r.left() == 0 {
			return 0, false
		}
		if r.bit() == 0 {
			break
		}
		ones++
	}
	kr := *krp >> kpShift
	low, ok := r.bits(kr)
	switch {
	case ones == 0:
		*krp = max(*krp-2, 0)
	case ones > 1:
		*krp = min(*krp+ones, kpMax)
	}
	return (ones<<kr | low) & 0xffff, ok
}

func refRLGR(src []byte, rlgr3 bool) (out [tileCoefs]int16) {
	r := refBits{b: src}
	kp, krp := 1<<kpShift, 1<<kpShift
	unsign := func(code int) int16 {
		if code%2 != 0 {
			return int16(-((code + 1) / 2))
		}
		return int16(code / 2)
	}
	for i := 0; i < tileCoefs && r.left() > 0; {
		if kp>>kpShift != 0 {
			for {
				if r.left() == 0 {
					return out
				}
				if r.bit() == 1 {
					break
				}
				i += 1 << (kp >> kpShift)
				kp = min(kp+upGR, kpMax)
			}
			run, ok := r.bits(kp >> kpShift)
			if i += run; !ok || i >= tileCoefs || r.left() == 0 {
				return out
			}
			negative := r.bit() == 1
			code, ok := r.golombRice(&krp)
			if !ok {
				return out
			}
			kp = max(kp-dnGR, 0)
			if out[i] = int16(code + 1); negative {
				out[i] = -out[i]
			}
			i++
			continue
		}
		code, ok := r.golombRice(&krp)
		if !ok {
			return out
		}
		if !rlgr3 {
			if out[i] = unsign(code); code == 0 {
				kp = min(kp+uqGR, kpMax)
			} else {
				kp = max(kp-dqGR, 0)
			}
			i++
			continue
		}
		size := 0
		for code>>size != 0 {
			size++
		}
		first, ok := r.bits(size)
		if !ok {
			return out
		}
		second := code - first
		if out[i] = unsign(first); i+1 < tileCoefs {
			out[i+1] = signed(second)
		}
		i += 2
		if first != 0 && second != 0 {
			kp = max(kp-2*dqGR, 0)
		} else if first == 0 && second == 0 {
			kp = min(kp+2*uqGR, kpMax)
		}
	}
	return out
}
