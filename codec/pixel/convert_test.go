package pixel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// floatYCC is the formula of the package comment.
func floatYCC(r, g, b float64) (y, cb, cr float64) {
	y = 0.2126*r + 0.7152*g + 0.0722*b
	return y, (b-y)/1.8556 + 128, (r-y)/1.5748 + 128
}

func solid(w, h int, r, g, b uint8) Source {
	return Source{Pix: bytes.Repeat([]byte{b, g, r, 0xaa}, w*h), Stride: w * bytesPerPixel, Width: w, Height: h}
}

func allRuns(p *Planes) []Run {
	runs := make([]Run, p.Height/BlockSize)
	for i := range runs {
		runs[i] = Run{Y: int32(i), X1: int32(p.Width / BlockSize)}
	}
	return runs
}

// TestErrorBound holds every rounded result against the real formula over a lattice of colours with all corners.
func TestErrorBound(t *testing.T) {
	const documented = 255 * 2.0 / (1 << 16) // before rounding
	for r := 0; r <= 255; r += 5 {
		for g := 0; g <= 255; g += 5 {
			for b := 0; b <= 255; b += 5 {
				y, cb, cr := floatYCC(float64(r), float64(g), float64(b))
				gotY := refY(int32(r), int32(g), int32(b))
				gotCb, gotCr := refC(4*int32(r), 4*int32(g), 4*int32(b))
				for _, c := range []struct {
					name string
					got  uint8
					want float64
				}{{"Y", gotY, y}, {"Cb", gotCb, cb}, {"Cr", gotCr, cr}} {
					if d := math.Abs(float64(c.got) - min(c.want, 255)); d > 0.5+documented {
						t.Fatalf("%s of %d,%d,%d is %d, %.3f from %.3f", c.name, r, g, b, c.got, d, c.want)
					}
				}
			}
		}
	}
	for v := range int32(256) {
		cb, cr := refC(4*v, 4*v, 4*v)
		if y := refY(v, v, v); int32(y) != v || cb != 128 || cr != 128 {
			t.Fatalf("grey %d is %d,%d,%d", v, y, cb, cr)
		}
	}
}

// TestRoundTrip decodes each primary with the inverse formula.
func TestRoundTrip(t *testing.T) {
	for i := range 8 {
		r, g, b := uint8(i&1*255), uint8(i>>1&1*255), uint8(i>>2&1*255)
		p := NewPlanes(16, 16)
		if err := Convert(p, solid(16, 16, r, g, b), allRuns(p)); err != nil {
			t.Fatal(err)
		}
		y, cb, cr := float64(p.Y[0]), float64(p.Cb[0])-128, float64(p.Cr[0])-128
		got := [3]float64{y + 1.5748*cr, y - 0.1873*cb - 0.4681*cr, y + 1.8556*cb}
		for c, want := range [3]uint8{r, g, b} {
			if d := math.Abs(math.Round(got[c]) - float64(want)); d > 1 {
				t.Errorf("%d,%d,%d: component %d comes back as %.2f", r, g, b, c, got[c])
			}
		}
	}
}

func randomSource(rng *rand.Rand, w, h, stride int) Source {
	pix := make([]byte, stride*h)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	return Source{Pix: pix[:(h-1)*stride+w*bytesPerPixel], Stride: stride, Width: w, Height: h}
}

// TestConvertEqualsReference compares C with Go for sizes with every kind of edge, a padded stride and random runs.
func TestConvertEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{16, 16}, {17, 16}, {16, 17}, {31, 33}, {1, 1}, {2, 3}, {801, 601}, {1366, 768}, {1000, 700}, {640, 480}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			w, h := size[0], size[1]
			src := randomSource(rng, w, h, w*bytesPerPixel+64)
			got, want := NewPlanes(w, h), NewPlanes(w, h)
			for i := range got.Y {
				got.Y[i], want.Y[i] = 7, 7
			}
			var runs []Run
			cols := got.Width / BlockSize
			for y := range got.Height / BlockSize {
				if x0 := rng.IntN(cols); rng.IntN(3) > 0 {
					runs = append(runs, Run{Y: int32(y), X0: int32(x0), X1: int32(x0 + rng.IntN(cols-x0+1))})
				}
			}
			for _, rs := range [][]Run{runs, allRuns(got)} {
				if err := Convert(got, src, rs); err != nil {
					t.Fatal(err)
				}
				refConvert(want, src, rs)
				if !bytes.Equal(got.Y, want.Y) || !bytes.Equal(got.Cb, want.Cb) || !bytes.Equal(got.Cr, want.Cr) {
					t.Fatalf("C and Go differ for runs %v", rs)
				}
			}
		})
	}
}

// TestPadding checks that what lies beyond the picture repeats its edge.
func TestPadding(t *testing.T) {
	src := solid(17, 19, 10, 200, 30)
	p := NewPlanes(17, 19)
	if err := Convert(p, src, allRuns(p)); err != nil {
		t.Fatal(err)
	}
	for i, v := range p.Y {
		if v != p.Y[0] {
			t.Fatalf("Y differs at %d: %d, not %d", i, v, p.Y[0])
		}
	}
	for i := range p.Cb {
		if p.Cb[i] != p.Cb[0] || p.Cr[i] != p.Cr[0] {
			t.Fatalf("chroma differs at %d", i)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	src := solid(32, 32, 0, 0, 0)
	short := src
	short.Pix = src.Pix[:len(src.Pix)-1]
	narrow := src
	narrow.Stride = 31 * bytesPerPixel
	torn := NewPlanes(32, 32)
	torn.Cr = torn.Cr[:10]
	for _, c := range []struct {
		name string
		dst  *Planes
		src  Source
		runs []Run
	}{
		{"picture too short", NewPlanes(32, 32), short, nil},
		{"stride too small", NewPlanes(32, 32), narrow, nil},
		{"planes of another size", NewPlanes(48, 32), src, nil},
		{"planes too short", torn, src, nil},
		{"unaligned planes", &Planes{Width: 17, Height: 16}, src, nil},
		{"run beyond the right edge", NewPlanes(32, 32), src, []Run{{Y: 0, X0: 0, X1: 3}}},
		{"run below the bottom", NewPlanes(32, 32), src, []Run{{Y: 2, X0: 0, X1: 1}}},
		{"run before the left edge", NewPlanes(32, 32), src, []Run{{Y: 0, X0: -1, X1: 1}}},
		{"run backwards", NewPlanes(32, 32), src, []Run{{Y: 0, X0: 2, X1: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Convert(c.dst, c.src, c.runs); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func BenchmarkConvert(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	src := randomSource(rng, 1920, 1080, 1920*bytesPerPixel)
	p := NewPlanes(1920, 1080)
	for name, runs := range map[string][]Run{"1080p": allRuns(p), "4blocks": {{Y: 3, X0: 5, X1: 7}, {Y: 4, X0: 5, X1: 7}}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Convert(p, src, runs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
