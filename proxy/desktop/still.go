package desktop

import (
	"image"
	"slices"
)

const (
	// stillSide bounds the longer side of a blurred picture, in pixels.
	stillSide = 240
	// stillBlock is how many pixels of the desktop, in each direction, become one at least. A letter of a usual size is 8 pixels wide:
	// with the averaging on top nothing that is written can be read.
	stillBlock = 8
	// stillPasses is how often neighbours are averaged.
	stillPasses = 2
)

// Blurred returns the picture as it is now, made small and averaged so that the desktop is recognised and no text can be read. Shown at
// the desktop's size it looks blurred. It takes some milliseconds.
func (f *Framebuffer) Blurred() *image.RGBA {
	var out *image.RGBA
	f.View(func(pix []byte, size image.Point) { out = shrink(pix, size) })
	for range stillPasses {
		average(out)
	}
	return out
}

// shrink averages squares of BGRX pixels.
func shrink(pix []byte, size image.Point) *image.RGBA {
	side := max(stillBlock, (max(size.X, size.Y)+stillSide-1)/stillSide)
	out := image.NewRGBA(image.Rect(0, 0, (size.X+side-1)/side, (size.Y+side-1)/side))
	sums := make([][3]uint32, out.Rect.Dx())
	for y := range out.Rect.Dy() {
		clear(sums)
		top, bottom := y*side, min((y+1)*side, size.Y)
		for row := top; row < bottom; row++ {
			line := pix[row*size.X*BytesPerPixel : (row+1)*size.X*BytesPerPixel]
			for x := range sums {
				s := &sums[x]
				for part := line[x*side*BytesPerPixel : min((x+1)*side, size.X)*BytesPerPixel]; len(part) >= BytesPerPixel; part = part[BytesPerPixel:] {
					s[0] += uint32(part[2])
					s[1] += uint32(part[1])
					s[2] += uint32(part[0])
				}
			}
		}
		for x, s := range sums {
			n := uint32((bottom - top) * (min((x+1)*side, size.X) - x*side))
			o := out.Pix[y*out.Stride+x*4:][:4]
			o[0], o[1], o[2], o[3] = byte(s[0]/n), byte(s[1]/n), byte(s[2]/n), 0xff
		}
	}
	return out
}

// average replaces each pixel by the mean of the up to nine around it.
func average(m *image.RGBA) {
	from := slices.Clone(m.Pix)
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range h {
		for x := range w {
			var sum [3]int
			n := 0
			for ny := max(0, y-1); ny <= min(h-1, y+1); ny++ {
				for nx := max(0, x-1); nx <= min(w-1, x+1); nx++ {
					p := from[ny*m.Stride+nx*4:]
					sum[0], sum[1], sum[2] = sum[0]+int(p[0]), sum[1]+int(p[1]), sum[2]+int(p[2])
					n++
				}
			}
			for i, s := range sum {
				m.Pix[y*m.Stride+x*4+i] = byte(s / n)
			}
		}
	}
}
