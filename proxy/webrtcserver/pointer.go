package webrtcserver

import (
	"image"
	"math"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// scale returns the pixel of a desktop of the given size that lies where p lies in the desktop the browser was
// showing, clamped into the picture. p has passed check.
func (p *place) scale(size image.Point) image.Point {
	return image.Pt(scaleAxis(p.X, p.W, size.X), scaleAxis(p.Y, p.H, size.Y))
}

func scaleAxis(x float64, from, to int) int {
	if from != to {
		x = x * float64(to) / float64(from)
	}
	return max(0, min(int(math.Floor(x)), to-1))
}

// notches turns a browser's wheel distance into whole notches within the cap.
func notches(d float64) int {
	return int(math.Round(max(-desktop.MaxWheelNotches, min(d, desktop.MaxWheelNotches))))
}
