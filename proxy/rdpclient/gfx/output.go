package gfx

import (
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// show copies what changed on mapped surfaces to the framebuffer ([MS-RDPEGFX] 3.3.5.12).
func (c *Compositor) show() error {
	shown := false
	size := c.cfg.Framebuffer.Size()
	for _, s := range c.order {
		if !s.dirty {
			continue
		}
		c.blocks.reset()
		s.damage.Runs(c.blocks.run)
		s.damage.Clear()
		s.dirty, shown = false, true
		for _, b := range c.blocks.rects {
			r := image.Rectangle{Min: b.Min.Mul(desktop.BlockSize), Max: b.Max.Mul(desktop.BlockSize)}
			r = r.Sub(s.shift).Intersect(s.bounds())
			if err := c.showPart(s, r, image.Rectangle{Max: size}); err != nil {
				return err
			}
		}
	}
	if shown {
		c.cfg.Framebuffer.Commit()
	}
	return nil
}

// showPart copies a part of a surface to where it belongs in an output.
func (c *Compositor) showPart(s *surface, r, output image.Rectangle) error {
	out := r
	if s.scaled() {
		out = s.scaledRect(r)
	}
	out = out.Add(s.origin).Intersect(output)
	if out.Empty() {
		return nil
	}
	if err := c.paint(out.Dx() * out.Dy()); err != nil {
		return err
	}
	err := c.cfg.Framebuffer.Draw(out, func(pix []byte, stride int) {
		start := out.Min.Y*stride + out.Min.X*desktop.BytesPerPixel
		dst := pixel.BGRX{Pix: pix[start:], Stride: stride, Width: out.Dx(), Height: out.Dy()}
		if s.scaled() {
			c.drawScaled(dst, s, out.Min.Sub(s.origin))
		} else {
			copyPixels(dst, s.part(out.Sub(s.origin)), false)
		}
	})
	if err != nil {
		return failed("drawing", err)
	}
	return nil
}

// A pixel of a scaled surface is that of the surface under its centre: pixel x of w comes from pixel
// ⌊(2x+1)·from / 2w⌋ of from.

// scaledRect returns a rectangle of the scaled surface that holds every pixel which comes from r.
func (s *surface) scaledRect(r image.Rectangle) image.Rectangle {
	w, h := s.pic.Width, s.pic.Height
	return image.Rect(
		r.Min.X*s.target.X/w-1, r.Min.Y*s.target.Y/h-1,
		(r.Max.X*s.target.X+w-1)/w, (r.Max.Y*s.target.Y+h-1)/h,
	).Intersect(image.Rectangle{Max: s.target})
}

// drawScaled draws the part of the scaled surface that begins at from.
func (c *Compositor) drawScaled(dst pixel.BGRX, s *surface, from image.Point) {
	c.column = c.column[:0]
	for x := range dst.Width {
		c.column = append(c.column, (2*(from.X+x)+1)*s.pic.Width/(2*s.target.X)*desktop.BytesPerPixel)
	}
	for y := range dst.Height {
		src := s.pic.Row((2*(from.Y+y) + 1) * s.pic.Height / (2 * s.target.Y))
		row := dst.Row(y)
		for x, at := range c.column {
			copy(row[x*desktop.BytesPerPixel:][:desktop.BytesPerPixel], src[at:])
		}
	}
}

// coalescer joins runs of blocks, which come from top to bottom and left to right, into rectangles: a run goes on with the
// rectangle above it when both begin and end at the same places.
type coalescer struct {
	rects []image.Rectangle // in blocks
	row   int               // of the present runs
	here  []int             // rects that end below row
	above []int             // rects that end above row
	at    int               // in above: those before lie to the left of the present run
}

func (c *coalescer) reset() {
	c.rects, c.here, c.above, c.row, c.at = c.rects[:0], c.here[:0], c.above[:0], -1, 0
}

func (c *coalescer) run(y, x0, x1 int) {
	if y != c.row {
		c.above, c.here = c.here, c.above[:0]
		if y != c.row+1 {
			c.above = c.above[:0]
		}
		c.row, c.at = y, 0
	}
	for c.at < len(c.above) && c.rects[c.above[c.at]].Min.X < x0 {
		c.at++
	}
	if c.at < len(c.above) {
		i := c.above[c.at]
		if r := &c.rects[i]; r.Min.X == x0 && r.Max.X == x1 {
			r.Max.Y = y + 1
			c.here = append(c.here, i)
			return
		}
	}
	c.rects = append(c.rects, image.Rect(x0, y, x1, y+1))
	c.here = append(c.here, len(c.rects)-1)
}
