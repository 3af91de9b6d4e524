package rdpserver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"image"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

const (
	// pointerCache is how many shapes a client is asked to keep.
	pointerCache = 25
	// Sides of pointers in pixels, by what a client takes.
	smallPointer, largePointer = 32, 96
)

// pointer keeps a client's pointer in line with the desktop's.
type pointer struct {
	c    *Conn
	kick chan struct{} // capacity 1: the client was activated again

	mu    sync.Mutex
	slots [][sha256.Size]byte // the client's cache, by index
	next  int
}

func newPointer(c *Conn) *pointer { return &pointer{c: c, kick: make(chan struct{}, 1)} }

// forget is for a client that was activated again: its cache is empty.
func (p *pointer) forget() {
	p.mu.Lock()
	p.slots, p.next = nil, 0
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

func (p *pointer) run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	fb := p.c.desktop.Framebuffer
	defer fb.WatchCursor(changed)()
	for {
		if p.c.visible() && p.c.capabilities().fastPath {
			p.show(fb.Cursor())
		}
		select {
		case <-changed:
		case <-p.kick:
		case <-ctx.Done():
			return
		}
	}
}

// show tells the client of a shape.
func (p *pointer) show(cursor desktop.Cursor) {
	var u rdp.Update
	switch {
	case cursor.Hidden:
		u.Code = rdp.UpdatePointerHidden
	case cursor.Shape == nil || cursor.Shape.Bounds().Empty():
		u.Code = rdp.UpdatePointerDefault
	default:
		u = p.shape(cursor)
	}
	_ = p.c.out.Add(func(b []byte) []byte { return rdp.AppendUpdate(b, u) })
}

// shape is the update that shows a shape: all of it, or where the client has it.
func (p *pointer) shape(cursor desktop.Cursor) rdp.Update {
	caps := p.c.capabilities()
	side := smallPointer
	switch {
	case caps.hugePointer:
		side = rdp.MaxPointerSide
	case caps.largePointer:
		side = largePointer
	}
	shape, sum := pointerShape(cursor, side, caps.pointers > 0)
	code := rdp.UpdatePointerNew
	switch {
	case caps.pointers == 0:
		return rdp.Update{Code: rdp.UpdatePointerColor, Data: shape.Append(rdp.UpdatePointerColor, nil)}
	case shape.Width > largePointer || shape.Height > largePointer:
		code = rdp.UpdatePointerLarge
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.slots {
		if s == sum {
			return rdp.Update{Code: rdp.UpdatePointerCached, Data: binary.LittleEndian.AppendUint16(nil, uint16(i))}
		}
	}
	if len(p.slots) < caps.pointers {
		p.slots = append(p.slots, sum)
		shape.CacheIndex = len(p.slots) - 1
	} else {
		p.next = (p.next + 1) % len(p.slots)
		p.slots[p.next], shape.CacheIndex = sum, p.next
	}
	return rdp.Update{Code: code, Data: shape.Append(code, nil)}
}

// pointerShape is a shape as RDP has it, of at most side pixels each way: the part around the hotspot. With alpha it has 32 bits a
// pixel, without 24.
func pointerShape(cursor desktop.Cursor, side int, alpha bool) (rdp.PointerShape, [sha256.Size]byte) {
	bounds := cursor.Shape.Bounds()
	size := image.Pt(min(bounds.Dx(), side), min(bounds.Dy(), side))
	from := image.Pt(part(cursor.Hotspot.X, size.X, bounds.Dx()), part(cursor.Hotspot.Y, size.Y, bounds.Dy()))
	s := rdp.PointerShape{
		Width: size.X, Height: size.Y, BitsPerPixel: 24,
		Hotspot: image.Pt(max(0, min(cursor.Hotspot.X-from.X, size.X-1)), max(0, min(cursor.Hotspot.Y-from.Y, size.Y-1))),
	}
	bytes := 3
	if alpha {
		s.BitsPerPixel, bytes = 32, 4
	}
	xorStride, andStride := (size.X*bytes+1)/2*2, (size.X+15)/16*2
	s.XOR, s.AND = make([]byte, xorStride*size.Y), make([]byte, andStride*size.Y)
	for y := range size.Y {
		row := size.Y - 1 - y // bottom up
		for x := range size.X {
			c := cursor.Shape.NRGBAAt(bounds.Min.X+from.X+x, bounds.Min.Y+from.Y+y)
			if visible := c.A > 0 && (alpha || c.A >= 0x80); !visible {
				s.AND[row*andStride+x/8] |= 0x80 >> (x % 8)
				continue
			}
			px := s.XOR[row*xorStride+x*bytes:]
			px[0], px[1], px[2] = c.B, c.G, c.R
			if alpha {
				px[3] = c.A
			}
		}
	}
	h := sha256.New()
	h.Write(s.Append(rdp.UpdatePointerLarge, nil))
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return s, sum
}

// part is where a part of n of whole begins that has the place at in it.
func part(at, n, whole int) int { return max(0, min(at-n/2, whole-n)) }
