package desktop

import (
	"image"
	"math/bits"
)

// BlockSize is the side of a macroblock in pixels, the unit of damage and of H.264 coding.
const BlockSize = 16

// Damage is a bitmap of macroblocks: one bit for each BlockSize×BlockSize block of a picture, row by row,
// each row starting at a fresh word. Damage is not safe for concurrent use; the Framebuffer guards its own.
type Damage struct {
	cols, rows int // blocks
	words      int // 64-bit words per row
	bits       []uint64
}

// NewDamage returns an empty bitmap for a picture of the given size in pixels.
func NewDamage(size image.Point) *Damage {
	d := &Damage{}
	d.Reset(size)
	return d
}

// Reset empties the bitmap and makes it fit size, keeping its storage where it is large enough.
func (d *Damage) Reset(size image.Point) {
	d.cols = (size.X + BlockSize - 1) / BlockSize
	d.rows = (size.Y + BlockSize - 1) / BlockSize
	d.words = (d.cols + 63) / 64
	if n := d.words * d.rows; cap(d.bits) < n {
		d.bits = make([]uint64, n)
	} else {
		d.bits = d.bits[:n]
		clear(d.bits)
	}
}

// Cols and Rows give the size of the bitmap in blocks.
func (d *Damage) Cols() int { return d.cols }

// Rows gives the height of the bitmap in blocks.
func (d *Damage) Rows() int { return d.rows }

// Add marks every block that r, in pixels, touches. What lies outside the picture is ignored.
func (d *Damage) Add(r image.Rectangle) {
	r = r.Intersect(image.Rect(0, 0, d.cols*BlockSize, d.rows*BlockSize))
	if r.Empty() {
		return
	}
	x0, x1 := r.Min.X/BlockSize, (r.Max.X-1)/BlockSize+1
	for y := r.Min.Y / BlockSize; y <= (r.Max.Y-1)/BlockSize; y++ {
		d.AddRun(y, x0, x1)
	}
}

// AddRun marks the blocks [x0, x1) of row y, which must lie in the bitmap.
func (d *Damage) AddRun(y, x0, x1 int) {
	d.eachWord(y, x0, x1, func(word *uint64, mask uint64) { *word |= mask })
}

// RemoveRun unmarks the blocks [x0, x1) of row y, which must lie in the bitmap.
func (d *Damage) RemoveRun(y, x0, x1 int) {
	d.eachWord(y, x0, x1, func(word *uint64, mask uint64) { *word &^= mask })
}

// eachWord calls fn with each word that holds one of the blocks [x0, x1) of row y, and which of its bits they are.
func (d *Damage) eachWord(y, x0, x1 int, fn func(word *uint64, mask uint64)) {
	if x0 >= x1 {
		return
	}
	last := x1 - 1
	for w := x0 / 64; w <= last/64; w++ {
		mask := ^uint64(0)
		if w == x0/64 {
			mask &= ^uint64(0) << (x0 % 64)
		}
		if w == last/64 {
			mask &= ^uint64(0) >> (63 - last%64)
		}
		fn(&d.bits[y*d.words+w], mask)
	}
}

// AddAll marks the whole picture.
func (d *Damage) AddAll() {
	d.Add(image.Rect(0, 0, d.cols*BlockSize, d.rows*BlockSize))
}

// Union adds all of o, which must describe a picture of the same size; otherwise everything is marked.
func (d *Damage) Union(o *Damage) {
	if o.cols != d.cols || o.rows != d.rows {
		d.AddAll()
		return
	}
	for i, w := range o.bits {
		d.bits[i] |= w
	}
}

// Intersects tells whether a block is marked in both, which must describe pictures of the same size.
func (d *Damage) Intersects(o *Damage) bool {
	for i, w := range o.bits {
		if d.bits[i]&w != 0 {
			return true
		}
	}
	return false
}

// Clear unmarks every block.
func (d *Damage) Clear() { clear(d.bits) }

// Has tells whether block (bx, by) is marked. The block must lie in the bitmap.
func (d *Damage) Has(bx, by int) bool {
	return d.bits[by*d.words+bx/64]>>(bx%64)&1 != 0
}

// Empty tells whether no block is marked.
func (d *Damage) Empty() bool {
	for _, w := range d.bits {
		if w != 0 {
			return false
		}
	}
	return true
}

// Count returns how many blocks are marked.
func (d *Damage) Count() int {
	n := 0
	for _, w := range d.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// Runs calls fn for every horizontal run of marked blocks [x0, x1) in row y, top to bottom, left to right.
func (d *Damage) Runs(fn func(y, x0, x1 int)) {
	for y := range d.rows {
		row := d.bits[y*d.words : (y+1)*d.words]
		for x := 0; x < d.cols; {
			w := row[x/64] >> (x % 64)
			if w == 0 {
				x = (x/64 + 1) * 64
				continue
			}
			x += bits.TrailingZeros64(w)
			x0 := x
			for x < d.cols {
				inv := ^row[x/64] >> (x % 64)
				if inv != 0 {
					x += bits.TrailingZeros64(inv)
					break
				}
				x = (x/64 + 1) * 64
			}
			x = min(x, d.cols)
			fn(y, x0, x)
		}
	}
}

// Bounds returns the smallest rectangle, in pixels, that holds every marked block.
func (d *Damage) Bounds() image.Rectangle {
	var b image.Rectangle
	d.Runs(func(y, x0, x1 int) {
		b = b.Union(image.Rect(x0*BlockSize, y*BlockSize, x1*BlockSize, (y+1)*BlockSize))
	})
	return b
}
