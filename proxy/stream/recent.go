package stream

import (
	"bytes"
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	blockStride = desktop.BlockSize * desktop.BytesPerPixel
	// maxRecent bounds the blocks that are remembered: a kilobyte each.
	maxRecent = 512
)

// recent remembers the blocks of the last small changes as they were taken. It finds what has changed in them: targets often
// draw again what is there already, and a letter is a small part of its blocks.
type recent struct {
	size image.Point
	cols int
	slot []int32 // of each block, counted from 1; 0 without
	all  []recentBlock
	next int // the slot to be used next, once there are maxRecent
}

// recentBlock is a block as it was last taken.
type recentBlock struct {
	block   int             // -1 when it is of no use any more
	patch   uint32          // the patch that shows it so, 0 when there is none
	base    uint32          // patch as it was before the last change
	changed image.Rectangle // pixels of the picture that the last change touched
	pix     [desktop.BlockSize * blockStride]byte
}

func (r *recent) reset(size image.Point, cols, rows int) {
	r.size, r.cols = size, cols
	r.slot = make([]int32, cols*rows)
	r.all, r.next = nil, 0
}

// each calls fn with the blocks that are remembered among those of rs.
func (r *recent) each(rs runs, fn func(b *recentBlock)) {
	rs.blocks(r.cols, func(block int) {
		if slot := r.slot[block]; slot > 0 {
			fn(&r.all[slot-1])
		}
	})
}

// forget forgets these blocks.
func (r *recent) forget(rs runs) {
	r.each(rs, func(b *recentBlock) {
		r.slot[b.block] = 0
		b.block = -1
	})
}

// take takes a small change: it removes from d what looks as before, and remembers the rest. pix is the picture.
func (r *recent) take(pix []byte, d *desktop.Damage) {
	d.Runs(func(y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			if !r.takeBlock(pix, x, y) {
				d.RemoveRun(y, x, x+1)
			}
		}
	})
}

// blockPlace returns the pixels of a block of a picture of a size.
func blockPlace(x, y int, size image.Point) image.Rectangle {
	at := image.Pt(x, y).Mul(desktop.BlockSize)
	return image.Rectangle{Min: at, Max: at.Add(image.Pt(desktop.BlockSize, desktop.BlockSize))}.Intersect(image.Rectangle{Max: size})
}

// takeBlock reports whether the block looks different.
func (r *recent) takeBlock(pix []byte, x, y int) bool {
	place := blockPlace(x, y, r.size)
	slot := r.slot[y*r.cols+x]
	if slot == 0 {
		b := r.room(y*r.cols + x)
		b.changed = place
		b.copy(pix, place, r.size.X)
		return true
	}
	b := &r.all[slot-1]
	changed := b.compare(pix, place, r.size.X)
	if changed.Empty() {
		return false
	}
	b.base, b.patch, b.changed = b.patch, 0, changed
	b.copy(pix, place, r.size.X)
	return true
}

// room makes room for a block.
func (r *recent) room(block int) *recentBlock {
	at := r.next
	if len(r.all) < maxRecent {
		at = len(r.all)
		r.all = append(r.all, recentBlock{})
	} else {
		r.next = (r.next + 1) % maxRecent
		if old := r.all[at].block; old >= 0 {
			r.slot[old] = 0
		}
	}
	b := &r.all[at]
	b.block, b.patch, b.base = block, 0, 0
	r.slot[block] = int32(at + 1)
	return b
}

// row returns a row of the picture's pixels at place.
func row(pix []byte, place image.Rectangle, y, width int) []byte {
	at := ((place.Min.Y+y)*width + place.Min.X) * desktop.BytesPerPixel
	return pix[at : at+place.Dx()*desktop.BytesPerPixel]
}

func (b *recentBlock) copy(pix []byte, place image.Rectangle, width int) {
	for y := range place.Dy() {
		copy(b.pix[y*blockStride:], row(pix, place, y, width))
	}
}

// compare returns the least rectangle of the picture that holds all pixels of the block at place which are not as they were.
func (b *recentBlock) compare(pix []byte, place image.Rectangle, width int) image.Rectangle {
	left, right, top, bottom := place.Dx(), 0, -1, 0
	for y := range place.Dy() {
		now := row(pix, place, y, width)
		was := b.pix[y*blockStride:][:len(now)]
		if bytes.Equal(now, was) {
			continue
		}
		if top < 0 {
			top = y
		}
		bottom = y + 1
		for x := range place.Dx() {
			if at := x * desktop.BytesPerPixel; binary.LittleEndian.Uint32(now[at:]) != binary.LittleEndian.Uint32(was[at:]) {
				left, right = min(left, x), max(right, x+1)
			}
		}
	}
	if top < 0 {
		return image.Rectangle{}
	}
	return image.Rect(left, top, right, bottom).Add(place.Min)
}

// parts returns the blocks of rs that were just taken as parts of a patch, with bases where only some of their pixels changed since
// the patches that showed them; trimmed tells whether there is such a part.
func (r *recent) parts(rs runs) (parts []Part, trimmed bool) {
	parts = wholeParts(rectangles(rs), r.size)
	for i := range parts {
		p := &parts[i]
		var changed image.Rectangle
		bases := make([]uint32, 0, p.Blocks.Dx()*p.Blocks.Dy())
		known := true
		for y := p.Blocks.Min.Y; y < p.Blocks.Max.Y; y++ {
			for x := p.Blocks.Min.X; x < p.Blocks.Max.X; x++ {
				slot := r.slot[y*r.cols+x]
				if slot == 0 || r.all[slot-1].base == 0 {
					known = false
					continue
				}
				b := &r.all[slot-1]
				changed = changed.Union(b.changed)
				bases = append(bases, b.base)
			}
		}
		if known && changed != p.Pixels {
			p.Pixels, p.Bases = changed, bases
			trimmed = true
		}
	}
	return parts, trimmed
}

// shown notes that a patch shows the blocks as they were just taken.
func (r *recent) shown(rs runs, patch uint32) {
	r.each(rs, func(b *recentBlock) { b.patch = patch })
}
