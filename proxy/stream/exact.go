package stream

import (
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Cells are what the picture is made exact by: few enough to be coded well, small enough that the first come soon and the
// rest can give way to a change.
const (
	cellCols, cellRows = 16, 8 // blocks
	// exactGap bounds how often stillness is looked for.
	exactGap = 20 * time.Millisecond
)

// exact knows how long each block has been still, and keeps the patches that show still blocks for further viewers.
type exact struct {
	cols, rows int
	changed    []time.Duration // when each block last changed, on the session's clock
	patchOf    []uint32        // the newest patch that shows the block as it is, of those in cells
	cells      []*Patch        // the newest of each cell
	look       []uint64        // hash of each block as it was last seen; that of the patch where patchOf has one
	picked     runs            // reused
}

func (e *exact) reset(size image.Point) {
	d := desktop.NewDamage(size)
	e.cols, e.rows = d.Cols(), d.Rows()
	e.changed = make([]time.Duration, e.cols*e.rows)
	e.patchOf = make([]uint32, e.cols*e.rows)
	e.look = make([]uint64, e.cols*e.rows)
	e.cells = make([]*Patch, cellsIn(e.cols, e.rows))
}

func (e *exact) cellsInRow() int { return (e.cols + cellCols - 1) / cellCols }

// cellsIn is the number of cells of a picture of so many blocks.
func cellsIn(cols, rows int) int {
	return (cols + cellCols - 1) / cellCols * ((rows + cellRows - 1) / cellRows)
}

// touch notes that blocks changed at now.
func (e *exact) touch(rs runs, now time.Duration) {
	rs.blocks(e.cols, func(block int) {
		e.changed[block] = now
		e.forget(block)
	})
}

// forget forgets the patch that shows a block: it is of no use to anyone any more.
func (e *exact) forget(block int) {
	if e.patchOf[block] != 0 {
		e.patchOf[block] = 0
		e.cells[e.cellOf(block)] = nil
	}
}

// see notes how blocks look in the picture.
func (e *exact) see(pix []byte, size image.Point, rs runs) {
	rs.blocks(e.cols, func(block int) { e.seeBlock(pix, size, block) })
}

// seeBlock is see of one block, and returns its hash.
func (e *exact) seeBlock(pix []byte, size image.Point, block int) uint64 {
	look := hashBlock(pix, block%e.cols, block/e.cols, size)
	if look != e.look[block] {
		e.forget(block) // the picture may be newer than what was taken
		e.look[block] = look
	}
	return look
}

func (e *exact) cellOf(block int) int {
	return block/e.cols/cellRows*e.cellsInRow() + block%e.cols/cellCols
}

// pick returns the cell in which blocks of stale are still that changed last of all, and those blocks: what somebody works on
// comes before the wallpaper. A block is still when it did not change for the time after. Without one it returns a negative cell, and when to look again, zero when there is nothing to wait for.
func (e *exact) pick(stale *desktop.Damage, now, after time.Duration) (cell int, rs runs, again time.Duration) {
	best, latest := -1, time.Duration(-1)
	stale.Runs(func(y, x0, x1 int) {
		for block := y*e.cols + x0; block < y*e.cols+x1; block++ {
			switch at := e.changed[block] + after; {
			case at > now:
				if again == 0 || at < again {
					again = at
				}
			case at > latest:
				best, latest = block, at
			}
		}
	})
	if best < 0 {
		return -1, nil, again
	}
	cell = e.cellOf(best)
	return cell, e.still(stale, cell, now-after), 0
}

// still returns the blocks of stale that lie in the cell and did not change after since.
func (e *exact) still(stale *desktop.Damage, cell int, since time.Duration) runs {
	e.picked = e.picked[:0]
	left, top := cell%e.cellsInRow()*cellCols, cell/e.cellsInRow()*cellRows
	for y := top; y < min(top+cellRows, e.rows); y++ {
		for x := left; x < min(left+cellCols, e.cols); x++ {
			if !stale.Has(x, y) || e.changed[y*e.cols+x] > since {
				continue
			}
			e.picked = e.picked.add(y, x)
		}
	}
	return e.picked
}

// kept returns the patch that shows all of these blocks of a cell as they are, if there is one.
func (e *exact) kept(cell int, rs runs) *Patch {
	p := e.cells[cell]
	if p == nil {
		return nil
	}
	all := true
	rs.blocks(e.cols, func(block int) { all = all && e.patchOf[block] == p.Number })
	if !all {
		return nil
	}
	return p
}

// keep keeps a patch of these blocks for further viewers.
func (e *exact) keep(cell int, p *Patch, rs runs) {
	e.cells[cell] = p
	rs.blocks(e.cols, func(block int) { e.patchOf[block] = p.Number })
}
