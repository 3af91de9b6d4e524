package scene

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/vitrine-psm/vitrine/internal/demotarget"
)

// sketch is a sheet to draw on: the left button draws, the right one erases.
type sketch struct {
	win   *window
	sheet *image.RGBA
	last  image.Point
}

const (
	penWidth    = 4
	eraserWidth = 24
)

func newSketch(size image.Point) *sketch {
	s := &sketch{sheet: image.NewRGBA(image.Rectangle{Max: size})}
	canvas{dst: s.sheet}.fill(s.sheet.Rect, paper)
	return s
}

func (s *sketch) paint(c canvas) {
	draw.Draw(c.dst, s.sheet.Rect.Add(c.origin), s.sheet, image.Point{}, draw.Src)
}

func (s *sketch) pointer(p pointerEvent) {
	if p.pressed&(leftButton|rightButton) != 0 {
		s.last = p.at
	}
	switch {
	case (p.held|p.pressed)&leftButton != 0:
		s.stroke(p.at, penWidth, accent)
	case (p.held|p.pressed)&rightButton != 0:
		s.stroke(p.at, eraserWidth, paper)
	}
}

// stroke draws a line from the last place to this one.
func (s *sketch) stroke(to image.Point, width int, col color.RGBA) {
	r := image.Rectangle{s.last, s.last.Add(image.Pt(1, 1))}.Union(image.Rectangle{to, to.Add(image.Pt(1, 1))}).Inset(-width/2 - 2)
	canvas{dst: s.sheet}.shape(r, col, capsule(s.last, to, float64(width)))
	s.last = to
	s.win.damage(r)
}

func (s *sketch) key(keyEvent) {}

func (s *sketch) cursor(image.Point) *demotarget.Cursor { return demotarget.Cross }
