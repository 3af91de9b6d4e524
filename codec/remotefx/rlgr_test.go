package remotefx

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// numberSets are the numbers of components of many kinds.
func numberSets() map[string][]int16 {
	rng := rand.New(rand.NewPCG(7, 8))
	sets := map[string][]int16{"zeros": make([]int16, tileCoefs)}
	for _, chance := range []int{1, 2, 5, 30, 900} {
		for _, spread := range []int{2, 9, 400, 30000} {
			q := make([]int16, tileCoefs)
			for i := range q {
				if rng.IntN(chance) == 0 {
					q[i] = int16(rng.IntN(spread) - spread/2)
				}
			}
			sets[fmt.Sprintf("1 in %d within %d", chance, spread)] = q
		}
	}
	last := make([]int16, tileCoefs)
	last[tileCoefs-1] = -3
	sets["last"] = last
	return sets
}

func TestRLGR(t *testing.T) {
	for name, q := range numberSets() {
		for mode, rlgr3 := range map[string]bool{"RLGR1": false, "RLGR3": true} {
			if rlgr3 && name == "1 in 1 within 30000" {
				continue // the sum of two does not fit 16 bits
			}
			t.Run(name+"/"+mode, func(t *testing.T) {
				data := encodeRLGR(q, rlgr3)
				var got [tileCoefs]int16
				decodeRLGR(&got, data, rlgr3)
				for i := range got {
					if got[i] != q[i] {
						t.Fatalf("number %d is %d, want %d", i, got[i], q[i])
					}
				}
				// Cut anywhere, it agrees with the decoder that takes bit after bit.
				for _, n := range []int{0, 1, len(data) / 3, len(data) / 2, len(data) - 1} {
					decodeRLGR(&got, data[:n], rlgr3)
					if got != refRLGR(data[:n], rlgr3) {
						t.Fatalf("differs from the reference when cut to %d of %d bytes", n, len(data))
					}
				}
			})
		}
	}
}

// FuzzRLGR holds the decoder against the one that takes bit after bit.
func FuzzRLGR(f *testing.F) {
	f.Add(encodeRLGR(numberSets()["1 in 5 within 9"][:500], false), false)
	f.Add(encodeRLGR(numberSets()["1 in 2 within 400"][:200], true), true)
	f.Add(bytes.Repeat([]byte{0xff}, 40), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, data []byte, rlgr3 bool) {
		var got [tileCoefs]int16
		decodeRLGR(&got, data, rlgr3)
		if got != refRLGR(data, rlgr3) {
			t.Fatal("differs from the reference")
		}
	})
}

// TestSRL decodes what the encoder of the tests makes, runs going on from band to band.
func TestSRL(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, chance := range []int{1, 2, 7, 100} {
		numbers, n := make([]int, 3000), make([]int, 3000)
		for i := range numbers {
			n[i] = 1 + i/1000*5
			if rng.IntN(chance) == 0 {
				numbers[i] = rng.IntN(1<<(n[i]+1)-1) - (1<<n[i] - 1)
			}
		}
		u := newUpgrader(encodeSRL(numbers, n), nil)
		coefs, signs := make([]int16, len(numbers)), make([]int8, len(numbers))
		for i := 0; i < len(coefs); i += 1000 {
			u.band(coefs[i:i+1000], signs[i:i+1000], 0, uint(n[i]))
		}
		for i, v := range numbers {
			if int(coefs[i]) != v || (v > 0) != (signs[i] > 0) || (v < 0) != (signs[i] < 0) {
				t.Fatalf("1 in %d: number %d is %d with sign %d, want %d", chance, i, coefs[i], signs[i], v)
			}
		}
	}
}
