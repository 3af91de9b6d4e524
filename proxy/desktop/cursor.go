package desktop

import (
	"fmt"
	"image"
)

// Cursor is the pointer's shape and, where the target moves it, its place.
type Cursor struct {
	// Serial rises with every change of shape.
	Serial uint64
	// Hidden is set when the target shows no pointer.
	Hidden bool
	// Shape is nil until the target sent one: viewers then show their own arrow.
	Shape *image.NRGBA
	// Hotspot is the pixel of Shape that points.
	Hotspot image.Point
}

// SetCursor replaces the pointer shape. shape is not copied and must not change afterwards; nil with hidden
// unset asks viewers for their default arrow.
func (f *Framebuffer) SetCursor(shape *image.NRGBA, hotspot image.Point, hidden bool) error {
	if shape != nil {
		if b := shape.Bounds(); b.Dx() > MaxCursorSide || b.Dy() > MaxCursorSide {
			return fmt.Errorf("desktop: cursor %d×%d exceeds %d a side", b.Dx(), b.Dy(), MaxCursorSide)
		}
	}
	f.cursorMu.Lock()
	defer f.cursorMu.Unlock()
	f.cursor = Cursor{Serial: f.cursor.Serial + 1, Hidden: hidden, Shape: shape, Hotspot: hotspot}
	for _, ch := range f.cursorNotify {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	return nil
}

// Cursor returns the present pointer shape. The shape is shared and must not be written.
func (f *Framebuffer) Cursor() Cursor {
	f.cursorMu.Lock()
	defer f.cursorMu.Unlock()
	return f.cursor
}

// WatchCursor asks for a value on ch after every change of shape, dropped when ch is full, so a capacity of
// one is enough. The returned function ends it.
func (f *Framebuffer) WatchCursor(ch chan<- struct{}) (stop func()) {
	f.cursorMu.Lock()
	defer f.cursorMu.Unlock()
	f.cursorNotify = append(f.cursorNotify, ch)
	return func() {
		f.cursorMu.Lock()
		defer f.cursorMu.Unlock()
		for i, c := range f.cursorNotify {
			if c == ch {
				f.cursorNotify = append(f.cursorNotify[:i:i], f.cursorNotify[i+1:]...)
				return
			}
		}
	}
}
