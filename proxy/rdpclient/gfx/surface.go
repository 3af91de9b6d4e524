package gfx

import (
	"image"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/remotefx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// surface is an offscreen surface ([MS-RDPEGFX] 3.3.1.6) and its place in the output (3.3.1.8).
type surface struct {
	id          uint16
	pic         pixel.BGRX
	progressive *remotefx.Progressive // nil until the codec is used

	mapped bool
	origin image.Point // in the output
	target image.Point // its size there
	drawn  bool        // since its creation: before, there is nothing to show
	dirty  bool        // mapped, drawn, and different from what was shown

	// damage is what is different. Its grid is that of the output, shift away from the surface's own, so that a block
	// of it is a block of the framebuffer's damage.
	damage desktop.Damage
	shift  image.Point
}

func (s *surface) bounds() image.Rectangle { return image.Rect(0, 0, s.pic.Width, s.pic.Height) }

// part returns the pixels of r, which lies within the surface.
func (s *surface) part(r image.Rectangle) pixel.BGRX {
	return s.pic.Sub(r.Min.X, r.Min.Y, r.Dx(), r.Dy())
}

// changed notes that r was drawn.
func (s *surface) changed(r image.Rectangle) {
	if r.Empty() {
		return
	}
	s.drawn = true
	if s.mapped {
		s.dirty = true
		s.damage.Add(r.Add(s.shift))
	}
}

// exposed makes all of the surface different from what was shown.
func (s *surface) exposed() {
	if s.mapped {
		s.dirty = s.drawn
		s.damage.Add(s.bounds().Add(s.shift))
	}
}

// find returns the surface id, for a command.
func (c *Compositor) find(command string, id uint16) (*surface, error) {
	if s := c.surfaces[id]; s != nil {
		return s, nil
	}
	return nil, protocolError("%s: there is no surface %d", command, id)
}

// within refuses a rectangle that leaves its surface.
func (s *surface) within(command string, r image.Rectangle) error {
	if r.Min.X < 0 || r.Min.Y < 0 || r.Max.X > s.pic.Width || r.Max.Y > s.pic.Height {
		return protocolError("%s: %v leaves surface %d of %d×%d pixels", command, r, s.id, s.pic.Width, s.pic.Height)
	}
	return nil
}

// createSurface makes a surface. It takes the place of one with the same number, should the server forget to delete that.
func (c *Compositor) createSurface(body []byte) error {
	var m egfx.CreateSurface
	if err := m.Decode(body); err != nil {
		return failed("CreateSurface", err)
	}
	c.remove(m.SurfaceID)
	width, height := int(m.Width), int(m.Height)
	switch {
	case width == 0 || height == 0 || width*height > desktop.MaxPixels:
		return protocolError("CreateSurface: %d×%d pixels, with at most %d", width, height, desktop.MaxPixels)
	case c.pixels+width*height > maxSurfacePixels:
		return protocolError("CreateSurface: %d×%d pixels on top of %d exceed %d", width, height, c.pixels, maxSurfacePixels)
	case len(c.surfaces) == maxSurfaces:
		return protocolError("CreateSurface: there are %d surfaces already", maxSurfaces)
	}
	if err := c.paint(width * height); err != nil {
		return err
	}
	s := &surface{id: m.SurfaceID, pic: pixel.NewBGRX(width, height)}
	c.surfaces[s.id] = s
	c.order = append(c.order, s)
	c.pixels += width * height
	return nil
}

// deleteSurface deletes a surface. What it showed stays in the picture until something else is drawn there.
func (c *Compositor) deleteSurface(body []byte) error {
	var m egfx.DeleteSurface
	if err := m.Decode(body); err != nil {
		return failed("DeleteSurface", err)
	}
	c.remove(m.SurfaceID)
	return nil
}

func (c *Compositor) remove(id uint16) {
	s := c.surfaces[id]
	if s == nil {
		return
	}
	delete(c.surfaces, id)
	c.order = slices.DeleteFunc(c.order, func(o *surface) bool { return o == s })
	c.pixels -= s.pic.Width * s.pic.Height
}

func (c *Compositor) mapSurface(body []byte) error {
	var m egfx.MapSurfaceToOutput
	if err := m.Decode(body); err != nil {
		return failed("MapSurfaceToOutput", err)
	}
	s, err := c.find("MapSurfaceToOutput", m.SurfaceID)
	if err != nil {
		return err
	}
	s.mapTo(m.X, m.Y, s.bounds().Max)
	return nil
}

func (c *Compositor) mapScaledSurface(body []byte) error {
	var m egfx.MapSurfaceToScaledOutput
	if err := m.Decode(body); err != nil {
		return failed("MapSurfaceToScaledOutput", err)
	}
	s, err := c.find("MapSurfaceToScaledOutput", m.SurfaceID)
	if err != nil {
		return err
	}
	if m.TargetWidth == 0 || m.TargetHeight == 0 || m.TargetWidth > maxTargetSide || m.TargetHeight > maxTargetSide {
		return protocolError("MapSurfaceToScaledOutput: to %d×%d pixels, need 1 to %d", m.TargetWidth, m.TargetHeight, maxTargetSide)
	}
	s.mapTo(m.X, m.Y, image.Pt(int(m.TargetWidth), int(m.TargetHeight)))
	return nil
}

// mapTo gives the surface a place in the output. It may lie outside in part or as a whole.
func (s *surface) mapTo(x, y uint32, target image.Point) {
	s.mapped = true
	s.origin = image.Pt(int(min(x, maxTargetSide)), int(min(y, maxTargetSide)))
	s.target = target
	s.shift = image.Point{}
	if !s.scaled() {
		s.shift = image.Pt(s.origin.X%desktop.BlockSize, s.origin.Y%desktop.BlockSize)
	}
	s.damage.Reset(s.bounds().Max.Add(s.shift))
	s.exposed()
}

// scaled tells whether the surface has another size in the output than in memory.
func (s *surface) scaled() bool { return s.target != s.bounds().Max }
