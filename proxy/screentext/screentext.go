// Package screentext finds what is new to be read on a desktop: text that has changed and then stood still.
//
// A Watcher looks at the framebuffer a few times a second, if anything was drawn since. It compares blocks of 16×16 pixels by
// their hashes and keeps a grey copy of the picture. Blocks that changed are put together to patches; one that has stood still for a moment is cut
// into lines of text (lines.go), and those not read lately become pictures to read, wherever they were before: what a terminal has only scrolled is not read
// again. What never stands still is looked at every few seconds.
//
// The framebuffer is read a few rows at a time: neither the target's drawing nor the encode loop waits for more than those. What
// waits to be read is bounded. While there is no room changes stay marked and are cut later, as they look then; a picture
// that has stood still and is gone by then is counted as missed.
package screentext

import (
	"context"
	"hash/maphash"
	"image"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Region is a part of the picture to be read.
type Region struct {
	Bounds image.Rectangle // on the desktop
	Grey   []byte          // rows of Bounds.Dx() bytes
	At     time.Time       // when it was seen
}

func (r *Region) pixels() int { return r.Bounds.Dx() * r.Bounds.Dy() }

// Watcher watches one desktop. Look and Run are for one goroutine, Take may be called by another.
type Watcher struct {
	fb   *desktop.Framebuffer
	seed maphash.Seed
	wake chan struct{} // capacity 1: there is something to take

	// Owned by who looks.
	serial     uint64 // of the last picture scanned
	size       image.Point
	cols, rows int // blocks
	blocks     []block
	dirty      int    // blocks that are
	grey       []byte // the picture as it was scanned
	seen       memory
	scratch    scratch

	mu     sync.Mutex
	queue  []Region // oldest first
	queued int      // pixels in it
	missed int      // still pictures that went before there was room for them
}

// block is what is known of 16×16 pixels.
type block struct {
	hash    uint64
	changed time.Time // last
	since   time.Time // first change that was not read yet; zero: there is none
	waiting bool      // stood still and was not cut, because there was no room
	visited bool      // by patches
}

// New returns a Watcher, which holds everything on the desktop for new.
func New(fb *desktop.Framebuffer) *Watcher {
	return &Watcher{fb: fb, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), seen: newMemory()}
}

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			w.Look(now)
		case <-ctx.Done():
			return
		}
	}
}

// Look takes note of what has changed, and cuts what is to be read.
func (w *Watcher) Look(now time.Time) {
	if w.fb.Blank() {
		return
	}
	if serial := w.fb.Serial(); serial != w.serial && w.scan(now) {
		w.serial = serial
	}
	if w.dirty > 0 {
		w.collect(now)
	}
}

// Take waits for something to read and returns some of it, at most MaxRegions and MaxPixels together, with the number of still
// pictures that were missed since the last call. The error is that of ctx.
func (w *Watcher) Take(ctx context.Context) (regions []Region, missed int, err error) {
	for {
		if regions, missed = w.next(); len(regions) > 0 {
			return regions, missed, nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

func (w *Watcher) next() (regions []Region, missed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, pixels := 0, 0
	for n < len(w.queue) && n < MaxRegions && pixels+w.queue[n].pixels() <= MaxPixels {
		pixels += w.queue[n].pixels()
		n++
	}
	regions = append(regions, w.queue[:n]...)
	w.queue = append(w.queue[:0], w.queue[n:]...)
	w.queued -= pixels
	if n > 0 {
		missed, w.missed = w.missed, 0
	}
	return regions, missed
}

// Left is how much there was to read and will not be, if nothing is taken any more.
func (w *Watcher) Left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) + w.missed
}

// scan hashes every block and copies those that changed. It reports false when the desktop got another size meanwhile.
func (w *Watcher) scan(now time.Time) bool {
	if size := w.fb.Size(); size != w.size {
		w.reset(size)
	}
	missed := false
	for top := 0; top < w.rows; top += stripBlocks {
		same := false
		w.fb.Raw(func(pix []byte, size image.Point) {
			if same = size == w.size; !same {
				return
			}
			for by := top; by < min(top+stripBlocks, w.rows); by++ {
				for bx := range w.cols {
					missed = w.look(pix, bx, by, now) || missed
				}
			}
		})
		if !same {
			return false
		}
	}
	if missed {
		w.mu.Lock()
		w.missed++
		w.mu.Unlock()
	}
	return true
}

func (w *Watcher) reset(size image.Point) {
	w.size = size
	w.cols, w.rows = (size.X+desktop.BlockSize-1)/desktop.BlockSize, (size.Y+desktop.BlockSize-1)/desktop.BlockSize
	w.blocks, w.grey, w.dirty = make([]block, w.cols*w.rows), make([]byte, size.X*size.Y), 0
}

// look compares one block with how it was, and reports whether what it was is missed.
func (w *Watcher) look(pix []byte, bx, by int, now time.Time) (missed bool) {
	r := w.blockRect(bx, by)
	stride, length := w.size.X*desktop.BytesPerPixel, r.Dx()*desktop.BytesPerPixel
	var hash uint64 = 1
	for y := r.Min.Y; y < r.Max.Y; y++ {
		hash = hash*0x9e3779b97f4a7c15 + maphash.Bytes(w.seed, pix[y*stride+r.Min.X*desktop.BytesPerPixel:][:length])
	}
	b := &w.blocks[by*w.cols+bx]
	if b.hash == hash {
		return false
	}
	if b.since.IsZero() {
		b.since = now
		w.dirty++
	}
	missed = b.waiting
	b.hash, b.changed, b.waiting = hash, now, false
	for y := r.Min.Y; y < r.Max.Y; y++ {
		toGrey(w.grey[y*w.size.X+r.Min.X:][:r.Dx()], pix[y*stride+r.Min.X*desktop.BytesPerPixel:][:length])
	}
	return missed
}

func (w *Watcher) blockRect(bx, by int) image.Rectangle {
	return image.Rect(bx*desktop.BlockSize, by*desktop.BlockSize, (bx+1)*desktop.BlockSize, (by+1)*desktop.BlockSize).Intersect(image.Rectangle{Max: w.size})
}

// toGrey makes luma of BGRX pixels.
func toGrey(out, pix []byte) {
	for i := range out {
		p := pix[i*desktop.BytesPerPixel:][:3]
		out[i] = uint8((29*uint(p[0]) + 150*uint(p[1]) + 77*uint(p[2])) >> 8)
	}
}

// collect cuts what has stood still for long enough, or has moved for too long, as far as there is room.
func (w *Watcher) collect(now time.Time) {
	for _, p := range w.patches() {
		if now.Sub(p.changed) < settle && now.Sub(p.since) < moving {
			continue
		}
		w.mu.Lock()
		room := w.queued < maxQueuedPixels && len(w.queue) < maxQueued
		w.mu.Unlock()
		for _, i := range p.blocks {
			b := &w.blocks[i]
			if !room {
				b.waiting = b.waiting || now.Sub(b.changed) >= settle
				continue
			}
			b.since, b.waiting = time.Time{}, false
			w.dirty--
		}
		if room {
			w.put(w.cut(p.bounds, now))
		}
	}
}

func (w *Watcher) put(regions []Region) {
	if len(regions) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range regions {
		w.queue = append(w.queue, regions[i])
		w.queued += regions[i].pixels()
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// patch is changed blocks that lie together.
type patch struct {
	blocks         []int
	bounds         image.Rectangle // in pixels
	changed, since time.Time       // the last change and the first
}

// patches puts changed blocks together that are neighbours, or stand in a row with a space between them.
func (w *Watcher) patches() []patch {
	var all []patch
	var todo []int
	for start := range w.blocks {
		if w.blocks[start].since.IsZero() || w.blocks[start].visited {
			continue
		}
		p := patch{since: w.blocks[start].since}
		w.blocks[start].visited = true
		for todo = append(todo[:0], start); len(todo) > 0; {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			bx, by := i%w.cols, i/w.cols
			b := &w.blocks[i]
			p.blocks = append(p.blocks, i)
			p.bounds = p.bounds.Union(w.blockRect(bx, by))
			if b.changed.After(p.changed) {
				p.changed = b.changed
			}
			if b.since.Before(p.since) {
				p.since = b.since
			}
			for y := max(0, by-1); y <= min(w.rows-1, by+1); y++ {
				for x := max(0, bx-rowGap); x <= min(w.cols-1, bx+rowGap); x++ {
					if n := &w.blocks[y*w.cols+x]; !n.since.IsZero() && !n.visited {
						n.visited = true
						todo = append(todo, y*w.cols+x)
					}
				}
			}
		}
		all = append(all, p)
	}
	for _, p := range all {
		for _, i := range p.blocks {
			w.blocks[i].visited = false
		}
	}
	return all
}
