package remotefx

import (
	"encoding/binary"
	"image"
	"math"
	"math/rand/v2"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// desktopPicture is flat windows with borders and lines of small hard marks, like text.
func desktopPicture(w, h int) pixel.BGRX {
	rng := rand.New(rand.NewPCG(3, 4))
	p := pixel.NewBGRX(w, h)
	fill := func(r image.Rectangle, c uint32) {
		r = r.Intersect(bounds(p))
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				binary.LittleEndian.PutUint32(p.Row(y)[4*x:], c)
			}
		}
	}
	fill(bounds(p), 0x2d5a88)
	for i := range 5 {
		win := image.Rect(0, 0, w/2, h/2).Add(image.Pt(i*w/9, i*h/10))
		fill(win, 0xcccccc)
		fill(win.Inset(2), 0xffffff)
		fill(image.Rect(win.Min.X, win.Min.Y, win.Max.X, win.Min.Y+22), 0x3a6ea5)
		for y := win.Min.Y + 30; y < win.Max.Y-16; y += 16 {
			for x := win.Min.X + 8; x < win.Max.X-8-rng.IntN(w/4); x += 7 {
				for range 9 {
					fill(image.Rect(0, 0, 1+rng.IntN(2), 1+rng.IntN(4)).Add(image.Pt(x+rng.IntN(5), y+rng.IntN(9))), 0x202020)
				}
			}
		}
	}
	return p
}

// photoPicture is smooth waves with grain everywhere.
func photoPicture(w, h int) pixel.BGRX {
	rng := rand.New(rand.NewPCG(5, 6))
	p := pixel.NewBGRX(w, h)
	for y := range h {
		for x := range w {
			fx, fy := float64(x), float64(y)
			base := 128 + 60*math.Sin(fx/37+fy/91) + 40*math.Cos(fy/23-fx/140)
			for c := range 3 {
				v := base + 25*math.Sin(fx/(50+20*float64(c))) + rng.NormFloat64()*5
				p.Row(y)[4*x+c] = byte(min(max(v, 0), 255))
			}
		}
	}
	return p
}

// psnr compares blue, green and red.
func psnr(a, b pixel.BGRX) float64 {
	sum := 0.0
	for y := range a.Height {
		for i, v := range a.Row(y) {
			if i%4 != 3 {
				e := float64(v) - float64(b.Row(y)[i])
				sum += e * e
			}
		}
	}
	return 10 * math.Log10(255*255*3*float64(a.Width*a.Height)/sum)
}

// differences counts the blue, green and red bytes that differ, and how far at most.
func differences(a, b pixel.BGRX) (count, most int) {
	for y := range a.Height {
		ra, rb := a.Row(y), b.Row(y)
		for i := range ra {
			if d := int(ra[i]) - int(rb[i]); d != 0 && i%4 != 3 {
				count++
				most = max(most, d, -d)
			}
		}
	}
	return count, most
}
