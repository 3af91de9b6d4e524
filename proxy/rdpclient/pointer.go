package rdpclient

import (
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// pointers is the cache of pointer shapes ([MS-RDPBCGR] 3.2.1.11).
type pointers struct {
	entries [pointerCache]pointerEntry
	bytes   int // of all shapes
}

type pointerEntry struct {
	shape   *image.NRGBA
	hotspot image.Point
}

// pointer takes a pointer update.
func (s *session) pointer(u rdp.Update) error {
	switch u.Code {
	case rdp.UpdatePointerHidden:
		return s.fb.SetCursor(nil, image.Point{}, true)
	case rdp.UpdatePointerDefault:
		return s.fb.SetCursor(nil, image.Point{}, false)
	case rdp.UpdatePointerPosition:
		// Viewers keep their own pointer: a browser cannot move it.
		_, err := rdp.DecodePointerPosition(u.Data)
		return err
	case rdp.UpdatePointerCached:
		i, err := rdp.DecodePointerCached(u.Data)
		if err != nil {
			return err
		}
		if i >= pointerCache {
			return protocolError("pointer %d of a cache of %d", i, pointerCache)
		}
		return s.showPointer(s.pointers.entries[i])
	case rdp.UpdatePointerColor, rdp.UpdatePointerNew, rdp.UpdatePointerLarge:
		return s.newPointer(u)
	}
	return protocolError("update of code %d", u.Code)
}

func (s *session) newPointer(u rdp.Update) error {
	var p rdp.PointerShape
	if err := p.Decode(u.Code, u.Data); err != nil {
		return err
	}
	if p.CacheIndex >= pointerCache {
		return protocolError("pointer %d of a cache of %d", p.CacheIndex, pointerCache)
	}
	e := pointerEntry{hotspot: image.Pt(min(p.Hotspot.X, max(p.Width-1, 0)), min(p.Hotspot.Y, max(p.Height-1, 0)))}
	if p.Width > 0 && p.Height > 0 {
		e.shape = p.Image(&s.screen.palette)
	}
	s.pointers.put(p.CacheIndex, e)
	return s.showPointer(e)
}

// put keeps a shape. When all together are too large, the cache begins anew: a target that makes it so has little use for
// it.
func (p *pointers) put(i int, e pointerEntry) {
	size := func(e pointerEntry) int {
		if e.shape == nil {
			return 0
		}
		return len(e.shape.Pix)
	}
	p.bytes += size(e) - size(p.entries[i])
	if p.entries[i] = e; p.bytes > pointerCacheBytes {
		clear(p.entries[:])
		p.entries[i], p.bytes = e, size(e)
	}
}

// showPointer shows a shape; one of no size, or that was never sent, shows nothing.
func (s *session) showPointer(e pointerEntry) error {
	if e.shape == nil {
		return s.fb.SetCursor(nil, image.Point{}, true)
	}
	return s.fb.SetCursor(e.shape, e.hotspot, false)
}
