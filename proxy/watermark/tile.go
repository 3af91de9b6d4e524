package watermark

import (
	"image"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// tile is a part of the mark that repeats in both directions from the picture's top left corner.
type tile struct {
	cols, rows int    // blocks
	width      int    // pixels
	mask       []int8 // by how many 256ths each pixel goes to white, or below 0 to black
	marked     []bool // of each block: there is something in it
}

var _ desktop.Overlay = (*tile)(nil)

// newTile draws lines of text.
func newTile(lines []string) (*tile, error) {
	ink, err := drawText(lines)
	if err != nil {
		return nil, err
	}
	size := ink.Rect.Size()
	t := &tile{cols: size.X / desktop.BlockSize, rows: size.Y / desktop.BlockSize, width: size.X, mask: make([]int8, size.X*size.Y)}
	t.marked = make([]bool, t.cols*t.rows)
	edge := dilate(ink)
	for y := range size.Y {
		for x := range size.X {
			letter, around := int(ink.AlphaAt(x, y).A), int(edge.AlphaAt(x, y).A)
			v := int8((letter*strength - (around-letter)*strength) / 255)
			t.mask[y*t.width+x] = v
			if v != 0 {
				t.marked[y/desktop.BlockSize*t.cols+x/desktop.BlockSize] = true
			}
		}
	}
	return t, nil
}

// dilate returns for each pixel the most of those around it, across the borders to the neighbours of its kind.
func dilate(a *image.Alpha) *image.Alpha {
	size := a.Rect.Size()
	wide, out := image.NewAlpha(a.Rect), image.NewAlpha(a.Rect)
	for y := range size.Y {
		row, to := a.Pix[y*a.Stride:], wide.Pix[y*wide.Stride:]
		for x := range size.X {
			to[x] = max(row[(x+size.X-1)%size.X], row[x], row[(x+1)%size.X])
		}
	}
	for y := range size.Y {
		above, row, below := wide.Pix[(y+size.Y-1)%size.Y*wide.Stride:], wide.Pix[y*wide.Stride:], wide.Pix[(y+1)%size.Y*wide.Stride:]
		to := out.Pix[y*out.Stride:]
		for x := range size.X {
			to[x] = max(above[x], row[x], below[x])
		}
	}
	return out
}

// Draw implements desktop.Overlay.
func (t *tile) Draw(pix []byte, stride int, r image.Rectangle) {
	const side = desktop.BlockSize
	for y := r.Min.Y / side; y*side < r.Max.Y; y++ {
		for x := r.Min.X / side; x*side < r.Max.X; x++ {
			if col, row := x%t.cols, y%t.rows; t.marked[row*t.cols+col] {
				block := image.Rect(x*side, y*side, (x+1)*side, (y+1)*side).Intersect(r)
				t.blend(pix, stride, block, t.mask[row*side*t.width+col*side:])
			}
		}
	}
}

// blend draws a block; mask begins with that of its first pixel.
func (t *tile) blend(pix []byte, stride int, block image.Rectangle, mask []int8) {
	for y := range block.Dy() {
		row := pix[(block.Min.Y+y)*stride+block.Min.X*desktop.BytesPerPixel:]
		for x, v := range mask[y*t.width:][:block.Dx()] {
			if v == 0 {
				continue
			}
			p := row[x*desktop.BytesPerPixel:][:3:3]
			if v > 0 {
				for i, c := range p {
					p[i] = c + uint8(uint(255-c)*uint(v)>>8)
				}
			} else {
				for i, c := range p {
					p[i] = c - uint8(uint(c)*uint(-v)>>8)
				}
			}
		}
	}
}

// difference returns the blocks of a picture that look different with t than with before.
func (t *tile) difference(before *tile, size image.Point) []image.Rectangle {
	const side = desktop.BlockSize
	if t.cols != before.cols || t.rows != before.rows {
		return []image.Rectangle{{Max: size}}
	}
	var out []image.Rectangle
	for row := range t.rows {
		for col := range t.cols {
			if t.same(before, col, row) {
				continue
			}
			for y := row * side; y < size.Y; y += t.rows * side {
				for x := col * side; x < size.X; x += t.cols * side {
					out = append(out, image.Rect(x, y, x+side, y+side))
				}
			}
		}
	}
	return out
}

// same tells whether a block is the same in both.
func (t *tile) same(o *tile, col, row int) bool {
	const side = desktop.BlockSize
	if !t.marked[row*t.cols+col] && !o.marked[row*t.cols+col] {
		return true
	}
	for y := row * side; y < (row+1)*side; y++ {
		from := y*t.width + col*side
		if !slices.Equal(t.mask[from:from+side], o.mask[from:from+side]) {
			return false
		}
	}
	return true
}
