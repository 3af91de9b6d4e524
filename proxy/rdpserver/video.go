package rdpserver

import (
	"context"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// The session's encode in a client's graphics pipeline, and exact patches beside it.
//
// Every unit goes to the client's decoder, and none is left out between two IDR pictures. What of the decoded picture is shown is up
// to the region rectangles that come with it: those blocks which the unit changed, without those that lie there exactly already. A
// patch lies exactly until a unit that is newer than it changes its block; the Hub's notes say which blocks each unit changed, and
// which patch looks the same there. So a unit waits for its note. Patches are drawn from the picture as it is then, which is as new
// as the patch or newer.

const (
	// unitQueue is how many units may wait for a client. More would be delay; when it overflows the client goes on with an IDR.
	unitQueue = 8
	dropToIDR = stream.DropToIDR
	// maxRegionRects bounds the rectangles of a unit: beyond, the region is coarser than it must be.
	maxRegionRects = 1024
	// maxEarly bounds the patches that came before the first unit of their picture: more than the Hub makes by then.
	maxEarly = 256
)

var (
	_ stream.Sink      = (*unitSink)(nil)
	_ stream.PatchSink = (*laneSink)(nil)
)

// mark is what lies on a block: an exact patch, or with number 0 the video.
type mark struct {
	patch uint32
	after time.Duration
}

// composition is what is known of the surface's blocks. painter.mu guards it.
type composition struct {
	epoch  uint32
	cols   int
	marks  []mark          // of each block of the surface
	wants  map[int]mark    // blocks of patches that are to be drawn
	notes  []*stream.Note  // of units to come, in order
	noted  time.Duration   // up to which time units were told of
	told   bool            // noted counts
	early  []*stream.Patch // of a surface to come
	passes uint64          // of painting
}

// drawn books that the blocks of d are about to be drawn from the picture.
func (v *composition) drawn(d *desktop.Damage) {
	d.Runs(func(y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			block := y*v.cols + x
			if m, ok := v.wants[block]; ok && block < len(v.marks) {
				v.marks[block] = m
				delete(v.wants, block)
			}
		}
	})
}

// reset begins with a surface of a size.
func (v *composition) reset(size image.Point) {
	d := desktop.NewDamage(size)
	v.cols, v.marks, v.wants = d.Cols(), make([]mark, d.Cols()*d.Rows()), map[int]mark{}
}

// unit takes the notes up to a unit and returns the blocks it changed, of a surface of a size.
func (v *composition) unit(pts time.Duration, size image.Point) *desktop.Damage {
	changed := desktop.NewDamage(size)
	n := 0
	for ; n < len(v.notes) && v.notes[n].PTS <= pts; n++ {
		note := v.notes[n]
		v.epoch = note.Epoch
		if note.Size != size {
			continue // of a surface before
		}
		for _, g := range note.Groups {
			for _, run := range g.Runs {
				for block := run.Start; block < min(run.Start+run.Len, len(v.marks)); block++ {
					changed.AddRun(block/v.cols, block%v.cols, block%v.cols+1)
					if m := &v.marks[block]; m.patch != 0 && m.patch != g.Patch && m.after < note.PTS {
						m.patch = 0
					}
				}
			}
		}
	}
	v.notes = append(v.notes[:0], v.notes[n:]...)
	return changed
}

// region returns the blocks that a unit is to show: those of changed, or all, without those that lie there exactly or are covered.
func (v *composition) region(changed *desktop.Damage, all bool, size image.Point, overlays []overlay) *desktop.Damage {
	region := desktop.NewDamage(size)
	if all {
		region.AddAll()
	} else {
		region.Union(changed)
	}
	for block, m := range v.marks {
		if m.patch != 0 {
			region.RemoveRun(block/v.cols, block%v.cols, block%v.cols+1)
		}
	}
	for _, o := range overlays {
		cover := o.rect.Intersect(image.Rectangle{Max: size})
		for y := cover.Min.Y / desktop.BlockSize; y < (cover.Max.Y+desktop.BlockSize-1)/desktop.BlockSize; y++ {
			region.RemoveRun(y, cover.Min.X/desktop.BlockSize, (cover.Max.X+desktop.BlockSize-1)/desktop.BlockSize)
		}
	}
	return region
}

// rects returns a set of blocks as rectangles in pixels, at most most of them.
func rects(d *desktop.Damage, size image.Point, most int) []egfx.Rect16 {
	var boxes []image.Rectangle
	open := 0 // boxes before this one end above the row before
	row := -1
	d.Runs(func(y, x0, x1 int) {
		if y != row {
			for open < len(boxes) && boxes[open].Max.Y < y {
				open++
			}
			row = y
		}
		for i := open; i < len(boxes); i++ {
			if b := &boxes[i]; b.Max.Y == y && b.Min.X == x0 && b.Max.X == x1 {
				b.Max.Y++
				return
			}
		}
		boxes = append(boxes, image.Rect(x0, y, x1, y+1))
	})
	if len(boxes) > most {
		return nil
	}
	out := make([]egfx.Rect16, len(boxes))
	for i, b := range boxes {
		r := image.Rectangle{Min: b.Min.Mul(desktop.BlockSize), Max: b.Max.Mul(desktop.BlockSize)}
		out[i] = rect16(r.Intersect(image.Rectangle{Max: size}))
	}
	return out
}

// unitSink takes the session's units for a client.
type unitSink struct{ p *painter }

// WriteUnit implements stream.Sink.
func (s *unitSink) WriteUnit(ctx context.Context, au *h264.AccessUnit) error {
	p := s.p
	if err := p.await(ctx, func() bool { return p.video.told && p.video.noted >= au.PTS && !p.gfx.full() }); err != nil {
		return err
	}
	p.drawing.Lock()
	defer p.drawing.Unlock()
	size := image.Pt(au.Width, au.Height)
	p.mu.Lock()
	fresh := !p.gfx.surface || p.gfx.size != size
	p.mu.Unlock()
	if fresh {
		if !au.IDR {
			return nil // of a picture that the client does not have; an IDR is on its way
		}
		if err := p.resetGraphics(size); err != nil {
			return err
		}
	}
	p.mu.Lock()
	if fresh {
		p.video.reset(size)
		p.all = false // the unit shows it all
		p.fit(size)
		p.coverAll(size)
	} else if p.video.marks == nil { // the surface is of a shift before
		p.video.reset(size)
	}
	changed := p.video.unit(au.PTS, size)
	region := p.video.region(changed, au.IDR || au.Refine, size, p.overlaysFor(size))
	for _, patch := range p.video.early {
		if patch.Epoch == p.video.epoch && patch.Size == size {
			p.want(patch)
			defer p.signal()
		}
	}
	p.video.early = nil
	p.mu.Unlock()
	shown := rects(region, size, maxRegionRects)
	if shown == nil { // too ragged: the whole, and what was exact is drawn again
		shown = []egfx.Rect16{rect16(image.Rectangle{Max: size})}
		p.mu.Lock()
		p.fit(size)
		p.redraw()
		p.mu.Unlock()
		defer p.signal()
	}
	picture := egfx.AVC420{Rects: shown, Qualities: make([]egfx.Quality, len(shown)), Data: au.Data}
	for i := range picture.Qualities {
		picture.Qualities[i] = egfx.Quality{QP: 20, Quality: 100}
	}
	return p.pushFrame(func(b []byte) ([]byte, error) {
		m := egfx.WireToSurface1{
			SurfaceID: surfaceID, Codec: egfx.CodecAVC420, PixelFormat: egfx.FormatXRGB,
			DestRect: rect16(image.Rectangle{Max: size}), Data: picture.Append(nil),
		}
		return m.Append(b), nil
	})
}

// redraw marks what lies exactly, and what is covered, to be drawn again. It needs mu.
func (p *painter) redraw() {
	for block, m := range p.video.marks {
		if m.patch != 0 {
			p.force.AddRun(block/p.video.cols, block%p.video.cols, block%p.video.cols+1)
		}
	}
	p.coverAll(p.gfx.size)
}

// await waits, with mu held for ok, until ok or ctx ends.
func (p *painter) await(ctx context.Context, ok func() bool) error {
	for {
		p.mu.Lock()
		if ok() {
			p.mu.Unlock()
			return nil
		}
		progress := p.progress
		p.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// laneSink takes the session's patch lane for a client.
type laneSink struct {
	p *painter
	m mode
}

// WriteNote implements stream.PatchSink.
func (s *laneSink) WriteNote(_ context.Context, n *stream.Note) error {
	p := s.p
	p.mu.Lock()
	if s.m == modeVideo {
		p.video.notes = append(p.video.notes, n)
		p.video.noted, p.video.told = n.PTS, true
		p.progressed()
		p.mu.Unlock()
		return nil
	}
	p.fit(n.Size)
	cols, blocks := p.dirty.Cols(), p.dirty.Cols()*p.dirty.Rows()
	for _, g := range n.Groups {
		for _, run := range g.Runs {
			for block := run.Start; block < min(run.Start+run.Len, blocks); block++ {
				p.dirty.AddRun(block/cols, block%cols, block%cols+1)
			}
		}
	}
	p.mu.Unlock()
	p.signal()
	return nil
}

// WritePatch implements stream.PatchSink. With video it returns when the patch is on its way, so that the Hub sends no more than
// the client takes.
func (s *laneSink) WritePatch(ctx context.Context, patch *stream.Patch) error {
	p := s.p
	p.mu.Lock()
	if s.m == modeVideo && (patch.Epoch != p.video.epoch || p.video.marks == nil || patch.Size != p.gfx.size) {
		// Of a picture before, or of one whose first unit is yet to come.
		if patch.Epoch >= p.video.epoch && len(p.video.early) < maxEarly {
			p.video.early = append(p.video.early, patch)
		}
		p.mu.Unlock()
		return nil
	}
	p.fit(patch.Size)
	p.want(patch)
	passes := p.video.passes
	p.mu.Unlock()
	p.signal()
	if s.m != modeVideo {
		return nil
	}
	return p.await(ctx, func() bool { return p.video.passes > passes })
}

// want marks a patch's blocks to be drawn. It needs mu.
func (p *painter) want(patch *stream.Patch) {
	for _, part := range patch.Parts {
		for y := part.Blocks.Min.Y; y < part.Blocks.Max.Y; y++ {
			p.dirty.AddRun(y, part.Blocks.Min.X, part.Blocks.Max.X)
			for x := part.Blocks.Min.X; p.video.wants != nil && x < part.Blocks.Max.X; x++ {
				p.video.wants[y*p.video.cols+x] = mark{patch.Number, patch.After}
			}
		}
	}
}
