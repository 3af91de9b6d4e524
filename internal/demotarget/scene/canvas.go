package scene

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// canvas is a clipped part of a picture with its own origin. Everything drawn depends on the place alone and
// not on the clip, so that a repainted part looks as if all had been repainted.
type canvas struct {
	dst    *image.RGBA // its Rect is the clip
	origin image.Point
}

// within returns the canvas of a part, whose corner is the new origin.
func (c canvas) within(r image.Rectangle) canvas {
	r = r.Add(c.origin)
	return canvas{c.dst.SubImage(r).(*image.RGBA), r.Min}
}

// clipped tells whether nothing of a rectangle can be drawn.
func (c canvas) clipped(r image.Rectangle) bool {
	return !r.Add(c.origin).Overlaps(c.dst.Rect)
}

// fill paints a rectangle in an opaque colour.
func (c canvas) fill(r image.Rectangle, col color.RGBA) {
	draw.Draw(c.dst, r.Add(c.origin), image.NewUniform(col), image.Point{}, draw.Src)
}

// shade mixes a colour, which is not premultiplied, into the pixels of a rectangle; cover says for the middle
// of a pixel how much of it, from 0 to 1.
func (c canvas) shade(bounds image.Rectangle, col color.RGBA, cover func(x, y float64) float64) {
	r := bounds.Add(c.origin).Intersect(c.dst.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			part := cover(float64(x-c.origin.X)+0.5, float64(y-c.origin.Y)+0.5)
			a := uint32(part*float64(col.A) + 0.5)
			if a == 0 {
				continue
			}
			p := c.dst.Pix[c.dst.PixOffset(x, y):][:3:3]
			for i, v := range [3]uint8{col.R, col.G, col.B} {
				p[i] = uint8((uint32(p[i])*(255-a) + uint32(v)*a + 127) / 255)
			}
		}
	}
}

// distance is how far a place lies from a shape, in pixels, and negative inside.
type distance func(x, y float64) float64

// shape paints what of a shape lies within bounds, with smooth edges.
func (c canvas) shape(bounds image.Rectangle, col color.RGBA, d distance) {
	c.shade(bounds, col, func(x, y float64) float64 { return min(max(0.5-d(x, y), 0), 1) })
}

// round paints a rectangle with round corners in an opaque colour.
func (c canvas) round(r image.Rectangle, radius int, col color.RGBA) {
	top, bottom := r, r
	top.Max.Y, bottom.Min.Y = r.Min.Y+radius, r.Max.Y-radius
	shape := roundRect(r, float64(radius))
	c.shape(top, col, shape)
	c.shape(bottom, col, shape)
	c.fill(image.Rect(r.Min.X, top.Max.Y, r.Max.X, bottom.Min.Y), col)
}

// disc paints a circle.
func (c canvas) disc(centre image.Point, radius int, col color.RGBA) {
	r := image.Rectangle{centre, centre}.Inset(-radius)
	c.shape(r, col, roundRect(r, float64(radius)))
}

// shadow darkens the surroundings of a rectangle up to reach pixels away.
func (c canvas) shadow(r image.Rectangle, radius, reach int) {
	d := roundRect(r, float64(radius))
	around, inside := r.Inset(-reach), r.Inset(radius)
	for _, side := range [...]image.Rectangle{
		{around.Min, image.Pt(around.Max.X, inside.Min.Y)},
		{image.Pt(around.Min.X, inside.Max.Y), around.Max},
		{image.Pt(around.Min.X, inside.Min.Y), image.Pt(inside.Min.X, inside.Max.Y)},
		{image.Pt(inside.Max.X, inside.Min.Y), image.Pt(around.Max.X, inside.Max.Y)},
	} {
		c.shade(side, color.RGBA{A: 0x58}, func(x, y float64) float64 {
			fade := max(1-max(d(x, y), 0)/float64(reach), 0)
			return fade * fade
		})
	}
}

// roundRect is a rectangle with round corners.
func roundRect(r image.Rectangle, radius float64) distance {
	cx, cy := float64(r.Min.X+r.Max.X)/2, float64(r.Min.Y+r.Max.Y)/2
	w, h := float64(r.Dx())/2-radius, float64(r.Dy())/2-radius
	return func(x, y float64) float64 {
		dx, dy := math.Abs(x-cx)-w, math.Abs(y-cy)-h
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius
	}
}

// capsule is a line of some width with round ends.
func capsule(a, b image.Point, width float64) distance {
	ax, ay := float64(a.X)+0.5, float64(a.Y)+0.5
	bx, by := float64(b.X)+0.5-ax, float64(b.Y)+0.5-ay
	length := bx*bx + by*by
	return func(x, y float64) float64 {
		x, y = x-ax, y-ay
		t := 0.0
		if length > 0 {
			t = min(max((x*bx+y*by)/length, 0), 1)
		}
		return math.Hypot(x-t*bx, y-t*by) - width/2
	}
}
