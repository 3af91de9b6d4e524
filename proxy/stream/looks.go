package stream

import (
	"context"
	"hash/maphash"
	"image"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// MaxLooks bounds the slots that a viewer has for each cell.
	MaxLooks = 3
	// keptBytes bounds the pixels that a viewer keeps, in bytes, with room for whole cells also at the edges. A picture too large for two slots has none: one holds no more than
	// what is shown.
	keptBytes = 128 << 20
	// stood is how long something must have been shown to be worth a slot of its own when something else comes.
	stood = time.Second

	cellBlocks = cellCols * cellRows
)

// Look says where a viewer keeps how blocks of a cell look, so that they can be shown again without being sent again.
type Look struct {
	// Cell is the number of the cell, row by row. A cell is 16×8 blocks; those at the right and the bottom have fewer.
	Cell int
	// Turn counts the looks of a cell in an epoch, from 1 without gaps. Slots are written and read in this order.
	Turn uint32
	// Slot is below MaxLooks. Each block of a cell has it for itself.
	Slot int
}

// LookKeeper is a PatchSink whose viewer keeps looks.
type LookKeeper interface {
	PatchSink
	// WriteKept is WritePatch of a patch whose blocks the viewer also keeps in the slot. They lie in one cell, and are whole.
	WriteKept(ctx context.Context, p *Patch, l Look) error
	// WriteRestored is WritePatch of a patch without pixels: its blocks look as they are kept in the slot.
	WriteRestored(ctx context.Context, p *Patch, l Look) error
}

// looks is what a viewer keeps: windows come and go, and what was under one is most often what was there before. Text is cheap to
// send again, a picture is not. The zero value is of a viewer that keeps nothing.
type looks struct {
	slots int
	cols  int // of the picture, in blocks
	cells []cellLooks
}

// cellLooks are the looks of a cell.
type cellLooks struct {
	turn  uint32 // of the last
	slots [MaxLooks]*slot
}

// slot is one look of each block of a cell.
type slot struct {
	hash [cellBlocks]uint64        // zero for none
	at   [cellBlocks]time.Duration // when it was last sent, on the session's clock
}

// newLooks returns the books for a picture of a size, of which the viewer keeps nothing yet.
func newLooks(size image.Point) looks {
	d := desktop.NewDamage(size)
	cells := cellsIn(d.Cols(), d.Rows())
	n := min(MaxLooks, keptBytes/(cells*cellBlocks*desktop.BlockSize*blockStride))
	if n < 2 {
		return looks{}
	}
	return looks{slots: n, cols: d.Cols(), cells: make([]cellLooks, cells)}
}

// keeps tells whether there is anything to keep books of.
func (k *looks) keeps() bool { return k.slots > 0 }

// inCell is the place of a block in its cell.
func (k *looks) inCell(block int) int {
	return block/k.cols%cellRows*cellCols + block%k.cols%cellCols
}

// find returns the look that most of these blocks of a cell have now, and those that have it, appended to hit; none when there is no
// such look. hashes are of all blocks of the picture.
func (k *looks) find(cell int, rs runs, hashes []uint64, hit runs) (Look, runs) {
	if !k.keeps() {
		return Look{}, hit
	}
	c := &k.cells[cell]
	best, most := -1, 0
	for i, s := range c.slots {
		if s == nil {
			continue
		}
		n := 0
		rs.blocks(k.cols, func(block int) {
			if s.hash[k.inCell(block)] == hashes[block] {
				n++
			}
		})
		if n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return Look{}, hit
	}
	s := c.slots[best]
	rs.blocks(k.cols, func(block int) {
		if s.hash[k.inCell(block)] == hashes[block] {
			hit = hit.add(block/k.cols, block%k.cols)
		}
	})
	return Look{Cell: cell, Turn: c.turn + 1, Slot: best}, hit
}

// findAll returns a look in which all of these blocks are as they are now; ok is false when there is none. hash is asked of no more of
// them than it takes to say so.
func (k *looks) findAll(cell int, rs runs, hash func(block int) uint64) (l Look, ok bool) {
	c := &k.cells[cell]
	slots := c.slots // that may be it
	for _, r := range rs {
		for block := int(r.Y)*k.cols + int(r.X0); block < int(r.Y)*k.cols+int(r.X1); block++ {
			if slots == [MaxLooks]*slot{} {
				return Look{}, false
			}
			h, in := hash(block), k.inCell(block)
			for i, s := range slots {
				if s != nil && s.hash[in] != h {
					slots[i] = nil
				}
			}
		}
	}
	i := slices.IndexFunc(slots[:], func(s *slot) bool { return s != nil })
	return Look{Cell: cell, Turn: c.turn + 1, Slot: i}, i >= 0
}

// place returns where these blocks of a cell are best kept at now: each has a say, and most decide. What a block has just shown
// may go, unless it has stood for a while: what is scrolled through does not come back, and would soon have replaced all that
// does. Otherwise the place is that of what it has not shown for longest.
func (k *looks) place(cell int, blocks []Part, now time.Duration) Look {
	c := &k.cells[cell]
	var votes [MaxLooks]int
	k.each(blocks, func(block int) {
		in := k.inCell(block)
		front, oldest := 0, 0
		var shown [MaxLooks]time.Duration
		for i, s := range c.slots[:k.slots] {
			shown[i] = -1 // never
			if s != nil && s.hash[in] != 0 {
				shown[i] = s.at[in]
			}
			if shown[i] > shown[front] {
				front = i
			}
			if shown[i] < shown[oldest] {
				oldest = i
			}
		}
		if shown[front] >= 0 && now-shown[front] < stood {
			votes[front]++
		} else {
			votes[oldest]++
		}
	})
	l := Look{Cell: cell, Turn: c.turn + 1}
	for i, n := range votes {
		if n > votes[l.Slot] {
			l.Slot = i
		}
	}
	return l
}

// sent books that a look was sent with these blocks.
func (k *looks) sent(l Look, blocks []Part, hashes []uint64, now time.Duration) {
	c := &k.cells[l.Cell]
	c.turn = l.Turn
	if c.slots[l.Slot] == nil {
		c.slots[l.Slot] = new(slot)
	}
	s := c.slots[l.Slot]
	k.each(blocks, func(block int) {
		in := k.inCell(block)
		s.hash[in], s.at[in] = hashes[block], now
	})
}

// each calls fn with the blocks of parts.
func (k *looks) each(parts []Part, fn func(block int)) {
	for _, p := range parts {
		for y := p.Blocks.Min.Y; y < p.Blocks.Max.Y; y++ {
			for x := p.Blocks.Min.X; x < p.Blocks.Max.X; x++ {
				fn(y*k.cols + x)
			}
		}
	}
}

// lookSeed makes it that no target can draw two things which count as one look.
var lookSeed = maphash.MakeSeed()

// hashBlock returns a number for how a block looks, never zero. pix is the picture.
func hashBlock(pix []byte, x, y int, size image.Point) uint64 {
	var h maphash.Hash
	h.SetSeed(lookSeed)
	place := blockPlace(x, y, size)
	for line := range place.Dy() {
		_, _ = h.Write(row(pix, place, line, size.X))
	}
	return max(1, h.Sum64())
}
