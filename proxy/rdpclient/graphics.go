package rdpclient

import (
	"errors"
	"fmt"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
	"github.com/vitrine-psm/vitrine/codec/remotefx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// screen draws what does not come through the graphics pipeline.
type screen struct {
	s       *session
	size    image.Point
	bitmap  rdpbitmap.Decoder
	fx      remotefx.Decoder
	palette rdp.Palette
}

// reset is called with each activation.
func (c *screen) reset(size image.Point) {
	c.size = size
	c.fx = remotefx.Decoder{}
}

// slowUpdate takes a slow-path graphics update.
func (s *session) slowUpdate(b []byte) error {
	kind, err := rdp.DecodeGraphics(b)
	if err != nil {
		return err
	}
	switch kind {
	case rdp.GraphicsBitmap:
		return s.update(rdp.Update{Code: rdp.UpdateBitmap, Data: b})
	case rdp.GraphicsPalette:
		return s.update(rdp.Update{Code: rdp.UpdatePalette, Data: b})
	case rdp.GraphicsSynchronize:
		return nil
	case rdp.GraphicsOrders:
		return s.update(rdp.Update{Code: rdp.UpdateOrders, Data: b})
	}
	return protocolError("graphics update of type %d", kind)
}

// update takes an update of either path.
func (s *session) update(u rdp.Update) error {
	switch u.Code {
	case rdp.UpdateBitmap:
		return rdp.DecodeBitmaps(u.Data, s.screen.drawBitmap)
	case rdp.UpdatePalette:
		return s.screen.palette.Decode(u.Data)
	case rdp.UpdateSurfaceCommands:
		return rdp.DecodeSurfaceCommands(u.Data, &s.screen)
	case rdp.UpdateSynchronize:
		return nil
	case rdp.UpdateOrders:
		return protocolError("drawing orders, which were not offered")
	}
	return s.pointer(u)
}

// visible cuts a rectangle at the desktop's right and lower border. Servers send pictures that reach over it, and while
// the size changes such of the old size; ok is unset when nothing is left.
func (c *screen) visible(r image.Rectangle) (v image.Rectangle, ok bool) {
	v = r.Intersect(image.Rectangle{Max: c.size})
	return v, !v.Empty()
}

// draw lets fn decode into the visible part of dest.
func (c *screen) draw(dest image.Rectangle, fn func(dst pixel.BGRX) error) error {
	var failed error
	err := c.s.fb.Draw(dest, func(pix []byte, stride int) {
		failed = fn(picture(pix, stride).Sub(dest.Min.X, dest.Min.Y, dest.Dx(), dest.Dy()))
	})
	c.s.drew()
	return pictureError(errors.Join(err, failed))
}

// picture is the whole framebuffer as decoders take it.
func picture(pix []byte, stride int) pixel.BGRX {
	return pixel.BGRX{Pix: pix, Stride: stride, Width: stride / desktop.BytesPerPixel, Height: len(pix) / stride}
}

// pictureError is an error of a decoder, or nil.
func pictureError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("rdpclient: picture of the target: %w: %w", err, desktop.ErrProtocol)
}

// drawBitmap draws a rectangle of a bitmap update, whose rows come bottom to top.
func (c *screen) drawBitmap(m rdp.Bitmap) error {
	if m.Width > m.Dest.Dx()+maxBitmapPadding || m.Height > m.Dest.Dy()+maxBitmapPadding {
		return protocolError("bitmap of %d×%d pixels for a rectangle of %d×%d", m.Width, m.Height, m.Dest.Dx(), m.Dest.Dy())
	}
	dest, ok := c.visible(m.Dest)
	if !ok {
		return nil
	}
	b := rdpbitmap.Bitmap{
		Width: m.Width, Height: m.Height, BitsPerPixel: m.BitsPerPixel, BottomUp: true,
		Palette: (*rdpbitmap.Palette)(&c.palette), Data: m.Data,
	}
	return c.draw(dest, func(dst pixel.BGRX) error {
		switch {
		case !m.Compressed:
			return c.bitmap.Raw(dst, b)
		case m.BitsPerPixel == 32:
			return c.bitmap.Planar(dst, b)
		}
		return c.bitmap.Interleaved(dst, b)
	})
}

// offered reports whether the target may use a codec of surface commands.
func (c *screen) offered(codec uint8) bool {
	switch codec {
	case codecNone:
		return true
	case codecNSCodec:
		return c.s.cfg.Graphics&GraphicsNSCodec != 0
	case codecRemoteFX:
		return c.s.cfg.Graphics&GraphicsRemoteFX != 0
	}
	return false
}

// SurfaceBits implements rdp.SurfaceHandler.
func (c *screen) SurfaceBits(m rdp.SurfaceBits) error {
	switch {
	case !c.offered(m.CodecID):
		return protocolError("surface bits with codec %d, which was not offered", m.CodecID)
	case m.CodecID == codecRemoteFX:
		return c.remoteFX(&m)
	}
	dest, ok := c.visible(m.Dest)
	if !ok {
		return nil
	}
	b := rdpbitmap.Bitmap{
		Width: m.Width, Height: m.Height, BitsPerPixel: m.BitsPerPixel, BottomUp: true,
		Palette: (*rdpbitmap.Palette)(&c.palette), Data: m.Data,
	}
	return c.draw(dest, func(dst pixel.BGRX) error {
		if m.CodecID == codecNSCodec {
			return c.bitmap.NSCodec(dst, b)
		}
		return c.bitmap.Raw(dst, b)
	})
}

// remoteFX draws a RemoteFX message, which names the rectangles it changes itself.
func (c *screen) remoteFX(m *rdp.SurfaceBits) error {
	var failed error
	err := c.s.fb.DrawSome(image.Rectangle{Max: c.size}, func(pix []byte, stride int) (changed []image.Rectangle) {
		changed, failed = c.fx.Decode(m.Data, picture(pix, stride), m.Dest.Min)
		return changed
	})
	c.s.drew()
	return pictureError(errors.Join(err, failed))
}

// FrameMarker implements rdp.SurfaceHandler. A frame is acknowledged once it is drawn.
func (c *screen) FrameMarker(m rdp.FrameMarker) error {
	if !m.End {
		return nil
	}
	c.s.commit()
	return c.s.sendData(rdp.DataFrameAcknowledge, func(b []byte) []byte { return rdp.AppendFrameAcknowledge(b, m.Frame) })
}
