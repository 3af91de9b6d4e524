package scene

import (
	"image"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// Measures of a window, in pixels.
const (
	titleHeight  = 32
	windowRadius = 8
	shadowReach  = 18
)

// body is what a window shows. It sees its own upper left corner as the origin.
type body interface {
	paint(c canvas)
	pointer(e pointerEvent)
	key(k keyEvent)
	// cursor returns the pointer's shape over a place.
	cursor(at image.Point) *demotarget.Cursor
}

// pointerEvent says where the pointer is, in the body's space, and what changed; the masks are those of
// RFC 6143 7.5.5.
type pointerEvent struct {
	at       image.Point
	pressed  uint8 // the buttons that went down now
	released uint8
	held     uint8
	clicks   int // of the left button, at this place, in quick succession
}

// keyEvent is a key that went down, or that repeats.
type keyEvent struct {
	keysym    uint32
	char      rune // 0 for keys that type nothing
	shift     bool
	ctrl, alt bool
}

// window is a body in a frame.
type window struct {
	scene *Scene
	title string
	at    image.Point // of the frame
	size  image.Point // of the body
	body  body
}

func (w *window) frame() image.Rectangle {
	return image.Rectangle{w.at, w.at.Add(w.size).Add(image.Pt(0, titleHeight))}
}

func (w *window) content() image.Rectangle {
	r := w.frame()
	r.Min.Y += titleHeight
	return r
}

// reach is all the window changes: the frame and its shadow.
func (w *window) reach() image.Rectangle { return w.frame().Inset(-shadowReach) }

func (w *window) paint(c canvas, focused bool) {
	if c.clipped(w.reach()) {
		return
	}
	f := w.frame()
	bar, label := quiet, faint
	if focused {
		bar, label = accent, white
	}
	c.shadow(f, windowRadius, shadowReach)
	top := f
	top.Max.Y = f.Min.Y + titleHeight
	c.fill(w.content(), surface)
	c.shape(top, bar, roundRect(f, windowRadius))
	face := w.scene.fonts.title
	c.text(face, top.Min.Add(image.Pt(14, (titleHeight-face.height)/2)), w.title, label)
	w.body.paint(c.within(w.content()))
}

// damage has a part of the body painted again.
func (w *window) damage(r image.Rectangle) {
	content := w.content()
	w.scene.damage(r.Add(content.Min).Intersect(content))
}

// scroll says that the pixels of r in the body move up by dy (down when negative), and has the rest painted.
func (w *window) scroll(r image.Rectangle, dy int) {
	w.scene.scroll(w, r.Add(w.content().Min), dy)
}

// drag is a window being moved.
type drag struct {
	window *window
	grip   image.Point // the pointer in the frame
}

// move puts the window where the pointer drags it, and keeps its title within reach.
func (d *drag) move(pointer image.Point) {
	w := d.window
	room := w.scene.size
	at := pointer.Sub(d.grip)
	at.X = min(max(at.X, 80-w.size.X), room.X-80)
	at.Y = min(max(at.Y, panelHeight), room.Y-titleHeight)
	if at == w.at {
		return
	}
	w.scene.damage(w.reach())
	w.at = at
	w.scene.damage(w.reach())
}
