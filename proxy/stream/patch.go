package stream

import (
	"context"
	"image"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/tile"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// PatchSink is the patch lane of a viewer. Both methods may block: the Hub owns one bounded queue and one goroutine per lane,
// which is not the one of the units. A viewer puts notes, patches and units in order by their numbers and times.
type PatchSink interface {
	WriteNote(ctx context.Context, n *Note) error
	WritePatch(ctx context.Context, p *Patch) error
}

// Patch is a part of the picture, exactly. It is shared by all lanes.
type Patch struct {
	// Number rises with each patch of a Hub, from 1.
	Number uint32
	// Epoch rises whenever the picture gets another size; patches and notes of an older one are void.
	Epoch uint32
	// After is the PTS of the last unit made before: the patch is as new as that, or newer.
	After time.Duration
	// Size is the picture's, in pixels.
	Size image.Point
	// Parts are what the patch shows, no block twice.
	Parts []Part

	once    sync.Once
	pix     []byte // BGRX, one rectangle after the other; nil once coded
	coded   []byte
	onCoded func(bytes int) // may be nil
}

// Part is a rectangle of blocks that a patch shows.
type Part struct {
	// Blocks is in blocks, Pixels in pixels: those that the patch brings, inside of Blocks and of the picture.
	Blocks, Pixels image.Rectangle
	// Bases are, for each of Blocks row by row, the patch that has the pixels around Pixels; nil when Pixels is all of Blocks.
	Bases []uint32
}

// coders are shared by all Hubs: coding is short, and buffers grow to the size of a cell.
var coders = sync.Pool{New: func() any { return new(tile.Encoder) }}

// Coded returns the pixels in the form of package tile. The first call codes them.
func (p *Patch) Coded() []byte {
	p.once.Do(func() {
		parts := make([]pixel.BGRX, len(p.Parts))
		rest := p.pix
		for i, part := range p.Parts {
			size := part.Pixels.Size()
			stride := size.X * desktop.BytesPerPixel
			parts[i] = pixel.BGRX{Pix: rest[:stride*size.Y], Stride: stride, Width: size.X, Height: size.Y}
			rest = rest[stride*size.Y:]
		}
		coder, _ := coders.Get().(*tile.Encoder)
		p.coded = coder.Append(nil, parts)
		coders.Put(coder)
		p.pix = nil
		if p.onCoded != nil {
			p.onCoded(len(p.coded))
		}
	})
	return p.coded
}

// wholeParts returns rectangles of blocks of a picture of a size as parts.
func wholeParts(rects []image.Rectangle, size image.Point) []Part {
	parts := make([]Part, len(rects))
	for i, r := range rects {
		pixels := image.Rectangle{Min: r.Min.Mul(desktop.BlockSize), Max: r.Max.Mul(desktop.BlockSize)}
		parts[i] = Part{Blocks: r, Pixels: pixels.Intersect(image.Rectangle{Max: size})}
	}
	return parts
}

// Fill copies the patch's pixels out of the picture, before anything else is done with it.
func (p *Patch) Fill(pix []byte) {
	n := 0
	for _, part := range p.Parts {
		n += part.Pixels.Dx() * part.Pixels.Dy()
	}
	p.pix = make([]byte, 0, n*desktop.BytesPerPixel)
	for _, part := range p.Parts {
		for y := range part.Pixels.Dy() {
			p.pix = append(p.pix, row(pix, part.Pixels, y, p.Size.X)...)
		}
	}
}

// Note tells a viewer with a patch lane what units changed, so that it does not leave older patches over them.
type Note struct {
	// Number counts the notes of a lane from 1, without gaps.
	Number uint32
	// Epoch is that of the units.
	Epoch uint32
	// PTS is that of the last unit which is told of: notes up to this one tell all that units up to then changed.
	PTS time.Duration
	// Size is the picture's, in pixels.
	Size image.Point
	// Groups hold each changed block once.
	Groups []Group
}

// Group is blocks that look in the unit as in one patch.
type Group struct {
	// Patch is the number of that patch; 0 when there is none: the unit is newer than every patch made before it.
	Patch uint32
	// Runs are the blocks, numbered row by row.
	Runs []BlockRun
}

// BlockRun is Len blocks from number Start on.
type BlockRun struct{ Start, Len int }

// addBlock adds a block to the group of a patch. Blocks must come in order.
func (n *Note) addBlock(block int, patch uint32) {
	for i := range n.Groups {
		g := &n.Groups[i]
		if g.Patch != patch {
			continue
		}
		if last := &g.Runs[len(g.Runs)-1]; last.Start+last.Len == block {
			last.Len++
		} else {
			g.Runs = append(g.Runs, BlockRun{block, 1})
		}
		return
	}
	n.Groups = append(n.Groups, Group{Patch: patch, Runs: []BlockRun{{block, 1}}})
}

// rectangles returns runs of blocks, in order, as rectangles: equal runs of rows that follow each other are one.
func rectangles(rs runs) []image.Rectangle {
	var rects []image.Rectangle
	open := 0 // rectangles before this one end above the row before
	row := int32(-1)
	for _, r := range rs {
		if r.Y != row {
			for open < len(rects) && rects[open].Max.Y < int(r.Y) {
				open++
			}
			row = r.Y
		}
		extended := false
		for i := open; i < len(rects); i++ {
			if c := &rects[i]; c.Max.Y == int(r.Y) && c.Min.X == int(r.X0) && c.Max.X == int(r.X1) {
				c.Max.Y++
				extended = true
				break
			}
		}
		if !extended {
			rects = append(rects, image.Rect(int(r.X0), int(r.Y), int(r.X1), int(r.Y)+1))
		}
	}
	return rects
}
