package desktop

import (
	"errors"
	"fmt"
	"image"
	"sync"
	"sync/atomic"
)

// ErrSize is returned when a target announces a desktop outside the caps of this package.
var ErrSize = errors.New("desktop: size out of bounds")

// BytesPerPixel is the pixel size of the framebuffer: blue, green, red, and one byte without meaning.
const BytesPerPixel = 4

// Framebuffer is the desktop of one session as its target last drew it, in BGRX, with the damage since the
// encoder last looked. One source draws; one encoder takes snapshots. The pointer shape is kept apart from
// the picture, because viewers draw it themselves.
//
// Drawing and snapshots exclude each other for the length of one call, so neither may block on I/O inside.
type Framebuffer struct {
	wake  chan struct{} // capacity 1, never closed: something to encode
	shown atomic.Bool   // something drawn was committed

	mu     sync.Mutex
	size   image.Point
	pix    []byte // size.Y rows of size.X*BytesPerPixel bytes
	damage *Damage
	drawn  bool   // the source has drawn something
	dirty  bool   // damage was committed and not yet taken
	serial uint64 // rises with everything that is drawn

	overlay Overlay // nil: none
	over    []byte  // the picture with the overlay; nil without
	stale   *Damage // where over is not up to date; nil without

	cursorMu     sync.Mutex
	cursor       Cursor
	cursorNotify []chan<- struct{}
}

// NewFramebuffer returns a black framebuffer of the given size, wholly damaged. Nothing of it is shown before the source
// has drawn something, so that no session begins with a black picture.
func NewFramebuffer(size image.Point) (*Framebuffer, error) {
	f := &Framebuffer{wake: make(chan struct{}, 1), damage: &Damage{}}
	if err := f.Resize(size); err != nil {
		return nil, err
	}
	return f, nil
}

// CheckSize returns an error wrapping ErrSize, with the numbers, when size is outside the caps.
func CheckSize(size image.Point) error {
	if size.X < MinSide || size.Y < MinSide || size.X > MaxWidth || size.Y > MaxHeight || size.X*size.Y > MaxPixels {
		return fmt.Errorf("%w: %d×%d pixels, need %d to %d a side and at most %d in all",
			ErrSize, size.X, size.Y, MinSide, MaxWidth, MaxPixels)
	}
	return nil
}

// Resize gives the desktop a new size. What both sizes share keeps its pixels, the rest is black, and all of
// it is damaged.
func (f *Framebuffer) Resize(size image.Point) error {
	if err := CheckSize(size); err != nil {
		return err
	}
	f.mu.Lock()
	if size == f.size {
		f.mu.Unlock()
		return nil
	}
	pix := make([]byte, size.X*size.Y*BytesPerPixel)
	row := min(size.X, f.size.X) * BytesPerPixel
	for y := range min(size.Y, f.size.Y) {
		copy(pix[y*size.X*BytesPerPixel:][:row], f.pix[y*f.size.X*BytesPerPixel:])
	}
	f.pix, f.size = pix, size
	f.damage.Reset(size)
	f.damage.AddAll()
	f.serial++
	if f.overlay != nil {
		f.coverAll()
	}
	f.mu.Unlock()
	f.Commit()
	return nil
}

// Size returns the desktop's size in pixels.
func (f *Framebuffer) Size() image.Point {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Draw lets fn write the pixels of r and marks r damaged. pix is the whole picture, rows of stride bytes;
// fn must stay inside r and must not keep pix. A rectangle that does not lie wholly in the picture is refused
// before fn is called.
func (f *Framebuffer) Draw(r image.Rectangle, fn func(pix []byte, stride int)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkRect(r); err != nil {
		return err
	}
	if r.Empty() {
		return nil
	}
	fn(f.pix, f.size.X*BytesPerPixel)
	f.touched(r)
	return nil
}

// DrawSome is Draw for whoever knows only afterwards what has changed: fn may write the pixels of r and returns the
// rectangles it wrote, of which the parts in r are marked damaged.
func (f *Framebuffer) DrawSome(r image.Rectangle, fn func(pix []byte, stride int) []image.Rectangle) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkRect(r); err != nil {
		return err
	}
	if r.Empty() {
		return nil
	}
	for _, changed := range fn(f.pix, f.size.X*BytesPerPixel) {
		if changed = changed.Intersect(r); !changed.Empty() {
			f.touched(changed)
		}
	}
	return nil
}

// Copy moves the pixels of a rectangle of r's size at src to r, which may overlap (RFB CopyRect, RDP ScrBlt).
func (f *Framebuffer) Copy(r image.Rectangle, src image.Point) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.checkRect(r); err != nil {
		return err
	}
	if err := f.checkRect(image.Rectangle{Min: src, Max: src.Add(r.Size())}); err != nil {
		return err
	}
	stride, row := f.size.X*BytesPerPixel, r.Dx()*BytesPerPixel
	for i := range r.Dy() {
		y := i
		if src.Y < r.Min.Y { // moving down: last row first
			y = r.Dy() - 1 - i
		}
		copy(f.pix[(r.Min.Y+y)*stride+r.Min.X*BytesPerPixel:][:row], f.pix[(src.Y+y)*stride+src.X*BytesPerPixel:][:row])
	}
	f.touched(r)
	return nil
}

// touched books that the source has drawn in r. It needs mu.
func (f *Framebuffer) touched(r image.Rectangle) {
	f.damage.Add(r)
	if f.stale != nil {
		f.stale.Add(r)
	}
	f.drawn = true
	f.serial++
}

// checkRect needs mu.
func (f *Framebuffer) checkRect(r image.Rectangle) error {
	if r.Min.X < 0 || r.Min.Y < 0 || r.Dx() < 0 || r.Dy() < 0 || r.Max.X > f.size.X || r.Max.Y > f.size.Y {
		return fmt.Errorf("desktop: rectangle %v outside %d×%d", r, f.size.X, f.size.Y)
	}
	return nil
}

// Commit ends one update of the target: what was drawn since the last Commit may be shown.
// It never blocks.
func (f *Framebuffer) Commit() {
	f.mu.Lock()
	wake := f.drawn && !f.damage.Empty()
	f.dirty = f.dirty || wake
	f.mu.Unlock()
	if wake {
		f.shown.Store(true)
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// Blank reports whether there is nothing to show yet.
func (f *Framebuffer) Blank() bool { return !f.shown.Load() }

// Wake delivers a value after a Commit that has something to show. It has one receiver: the encode loop.
func (f *Framebuffer) Wake() <-chan struct{} { return f.wake }

// Serial tells pictures apart: as long as it is the same, nothing was drawn. It is never 0.
func (f *Framebuffer) Serial() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.serial
}

// Damaged returns how many blocks the next Snapshot will find damaged, if nothing more is drawn.
func (f *Framebuffer) Damaged() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.damage.Count()
}

// Snapshot calls fn with the picture, as it is shown to people, and the damage since the last Snapshot, then clears the damage. fn must
// not keep pix or d, and should only convert what is damaged: drawing waits meanwhile.
// It reports whether there was committed damage; when there was none fn is still called when force is set.
func (f *Framebuffer) Snapshot(force bool, fn func(pix []byte, size image.Point, d *Damage)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	had := f.dirty
	if !had && !force {
		return false
	}
	fn(f.visible(), f.size, f.damage)
	if had {
		f.damage.Clear()
		f.dirty = false
	}
	return had
}

// View calls fn with the picture as it is shown to people now, with the overlay and what was not yet committed. fn must not keep pix nor write it: drawing
// waits meanwhile.
func (f *Framebuffer) View(fn func(pix []byte, size image.Point)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(f.visible(), f.size)
}

// Raw calls fn with the picture as the target drew it, what was not yet committed included, for whoever does not show it to
// people: thumbnails, text recognition. fn must not keep pix nor write it: drawing waits meanwhile.
func (f *Framebuffer) Raw(fn func(pix []byte, size image.Point)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(f.pix, f.size)
}

// CopyPixels returns a copy of the whole picture as the target drew it in BGRX, and its size, for screenshots and tests.
func (f *Framebuffer) CopyPixels() ([]byte, image.Point) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]byte(nil), f.pix...), f.size
}
