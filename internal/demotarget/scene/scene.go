// Package scene draws the demo desktop: windows to type, click, draw and look at, that need nothing but this
// program. It moves only when somebody does something (or asked for the animation), so that a still desktop
// is still.
package scene

import (
	"image"
	"image/draw"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// Buttons of RFC 6143 7.5.5.
const (
	leftButton uint8 = 1 << iota
	middleButton
	rightButton
	wheelUp
	wheelDown
)

// doubleClick is how far apart two clicks may be.
const doubleClick = 400 * time.Millisecond

// Scene is the demo desktop, a demotarget.Scene.
type Scene struct {
	clock     func() time.Time
	size      image.Point
	fonts     fonts
	wallpaper *image.RGBA
	panel     *panel
	windows   []*window // the top one last; it has the keys
	controls  *controls
	journal   *journal
	pending   []demotarget.Change

	pointer   image.Point
	buttons   uint8
	grabbed   *window // has the pointer while a button is held
	drag      *drag
	clicks    int
	clickedAt image.Point
	clickedOn time.Time
	keys      modifiers
	clipboard string
	copied    bool
}

var _ demotarget.Scene = (*Scene)(nil)

// New returns a desktop that tells the time by clock, time.Now when nil.
func New(clock func() time.Time) *Scene {
	if clock == nil {
		clock = time.Now
	}
	s := &Scene{clock: clock, fonts: newFonts()}
	s.panel = &panel{scene: s}
	s.controls = newControls()
	s.journal = &journal{}
	sheet := image.Pt(456, 212)
	page := image.Pt(576, 336)
	sketch, notes := newSketch(sheet), newNotes(page)
	s.journal.win = s.open("Input", image.Pt(32, 464), image.Pt(576, 176), s.journal)
	sketch.win = s.open("Sketch", image.Pt(640, 428), sheet, sketch)
	s.controls.win = s.open("Controls", image.Pt(640, 64), image.Pt(456, 288), s.controls)
	notes.win = s.open("Notes", image.Pt(32, 64), page, notes)
	return s
}

func (s *Scene) open(title string, at, size image.Point, b body) *window {
	w := &window{scene: s, title: title, at: at, size: size, body: b}
	s.windows = append(s.windows, w)
	return w
}

// Resize implements demotarget.Scene. Windows stay where they are, but never out of reach.
func (s *Scene) Resize(size image.Point) {
	s.size = size
	s.wallpaper = newWallpaper(size)
	for _, w := range s.windows {
		(&drag{window: w}).move(w.at)
	}
	s.pending = []demotarget.Change{{Rect: image.Rectangle{Max: size}}}
}

// Tick implements demotarget.Scene.
func (s *Scene) Tick(now time.Time) time.Duration {
	next := s.panel.tick(now)
	if moves := s.controls.tick(now); moves > 0 {
		next = min(next, moves)
	}
	return next
}

// Clipboard implements demotarget.Scene.
func (s *Scene) Clipboard(text string) {
	s.clipboard = text
	s.journal.add(s.clock(), "clipboard arrived, %d bytes", len(text))
}

// Copied implements demotarget.Scene.
func (s *Scene) Copied() (string, bool) {
	copied := s.copied
	s.copied = false
	return s.clipboard, copied
}

// copy puts text of our own on the clipboard.
func (s *Scene) copy(text string) {
	s.clipboard, s.copied = text, true
}

// Cursor implements demotarget.Scene.
func (s *Scene) Cursor() *demotarget.Cursor {
	switch w := s.over(s.pointer); {
	case s.drag != nil:
		return demotarget.Move
	case s.grabbed != nil:
		return s.grabbed.body.cursor(s.pointer.Sub(s.grabbed.content().Min))
	case w != nil && s.pointer.In(w.content()):
		return w.body.cursor(s.pointer.Sub(w.content().Min))
	}
	return demotarget.Arrow
}

// focused returns the window that has the keys.
func (s *Scene) focused() *window { return s.windows[len(s.windows)-1] }

// over returns the window at a place, or nil.
func (s *Scene) over(at image.Point) *window {
	if at.In(s.panel.bounds()) {
		return nil
	}
	for _, w := range slices.Backward(s.windows) {
		if at.In(w.frame()) {
			return w
		}
	}
	return nil
}

// raise puts a window on top and gives it the keys.
func (s *Scene) raise(w *window) {
	before := s.focused()
	if w == before {
		return
	}
	s.windows = append(slices.DeleteFunc(s.windows, func(o *window) bool { return o == w }), w)
	s.damage(before.frame())
	s.damage(w.reach())
}

// damage has a part of the picture painted again.
func (s *Scene) damage(r image.Rectangle) {
	if r = r.Intersect(image.Rectangle{Max: s.size}); r.Empty() {
		return
	}
	for _, c := range s.pending {
		if !c.Moved && r.In(c.Rect) {
			return
		}
	}
	s.pending = append(s.pending, demotarget.Change{Rect: r})
}

// scroll moves the pixels of r, which window w shows, up by dy and has the rest of r painted. Where something
// else covers them or they are yet to be painted, all of r is painted instead.
func (s *Scene) scroll(w *window, r image.Rectangle, dy int) {
	to, from := r, r.Min
	if dy > 0 {
		to.Max.Y -= dy
		from.Y += dy
	} else {
		to.Min.Y -= dy
	}
	whole := !to.Empty() && r.In(image.Rectangle{Min: image.Pt(0, panelHeight), Max: s.size})
	for _, above := range s.windows[slices.Index(s.windows, w)+1:] {
		whole = whole && !r.Overlaps(above.reach())
	}
	for _, c := range s.pending {
		whole = whole && !r.Overlaps(c.Rect)
	}
	if !whole {
		s.damage(r)
		return
	}
	s.pending = append(s.pending, demotarget.Change{Rect: to, Moved: true, From: from})
	if dy > 0 {
		r.Min.Y = to.Max.Y
	} else {
		r.Max.Y = to.Min.Y
	}
	s.damage(r)
}

// Paint implements demotarget.Scene.
func (s *Scene) Paint(dst *image.RGBA, changed func(demotarget.Change)) {
	for _, c := range s.pending {
		if c.Moved {
			draw.Draw(dst, c.Rect, dst, c.From, draw.Src)
		} else {
			s.paint(canvas{dst: dst.SubImage(c.Rect).(*image.RGBA)})
		}
		changed(c)
	}
	s.pending = s.pending[:0]
}

func (s *Scene) paint(c canvas) {
	draw.Draw(c.dst, c.dst.Rect, s.wallpaper, c.dst.Rect.Min, draw.Src)
	for _, w := range s.windows {
		w.paint(c, w == s.focused())
	}
	s.panel.paint(c)
}
