package gfx

import (
	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
)

// cache is the bitmap cache ([MS-RDPEGFX] 3.3.1.4). The keys of its bitmaps mean something only to clients that keep
// them beyond the session.
type cache struct {
	slots    int // how many there may be
	maxBytes int
	bytes    int                   // of all bitmaps
	bitmaps  map[uint16]pixel.BGRX // by slot, which counts from 1; without gaps between rows
}

// room returns memory for a bitmap in slot, which holds none or an old one. It is the old one's where that fits well.
func (c *cache) room(slot uint16, width, height int) (pixel.BGRX, error) {
	n := width * height * desktop.BytesPerPixel
	old := cap(c.bitmaps[slot].Pix)
	if c.bytes-old+n > c.maxBytes {
		return pixel.BGRX{}, protocolError("SurfaceToCache: %d bytes on top of %d exceed %d", n, c.bytes-old, c.maxBytes)
	}
	pix := c.bitmaps[slot].Pix
	if c.evict(slot); old < n || old > 2*n {
		pix = make([]byte, n)
	}
	if c.bitmaps == nil {
		c.bitmaps = map[uint16]pixel.BGRX{}
	}
	p := pixel.BGRX{Pix: pix[:n], Stride: width * desktop.BytesPerPixel, Width: width, Height: height}
	c.bitmaps[slot] = p
	c.bytes += cap(pix)
	return p, nil
}

func (c *cache) evict(slot uint16) {
	c.bytes -= cap(c.bitmaps[slot].Pix)
	delete(c.bitmaps, slot)
}

func (c *Compositor) surfaceToCache(body []byte) error {
	const command = "SurfaceToCache"
	var m egfx.SurfaceToCache
	if err := m.Decode(body); err != nil {
		return failed(command, err)
	}
	s, err := c.find(command, m.SurfaceID)
	if err != nil {
		return err
	}
	r := m.Rect.Rectangle()
	if err := s.within(command, r); err != nil {
		return err
	}
	if m.Slot == 0 || int(m.Slot) > c.cache.slots {
		return protocolError("%s: slot %d of 1 to %d", command, m.Slot, c.cache.slots)
	}
	if err := c.paint(r.Dx() * r.Dy()); err != nil {
		return err
	}
	bitmap, err := c.cache.room(m.Slot, r.Dx(), r.Dy())
	if err != nil {
		return err
	}
	copyPixels(bitmap, s.part(r), false)
	return nil
}

func (c *Compositor) cacheToSurface(body []byte) error {
	const command = "CacheToSurface"
	m := &c.paste
	if err := m.Decode(body); err != nil {
		return failed(command, err)
	}
	s, err := c.find(command, m.SurfaceID)
	if err != nil {
		return err
	}
	bitmap, ok := c.cache.bitmaps[m.Slot]
	if !ok {
		return protocolError("%s: slot %d is empty", command, m.Slot)
	}
	for _, p := range m.Points {
		if err := c.put(command, s, p.Point(), bitmap, false); err != nil {
			return err
		}
	}
	return nil
}

func (c *Compositor) evictCacheEntry(body []byte) error {
	var m egfx.EvictCacheEntry
	if err := m.Decode(body); err != nil {
		return failed("EvictCacheEntry", err)
	}
	c.cache.evict(m.Slot)
	return nil
}
