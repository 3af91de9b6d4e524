package freerdpref

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// picture is a gradient with hard edges.
func picture(w, h int) pixel.BGRX {
	p := pixel.NewBGRX(w, h)
	for y := range h {
		for x := range w {
			copy(p.Row(y)[4*x:], []byte{byte(4 * x), byte(4 * y), byte((x/16 ^ y/16) % 2 * 255), 255})
		}
	}
	return p
}

// psnr compares blue, green and red.
func psnr(a, b pixel.BGRX) float64 {
	sum := 0.0
	for y := range a.Height {
		p, q := a.Row(y), b.Row(y)
		for i := range p {
			if i%4 != 3 {
				d := float64(p[i]) - float64(q[i])
				sum += d * d
			}
		}
	}
	if sum == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(255*255*float64(3*a.Width*a.Height)/sum)
}

// TestRoundTrips proves that the reference itself works: what it encodes it decodes to the same picture.
func TestRoundTrips(t *testing.T) {
	r := Start(t)
	cases := []struct {
		name   string
		codec  Codec
		encode []int // Args
		decode [4]int
		least  float64 // dB
	}{
		{"interleaved 24", Interleaved, []int{24}, [4]int{24}, math.Inf(1)},
		{"interleaved 16", Interleaved, []int{16}, [4]int{16}, 35},
		{"interleaved 15", Interleaved, []int{15}, [4]int{15}, 33},
		{"planar raw", Planar, []int{0x20}, [4]int{0, 1}, math.Inf(1)},
		{"planar RLE", Planar, []int{0x30}, [4]int{0, 1}, math.Inf(1)},
		{"planar alpha", Planar, []int{0x10, 1}, [4]int{0, 1}, math.Inf(1)},
		{"nscodec", NSC, []int{1, 0}, [4]int{0, 1}, 40},
		{"nscodec subsampled", NSC, []int{3, 1}, [4]int{0, 1}, 20},
		{"remotefx 1", RFX, []int{1}, [4]int{}, 30},
		{"remotefx 3", RFX, []int{3}, [4]int{}, 30},
		{"progressive", Progressive, nil, [4]int{7, 0}, 30},
	}
	p := picture(64, 64)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, err := r.Encode(c.codec, p, c.encode...)
			if err != nil {
				t.Fatal(err)
			}
			res, err := r.Decode(Job{Codec: c.codec, W: 64, H: 64, Repeat: 2, Items: []Item{{W: 64, H: 64, Args: c.decode, Data: code}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := psnr(p, res.Picture); got < c.least {
				t.Errorf("%d bytes, %.1f dB, want %.1f", len(code), got, c.least)
			}
			if res.Took <= 0 {
				t.Error("no time was measured")
			}
			if err := r.Reset(); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("zgfx", func(t *testing.T) {
		code, err := r.EncodeBytes(ZGFX, p.Pix)
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.Decode(Job{Codec: ZGFX, Items: []Item{{Data: code}}})
		if err != nil || !bytes.Equal(res.Out, p.Pix) {
			t.Errorf("%d bytes of %d, %v", len(res.Out), len(p.Pix), err)
		}
	})
}

func TestRefused(t *testing.T) {
	r := Start(t)
	for c := Interleaved; c <= ZGFX; c++ {
		if c == RFX || c == Progressive {
			continue // what they find malformed they may still call success
		}
		good := pixel.NewBGRX(8, 8)
		res, err := r.Decode(Job{Codec: c, W: 8, H: 8, Items: []Item{{W: 8, H: 8, Args: [4]int{24}, Data: []byte{0xFF}}}})
		if !errors.Is(err, ErrRefused) || res.Refused != 0 {
			t.Errorf("codec %d took one byte of nonsense: %v", c, err)
		}
		if code, err := r.Encode(Planar, good, 0x20); err != nil || len(code) == 0 {
			t.Fatalf("after a refusal the reference must go on: %v", err)
		}
	}
}

func TestCanvasStays(t *testing.T) {
	r := Start(t)
	white := bytes.Repeat([]byte{255}, 4*4*4)
	put := func(x, y int) pixel.BGRX {
		res, err := r.Decode(Job{Codec: Raw, W: 8, H: 8, Items: []Item{{X: x, Y: y, W: 4, H: 4, Args: [4]int{32}, Data: white}}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Picture
	}
	put(0, 0)
	p := put(4, 4)
	for y := range 8 {
		for x := range 8 {
			want := byte(0)
			if x/4 == y/4 {
				want = 255
			}
			if p.Row(y)[4*x] != want {
				t.Fatalf("%d,%d is %d, want %d", x, y, p.Row(y)[4*x], want)
			}
		}
	}
}
