package rdpserver

import (
	"context"
	"image"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// mode is how a client is shown the picture.
type mode int

const (
	modeWait   mode = iota // nothing: it has yet to say whether it has the graphics pipeline
	modeHidden             // nothing: its window is out of sight, or it is being activated
	modeBitmap             // bitmap updates
	modePlanar             // planar bitmaps in the graphics pipeline
	modeVideo              // the session's encode in the graphics pipeline, and planar bitmaps beside it
)

func (m mode) String() string {
	return [...]string{"wait", "hidden", "bitmap", "planar", "video"}[m]
}

const (
	// graphicsTimeout is how long the graphics pipeline is waited for before bitmap updates are sent in its place.
	graphicsTimeout = 3 * time.Second
	// passBlocks bounds the blocks drawn at once, so that what changes meanwhile need not wait for all of a picture.
	passBlocks = 1024
)

// painter brings the picture to the client. Its run owns what is not guarded.
//
// Lock order: drawing, then mu, then the framebuffer's.
type painter struct {
	c      *Conn
	kick   chan struct{} // capacity 1: something to do
	encode rdpbitmap.Encoder
	tile   []byte // reused
	frame  []byte // reused

	// drawing is held while pixels are taken and sent, and while a unit is, so that what is older goes first.
	drawing sync.Mutex
	shadow  []byte // BGRX of size: what was last sent; in modeVideo only where it is about to be
	size    image.Point

	mu       sync.Mutex
	waiting  bool // for the graphics pipeline
	gfx      graphics
	shift    uint64 // rises when everything must begin anew
	dirty    *desktop.Damage
	force    *desktop.Damage // blocks that are sent whatever was sent before
	all      bool            // everything is
	cover    cover
	video    composition
	progress chan struct{} // closed, and replaced, when something was drawn, told or acknowledged
}

func newPainter(c *Conn) *painter {
	return &painter{c: c, kick: make(chan struct{}, 1), progress: make(chan struct{}), all: true}
}

func (p *painter) signal() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// progressed wakes whoever waits for progress. It needs mu.
func (p *painter) progressed() {
	close(p.progress)
	p.progress = make(chan struct{})
}

// restart makes everything begin anew: for a client that was activated again.
func (p *painter) restart() {
	p.mu.Lock()
	p.shift++
	p.all = true
	p.progressed()
	p.mu.Unlock()
	p.signal()
}

// refresh sends an area again, which the client says it has lost.
func (p *painter) refresh(area image.Rectangle) {
	p.mu.Lock()
	if p.force != nil {
		p.force.Add(area)
	}
	p.mu.Unlock()
	p.signal()
}

// wanted is the mode that fits what is known now, and the shift it is of.
func (p *painter) wanted() (mode, uint64) {
	visible := p.c.visible()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !visible:
		return modeHidden, p.shift
	case p.gfx.ready && p.gfx.avc:
		return modeVideo, p.shift
	case p.gfx.ready:
		return modePlanar, p.shift
	case p.waiting:
		return modeWait, p.shift
	}
	return modeBitmap, p.shift
}

// run paints until ctx ends or the connection fails.
func (p *painter) run(ctx context.Context) error {
	timer := time.AfterFunc(graphicsTimeout, func() {
		p.mu.Lock()
		p.waiting = false
		p.mu.Unlock()
		p.signal()
	})
	defer timer.Stop()
	for ctx.Err() == nil {
		m, shift := p.wanted()
		p.c.link.log.Debug("picture", "mode", m.String())
		if err := p.work(ctx, m, shift); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// work paints in a mode until another is wanted.
func (p *painter) work(ctx context.Context, m mode, shift uint64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	d := p.c.desktop
	p.mu.Lock()
	frozen := p.cover.freeze != nil
	p.mu.Unlock()
	var wake <-chan struct{}
	switch {
	case m == modeWait || m == modeHidden:
	case frozen: // nothing of the desktop reaches the client, not even below the still
		p.begin(modeHidden)
	case d.Video == nil:
		wake = d.Framebuffer.Wake()
	default:
		p.begin(m)
		sink := &unitSink{p}
		wg.Go(func() {
			if err := d.Video.ServePatches(ctx, sink, &laneSink{p, m}); err != nil {
				cancel(err)
			}
		})
		if m == modeVideo {
			wg.Go(func() {
				if err := d.Video.Serve(ctx, sink, unitQueue, dropToIDR); err != nil {
					cancel(err)
				}
			})
		}
	}
	p.signal()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		case <-p.kick:
		}
		if now, s := p.wanted(); now != m || s != shift {
			return nil
		}
		if m == modeWait || m == modeHidden {
			continue
		}
		if wake != nil {
			if size, damage := snapshot(d.Framebuffer); damage != nil {
				p.changed(size, damage)
			}
		}
		for {
			more, err := p.paint(ctx, m)
			if err != nil {
				return err
			}
			if !more || ctx.Err() != nil {
				break
			}
		}
	}
}

// snapshot takes the damage of a framebuffer that nobody else looks at; nil when there is none.
func snapshot(fb *desktop.Framebuffer) (size image.Point, damage *desktop.Damage) {
	fb.Snapshot(false, func(_ []byte, now image.Point, d *desktop.Damage) {
		size, damage = now, desktop.NewDamage(now)
		damage.Union(d)
	})
	return size, damage
}

// begin makes the books of a mode: nothing is known of what the client shows.
func (p *painter) begin(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = m != modeVideo // whose first unit shows it all
	p.video = composition{}
	p.dirty, p.force = nil, nil
}

// changed marks blocks that may look different, of a picture of a size.
func (p *painter) changed(size image.Point, d *desktop.Damage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fit(size)
	p.dirty.Union(d)
}

// fit makes the marks those of a picture of a size. It needs mu.
func (p *painter) fit(size image.Point) {
	probe := image.Pt((size.X+desktop.BlockSize-1)/desktop.BlockSize, (size.Y+desktop.BlockSize-1)/desktop.BlockSize)
	if p.dirty == nil || p.dirty.Cols() != probe.X || p.dirty.Rows() != probe.Y {
		p.dirty, p.force = desktop.NewDamage(size), desktop.NewDamage(size)
	}
}

// paint draws what is marked, or as much as goes at once. more tells that it can go on at once.
func (p *painter) paint(ctx context.Context, m mode) (more bool, err error) {
	fb := p.c.desktop.Framebuffer
	if p.c.desktop.Video != nil && fb.Blank() {
		return false, nil
	}
	p.drawing.Lock()
	defer p.drawing.Unlock()
	size := fb.Size()
	if ok, err := p.resized(size, m); err != nil || !ok {
		p.done() // the lane must not wait for what comes by it
		return false, err
	}
	p.mu.Lock()
	if m != modeBitmap && p.gfx.full() {
		p.mu.Unlock()
		return false, nil // an acknowledgement will come
	}
	p.fit(size)
	if p.all {
		p.all = false
		p.force.AddAll()
	}
	take := desktop.NewDamage(size)
	left := passBlocks
	each := func(from *desktop.Damage) {
		from.Runs(func(y, x0, x1 int) {
			x1 = min(x1, x0+left)
			if x0 >= x1 {
				return
			}
			left -= x1 - x0
			take.AddRun(y, x0, x1)
		})
	}
	each(p.force)
	each(p.dirty)
	forced := desktop.NewDamage(size)
	take.Runs(func(y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			if p.force.Has(x, y) || m == modeVideo {
				forced.AddRun(y, x, x+1)
			}
		}
		p.force.RemoveRun(y, x0, x1)
		p.dirty.RemoveRun(y, x0, x1)
	})
	more = !p.force.Empty() || !p.dirty.Empty()
	if m == modeVideo && p.video.marks != nil {
		p.video.drawn(take)
	}
	overlays := p.overlaysFor(size)
	p.mu.Unlock()
	if take.Empty() {
		p.done()
		return false, nil
	}
	same := true
	fb.View(func(pix []byte, now image.Point) {
		if same = now == size; same {
			p.compare(pix, take, forced)
		}
	})
	if !same {
		p.mu.Lock()
		p.all = p.all || m != modeVideo
		p.mu.Unlock()
		return true, nil
	}
	if err := p.send(m, take, overlays); err != nil {
		return false, err
	}
	p.done()
	return more, nil
}

// done tells those who wait that a pass is over.
func (p *painter) done() {
	p.mu.Lock()
	p.video.passes++
	p.progressed()
	p.mu.Unlock()
}

// resized brings the client's desktop to a size; ok is unset while that is under way. It needs drawing.
func (p *painter) resized(size image.Point, m mode) (ok bool, err error) {
	switch m {
	case modeBitmap:
		if p.c.shown() != size {
			return false, p.c.reactivate(size)
		}
	case modePlanar:
		if err := p.resetGraphics(size); err != nil {
			return false, err
		}
	case modeVideo: // the unit that has the size brings the surface, unless there are none
		p.mu.Lock()
		fits, frozen := p.gfx.surface && p.gfx.size == size, p.cover.freeze != nil
		p.mu.Unlock()
		if frozen {
			if err := p.resetGraphics(size); err != nil {
				return false, err
			}
		} else if !fits {
			return false, nil
		}
	case modeWait, modeHidden:
	}
	if p.size != size {
		p.size, p.shadow = size, make([]byte, size.X*size.Y*desktop.BytesPerPixel)
	}
	return true, nil
}

// compare takes the pixels of the blocks marked into the shadow, and unmarks those that were sent as they are. The framebuffer
// is locked.
func (p *painter) compare(pix []byte, take, forced *desktop.Damage) {
	const block = desktop.BlockSize
	stride := p.size.X * desktop.BytesPerPixel
	var same [][3]int
	take.Runs(func(y, x0, x1 int) {
		bottom := min((y+1)*block, p.size.Y)
		for x := x0; x < x1; x++ {
			from, to := x*block*desktop.BytesPerPixel, min((x+1)*block, p.size.X)*desktop.BytesPerPixel
			differs := forced.Has(x, y)
			for row := y * block; row < bottom; row++ {
				at := row*stride + from
				now, was := pix[at:row*stride+to], p.shadow[at:row*stride+to]
				if !differs && string(now) != string(was) {
					differs = true
				}
				if differs {
					copy(was, now) // the rows before are the same
				}
			}
			if !differs {
				same = append(same, [3]int{y, x, x + 1})
			}
		}
	})
	for _, s := range same {
		take.RemoveRun(s[0], s[1], s[2])
	}
}

// tiles calls fn for rectangles, in pixels, that hold the blocks marked, none larger than side blocks each way.
func (p *painter) tiles(d *desktop.Damage, cols, rows int, fn func(r image.Rectangle) error) error {
	for ty := 0; ty < d.Rows(); ty += rows {
		for tx := 0; tx < d.Cols(); tx += cols {
			var box image.Rectangle
			for y := ty; y < min(ty+rows, d.Rows()); y++ {
				for x := tx; x < min(tx+cols, d.Cols()); x++ {
					if d.Has(x, y) {
						box = box.Union(image.Rect(x, y, x+1, y+1))
					}
				}
			}
			if box.Empty() {
				continue
			}
			r := image.Rectangle{Min: box.Min.Mul(desktop.BlockSize), Max: box.Max.Mul(desktop.BlockSize)}
			if err := fn(r.Intersect(image.Rectangle{Max: p.size})); err != nil {
				return err
			}
		}
	}
	return nil
}

// pixels returns a rectangle of what is to be shown, padded at the right to a width that is a multiple of align. It is valid until
// the next call.
func (p *painter) pixels(r image.Rectangle, overlays []overlay, align int) pixel.BGRX {
	stride := p.size.X * desktop.BytesPerPixel
	out := pixel.BGRX{Stride: stride, Width: r.Dx(), Height: r.Dy(), Pix: p.shadow[r.Min.Y*stride+r.Min.X*desktop.BytesPerPixel:]}
	covered := false
	for _, o := range overlays {
		covered = covered || o.rect.Overlaps(r)
	}
	width := (r.Dx() + align - 1) / align * align
	if !covered && width == r.Dx() {
		return out
	}
	row := width * desktop.BytesPerPixel
	if n := row * r.Dy(); cap(p.tile) < n {
		p.tile = make([]byte, n)
	}
	p.tile = p.tile[:row*r.Dy()]
	for y := range r.Dy() {
		line := p.tile[y*row : (y+1)*row]
		n := copy(line, out.Pix[y*stride:][:r.Dx()*desktop.BytesPerPixel])
		for i := n; i < row; i += desktop.BytesPerPixel { // repeat the last pixel: nobody sees it, and it costs least
			copy(line[i:], line[n-desktop.BytesPerPixel:n])
		}
	}
	out = pixel.BGRX{Stride: row, Width: width, Height: r.Dy(), Pix: p.tile}
	for _, o := range overlays {
		o.draw(out, r)
	}
	return out
}
