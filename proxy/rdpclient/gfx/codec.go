package gfx

import (
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/codec/remotefx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// wireToSurface1 draws a bitmap on a surface.
func (c *Compositor) wireToSurface1(body []byte) error {
	const command = "WireToSurface1"
	var m egfx.WireToSurface1
	if err := m.Decode(body); err != nil {
		return failed(command, err)
	}
	s, err := c.find(command, m.SurfaceID)
	if err != nil {
		return err
	}
	r := m.DestRect.Rectangle()
	if err := s.within(command, r); err != nil {
		return err
	}
	if r.Empty() && m.Codec != egfx.CodecClearCodec { // which counts its bitmaps and fills its caches
		return nil
	}
	if err := c.paint(r.Dx() * r.Dy()); err != nil {
		return err
	}
	dst := s.part(r)
	switch m.Codec {
	case egfx.CodecUncompressed:
		err = uncompressed(dst, m.Data)
	case egfx.CodecPlanar:
		err = c.bitmap.Planar(dst, rdpbitmap.Bitmap{Width: dst.Width, Height: dst.Height, Data: m.Data})
	case egfx.CodecClearCodec:
		err = c.clear.Decode(dst, m.Data)
	case egfx.CodecCAVideo:
		return c.caVideo(s, r, m.Data)
	case egfx.CodecAlpha: // the opacity of a surface, which an output does not show
		return nil
	default:
		return unknownCodec(m.Codec)
	}
	if err != nil {
		return failed(command, err)
	}
	s.changed(r)
	return nil
}

// caVideo draws a RemoteFX message, whose rectangles are relative to r and stay within it.
func (c *Compositor) caVideo(s *surface, r image.Rectangle, data []byte) error {
	updated, err := c.remotefx.Decode(data, s.part(r), image.Point{})
	if err != nil {
		return failed("WireToSurface1", err)
	}
	for _, u := range updated {
		s.changed(u.Add(r.Min).Intersect(r))
	}
	return nil
}

// wireToSurface2 draws a part of a picture that is sent progressively. Contexts are not told apart: the tiles of a surface
// belong to all of them.
func (c *Compositor) wireToSurface2(body []byte) error {
	const command = "WireToSurface2"
	var m egfx.WireToSurface2
	if err := m.Decode(body); err != nil {
		return failed(command, err)
	}
	s, err := c.find(command, m.SurfaceID)
	if err != nil {
		return err
	}
	if m.Codec != egfx.CodecCAProgressive {
		return unknownCodec(m.Codec)
	}
	if s.progressive == nil {
		pixels := s.pic.Width * s.pic.Height
		for _, o := range c.order {
			if o.progressive != nil {
				pixels += o.pic.Width * o.pic.Height
			}
		}
		if pixels > maxProgressivePixels {
			return protocolError("%s: surfaces of %d pixels exceed %d", command, pixels, maxProgressivePixels)
		}
		s.progressive = new(remotefx.Progressive)
	}
	updated, err := s.progressive.Decode(c.frame, m.Data, s.pic)
	if err != nil {
		return failed(command, err)
	}
	for _, u := range updated {
		u = u.Intersect(s.bounds())
		if err := c.paint(u.Dx() * u.Dy()); err != nil {
			return err
		}
		s.changed(u)
	}
	return nil
}

// unknownCodec words the refusal of a codec.
func unknownCodec(codec egfx.Codec) error {
	switch codec {
	case egfx.CodecAVC420, egfx.CodecAVC444, egfx.CodecAVC444v2:
		return protocolError("the target sends H.264 (codec %#x), which was not offered", uint16(codec))
	}
	return protocolError("unknown codec %#x", uint16(codec))
}

// uncompressed draws pixels as they are, the top row first.
func uncompressed(dst pixel.BGRX, data []byte) error {
	row := dst.Width * desktop.BytesPerPixel
	if len(data) != row*dst.Height {
		return fmt.Errorf("%d bytes uncompressed for %d×%d pixels", len(data), dst.Width, dst.Height)
	}
	for y := range dst.Height {
		copy(dst.Row(y), data[y*row:])
	}
	return nil
}
