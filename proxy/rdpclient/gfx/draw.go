package gfx

import (
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// solidFill fills rectangles of a surface. They are cut at its borders.
func (c *Compositor) solidFill(body []byte) error {
	m := &c.fill
	if err := m.Decode(body); err != nil {
		return failed("SolidFill", err)
	}
	s, err := c.find("SolidFill", m.SurfaceID)
	if err != nil {
		return err
	}
	colour := [desktop.BytesPerPixel]byte{m.Color.B, m.Color.G, m.Color.R, m.Color.XA}
	for _, rect := range m.Rects {
		r := rect.Rectangle().Intersect(s.bounds())
		if err := c.paint(r.Dx() * r.Dy()); err != nil {
			return err
		}
		fill(s.part(r), colour)
		s.changed(r)
	}
	return nil
}

// surfaceToSurface copies a rectangle to points of the same or another surface, one after the other: where a copy
// overlaps its source, the next one takes what is there then.
func (c *Compositor) surfaceToSurface(body []byte) error {
	const command = "SurfaceToSurface"
	m := &c.copy
	if err := m.Decode(body); err != nil {
		return failed(command, err)
	}
	src, err := c.find(command, m.Source)
	if err != nil {
		return err
	}
	dst, err := c.find(command, m.Dest)
	if err != nil {
		return err
	}
	r := m.Rect.Rectangle()
	if err := src.within(command, r); err != nil {
		return err
	}
	for _, p := range m.Points {
		if err := c.put(command, dst, p.Point(), src.part(r), src == dst && p.Point().Y > r.Min.Y); err != nil {
			return err
		}
	}
	return nil
}

// put copies a bitmap to a place of a surface, which has to hold all of it. upwards is for a bitmap from higher up in the
// same surface.
func (c *Compositor) put(command string, dst *surface, at image.Point, bitmap pixel.BGRX, upwards bool) error {
	r := image.Rect(0, 0, bitmap.Width, bitmap.Height).Add(at)
	if r.Empty() {
		return nil
	}
	if err := dst.within(command, r); err != nil {
		return err
	}
	if err := c.paint(r.Dx() * r.Dy()); err != nil {
		return err
	}
	copyPixels(dst.part(r), bitmap, upwards)
	dst.changed(r)
	return nil
}

// fill makes every pixel of p the same.
func fill(p pixel.BGRX, colour [desktop.BytesPerPixel]byte) {
	if p.Width == 0 || p.Height == 0 {
		return
	}
	first := p.Row(0)
	for n := copy(first, colour[:]); n < len(first); {
		n += copy(first[n:], first[:n])
	}
	for y := 1; y < p.Height; y++ {
		copy(p.Row(y), first)
	}
}

// copyPixels copies a picture of dst's size, its last row first if upwards. Rows may overlap.
func copyPixels(dst, src pixel.BGRX, upwards bool) {
	for i := range src.Height {
		y := i
		if upwards {
			y = src.Height - 1 - i
		}
		copy(dst.Row(y), src.Row(y))
	}
}
