package screen

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// path draws shapes with smooth edges.
type path struct {
	dst *image.RGBA
	r   *vector.Rasterizer
	at  image.Rectangle
}

// shape begins a shape within a rectangle.
func shape(dst *image.RGBA, within image.Rectangle) path {
	return path{dst, vector.NewRasterizer(within.Dx(), within.Dy()), within}
}

func (p path) fill(c color.Color) {
	if p.at.In(p.dst.Bounds()) {
		p.r.Draw(p.dst, p.at, image.NewUniform(c), image.Point{})
		return
	}
	// The rasterizer does not clip: a window smaller than the shape.
	mask := image.NewAlpha(image.Rectangle{Max: p.at.Size()})
	p.r.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	draw.DrawMask(p.dst, p.at, image.NewUniform(c), image.Point{}, mask, image.Point{}, draw.Over)
}

// curve is how far the handles of a quarter circle reach.
const curve = 0.5523

// round adds a rectangle with round corners, from (x0, y0) to (x1, y1) in pixels within the shape; backwards makes a hole.
func (p path) round(x0, y0, x1, y1, radius float64, backwards bool) {
	r := min(radius, (x1-x0)/2, (y1-y0)/2)
	k := r * (1 - curve)
	type pt struct{ x, y float64 }
	pts := []pt{ // corner by corner: end of the edge, two handles, begin of the next
		{x0 + r, y0},
		{x1 - r, y0},
		{x1 - k, y0},
		{x1, y0 + k},
		{x1, y0 + r},
		{x1, y1 - r},
		{x1, y1 - k},
		{x1 - k, y1},
		{x1 - r, y1},
		{x0 + r, y1},
		{x0 + k, y1},
		{x0, y1 - k},
		{x0, y1 - r},
		{x0, y0 + r},
		{x0, y0 + k},
		{x0 + k, y0},
		{x0 + r, y0},
	}
	if backwards {
		for i, j := 0, len(pts)-1; i < j; i, j = i+1, j-1 {
			pts[i], pts[j] = pts[j], pts[i]
		}
	}
	f := func(v float64) float32 { return float32(v) }
	p.r.MoveTo(f(pts[0].x), f(pts[0].y))
	if backwards {
		for i := 1; i < len(pts); i += 4 {
			p.r.CubeTo(f(pts[i].x), f(pts[i].y), f(pts[i+1].x), f(pts[i+1].y), f(pts[i+2].x), f(pts[i+2].y))
			p.r.LineTo(f(pts[i+3].x), f(pts[i+3].y))
		}
	} else {
		for i := 1; i < len(pts); i += 4 {
			p.r.LineTo(f(pts[i].x), f(pts[i].y))
			p.r.CubeTo(f(pts[i+1].x), f(pts[i+1].y), f(pts[i+2].x), f(pts[i+2].y), f(pts[i+3].x), f(pts[i+3].y))
		}
	}
	p.r.ClosePath()
}

// box fills a rectangle with round corners, and draws its border inside.
func box(dst *image.RGBA, r image.Rectangle, radius, border float64, inside, edge color.Color) {
	w, h := float64(r.Dx()), float64(r.Dy())
	if border > 0 {
		outer := shape(dst, r)
		outer.round(0, 0, w, h, radius, false)
		outer.fill(edge)
	}
	inner := shape(dst, r)
	inner.round(border, border, w-border, h-border, radius-border, false)
	inner.fill(inside)
}

// dot fills a circle.
func dot(dst *image.RGBA, x, y, radius float64, c color.Color) {
	r := image.Rect(int(x-radius)-1, int(y-radius)-1, int(x+radius)+2, int(y+radius)+2)
	p := shape(dst, r)
	x, y = x-float64(r.Min.X), y-float64(r.Min.Y)
	p.round(x-radius, y-radius, x+radius, y+radius, radius, false)
	p.fill(c)
}

// logo draws the mark, a pointer in a glass case on its plinth, size pixels a side.
func logo(dst *image.RGBA, at image.Point, size int) {
	r := image.Rectangle{Min: at, Max: at.Add(image.Pt(size, size))}
	s := float64(size) / 32
	// The case: the ring of two round rectangles, whose lower ends the plinth covers.
	glass := shape(dst, image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+int(math.Round(25*s))))
	glass.round(5.5*s, 2*s, 26.5*s, 36*s, 5.5*s, false)
	glass.round(7.5*s, 4*s, 24.5*s, 36*s, 3.5*s, true)
	glass.fill(accent)
	plinth := shape(dst, r)
	plinth.round(1.7*s, 26.7*s, 30.3*s, 29.3*s, 1.3*s, false)
	plinth.fill(accent)
	pointer := shape(dst, r)
	for i, q := range [][2]float64{{12.2, 9.4}, {12.2, 20.6}, {15.3, 17.8}, {17.2, 22}, {19.4, 21}, {17.5, 16.9}, {21.7, 16.9}} {
		if i == 0 {
			pointer.r.MoveTo(float32(q[0]*s), float32(q[1]*s))
		} else {
			pointer.r.LineTo(float32(q[0]*s), float32(q[1]*s))
		}
	}
	pointer.r.ClosePath()
	pointer.fill(ink)
}
