package desktop

import (
	"image"
	"testing"
)

// TestBlurred: areas keep their colour, and lines as thin as those of letters leave no trace one could read.
func TestBlurred(t *testing.T) {
	for _, size := range []image.Point{{1920, 1080}, {641, 479}, {MinSide, MinSide}, {7, 3000}} {
		if CheckSize(size) != nil {
			continue
		}
		f, err := NewFramebuffer(size)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Draw(image.Rectangle{Max: size}, func(pix []byte, stride int) {
			for y := range size.Y {
				for x := range size.X {
					p := pix[y*stride+x*4:]
					if x < size.X/2 {
						p[0], p[1], p[2] = 10, 20, 200 // BGR
					} else if x%4 < 2 { // as dark as bright
						p[0], p[1], p[2] = 255, 255, 255
					}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Commit()
		m := f.Blurred()
		if w, h := m.Rect.Dx(), m.Rect.Dy(); max(w, h) > stillSide || w > (size.X+stillBlock-1)/stillBlock || w < 1 || h < 1 {
			t.Errorf("%v: %d×%d", size, w, h)
		}
		if size.X < 100 {
			continue
		}
		if c := m.RGBAAt(2, 2); c.R != 200 || c.G != 20 || c.B != 10 || c.A != 255 {
			t.Errorf("%v: a red area is %v", size, c)
		}
		right := m.Rect.Dx()*3/4 + 1
		for x := right; x < m.Rect.Dx()-4; x++ {
			if c := m.RGBAAt(x, 2); c.R < 122 || c.R > 133 {
				t.Errorf("%v: lines two pixels wide show as %v at %d", size, c, x)
			}
		}
	}
}

func BenchmarkBlurred(b *testing.B) {
	f, err := NewFramebuffer(image.Pt(1920, 1080))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f.Blurred()
	}
}
