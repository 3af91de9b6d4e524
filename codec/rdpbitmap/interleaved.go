package rdpbitmap

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// What an order of the RLE bitmap stream does with a run of pixels ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.4). "Above"
// is the pixel one row earlier in the data, black in the first row.
const (
	orderBackground  = iota // take above
	orderForeground         // take above, changed by the foreground colour (exclusive or)
	orderMask               // the one or the other, one bit each (foreground/background image)
	orderColour             // one colour
	orderPixels             // a colour each (colour image)
	orderDithered           // two colours in turn; the run counts pairs
	orderMaskSpecial        // orderMask of 8 pixels with a mask known beforehand
	orderPixel              // one pixel, white or black
)

// The order headers of the third form, one whole byte.
const (
	megaBackground    = 0xF0
	megaForeground    = 0xF1
	megaMask          = 0xF2
	megaColour        = 0xF3
	megaPixels        = 0xF4
	megaSetForeground = 0xF6
	megaSetMask       = 0xF7
	megaDithered      = 0xF8
	specialMask1      = 0xF9
	specialMask2      = 0xFA
	specialWhite      = 0xFD
	specialBlack      = 0xFE
	specialMask1Bits  = 0x03
	specialMask2Bits  = 0x05
	shortRunBits      = 0x1F // of a header of the first form: 3 bits order, 5 bits length
	liteRunBits       = 0x0F // of one of the second: 4 and 4
	lite              = 0xC0 // the first header of the second form
	liteSetForeground = 0xC
	liteSetMask       = 0xD
	liteDithered      = 0xE
	shortRunExtra     = 32 // added to the byte that follows when the length in the header is 0
	liteRunExtra      = 16
	maskRunExtra      = 1 // instead of the two above, with masks
	maskRunUnit       = 8 // pixels that a length in the header stands for, with masks
	white24           = 0xFFFFFF
	white8            = 0xFF
)

// Interleaved draws a bitmap in Interleaved RLE. Data that ends before the bitmap is full leaves the rest
// black, or the palette's first colour; data for more than the bitmap is malformed.
//
// Everything is done on BGRX, straight in the destination: an exclusive or of pixels of 15 or 16 bits is one
// of their expanded forms as well, and pixels of 8 bits stand as indices in the place of blue until the end.
func (d *Decoder) Interleaved(dst pixel.BGRX, b Bitmap) error {
	if draw, err := b.check(dst); !draw {
		return err
	}
	size, err := b.bytes(24)
	if err != nil {
		return err
	}
	for i := range d.spare {
		d.spare[i] = grow(d.spare[i], b.Width*bytesPerPixel)
	}
	c := canvas{dst: dst, b: b, spare: d.spare, left: b.Width * b.Height}
	c.cur = c.place(0)
	err = c.decode(b.Data, size)
	for c.left > 0 {
		p, _ := c.next(c.left)
		clear(p)
	}
	c.finish()
	if size == 1 {
		for y := range dst.Height {
			b.Palette.look(dst.Row(y))
		}
	}
	return err
}

// canvas hands out the pixels of a bitmap in the order of its data.
type canvas struct {
	dst   pixel.BGRX
	b     Bitmap
	spare [2][]byte

	i          int    // row in the order of the data
	cur, above []byte // that row, and the one before it in the data
	x          int    // bytes of cur done
	left       int    // pixels of the bitmap not done
}

// place returns where row i is drawn: in the destination when it fits there whole.
func (c *canvas) place(i int) []byte {
	if y := c.b.row(i); c.dst.Width == c.b.Width && y < c.dst.Height {
		return c.dst.Row(y)
	}
	return c.spare[i&1]
}

// finish brings the current row to where it is seen.
func (c *canvas) finish() {
	if y := c.b.row(c.i); c.dst.Width != c.b.Width && y < c.dst.Height {
		copy(c.dst.Row(y), c.cur)
	}
}

// next returns the next n pixels, at most c.left, or as many as there are in the row, and those above them;
// in the first row there are none above.
func (c *canvas) next(n int) (p, above []byte) {
	if c.x == len(c.cur) {
		c.finish()
		c.i++
		c.x, c.above, c.cur = 0, c.cur, c.place(c.i)
	}
	end := min(c.x+n*bytesPerPixel, len(c.cur))
	p = c.cur[c.x:end]
	if c.i > 0 {
		above = c.above[c.x:end]
	}
	c.x = end
	c.left -= len(p) / bytesPerPixel
	return p, above
}

// order is a parsed order header.
type order struct {
	kind   int
	run    int  // pixels, or pairs
	setsFg bool // a new foreground colour follows
	arg    byte // mask, or 1 for white
}

// parse reads an order header and returns what follows it.
func parse(src []byte) (o order, rest []byte, ok bool) {
	h := src[0]
	src = src[1:]
	extra := shortRunExtra
	switch {
	case h < lite:
		o.kind, o.run = int(h>>5), int(h&shortRunBits)
		if o.kind > orderPixels {
			return o, nil, false
		}
	case h < megaBackground:
		o.run, extra = int(h&liteRunBits), liteRunExtra
		switch h >> 4 {
		case liteSetForeground:
			o.kind, o.setsFg = orderForeground, true
		case liteSetMask:
			o.kind, o.setsFg = orderMask, true
		case liteDithered:
			o.kind = orderDithered
		}
	default:
		return parseMega(h, src)
	}
	if o.kind == orderMask {
		o.run, extra = o.run*maskRunUnit, maskRunExtra
	}
	if o.run == 0 {
		if len(src) < 1 {
			return o, nil, false
		}
		o.run, src = int(src[0])+extra, src[1:]
	}
	return o, src, true
}

func parseMega(h byte, src []byte) (o order, rest []byte, ok bool) {
	switch h {
	case megaBackground, megaForeground, megaMask, megaColour, megaPixels:
		o.kind = int(h - megaBackground)
	case megaSetForeground:
		o.kind, o.setsFg = orderForeground, true
	case megaSetMask:
		o.kind, o.setsFg = orderMask, true
	case megaDithered:
		o.kind = orderDithered
	case specialMask1:
		return order{kind: orderMaskSpecial, run: 8, arg: specialMask1Bits}, src, true
	case specialMask2:
		return order{kind: orderMaskSpecial, run: 8, arg: specialMask2Bits}, src, true
	case specialWhite:
		return order{kind: orderPixel, run: 1, arg: 1}, src, true
	case specialBlack:
		return order{kind: orderPixel, run: 1}, src, true
	default:
		return o, nil, false
	}
	if len(src) < 2 {
		return o, nil, false
	}
	o.run = int(binary.LittleEndian.Uint16(src))
	return o, src[2:], true
}

// value returns the pixel at the start of src as it stands in the canvas.
func (c *canvas) value(src []byte) uint32 {
	switch c.b.BitsPerPixel {
	case 8:
		return uint32(src[0])
	case 15:
		return expand15(uint32(binary.LittleEndian.Uint16(src)))
	case 16:
		return expand16(uint32(binary.LittleEndian.Uint16(src)))
	}
	return uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16
}

// decode carries out all orders of src. size is the bytes of a pixel.
func (c *canvas) decode(src []byte, size int) error {
	white := uint32(white24)
	if size == 1 {
		white = white8
	}
	fg := white
	first := true   // no row above: decided where an order starts, even when its run leaves the row
	insert := false // a background run right after another begins with a foreground pixel
	for total := len(src); len(src) > 0; {
		at := total - len(src)
		o, rest, ok := parse(src)
		if !ok {
			return dataError("interleaved: order %#x at byte %d of %d", src[0], at, total)
		}
		src = rest
		// What the order needs of src besides masks, and how many pixels it makes.
		n, need := o.run, 0
		switch o.kind {
		case orderColour:
			need = size
		case orderPixels:
			need = n * size
		case orderDithered:
			n, need = 2*n, 2*size
		case orderMask:
			need = (n + 7) / 8
		}
		if o.setsFg {
			need += size
		}
		if len(src) < need {
			return dataError("interleaved: order at byte %d wants %d bytes of %d", at, need, len(src))
		}
		if n > c.left {
			return dataError("interleaved: order at byte %d makes %d pixels of %d", at, n, c.left)
		}
		if o.setsFg {
			fg, src = c.value(src), src[size:]
			need -= size
		}
		if first && (c.i > 0 || c.x == len(c.cur)) {
			first, insert = false, false
		}
		switch o.kind {
		case orderBackground:
			if insert {
				if n == 0 {
					return dataError("interleaved: empty background run at byte %d after another", at)
				}
				c.foreground(1, fg, first)
				n--
			}
			c.background(n, first)
		case orderForeground:
			c.foreground(n, fg, first)
		case orderMask:
			c.masks(n, src, fg, first)
		case orderMaskSpecial:
			c.masks(n, []byte{o.arg}, fg, first)
		case orderColour:
			c.colour(n, c.value(src))
		case orderPixels:
			c.pixels(n, src, size)
		case orderDithered:
			c.dithered(n, c.value(src), c.value(src[size:]))
		case orderPixel:
			c.colour(1, white&-uint32(o.arg))
		}
		src = src[need:]
		insert = o.kind == orderBackground
	}
	return nil
}

func (c *canvas) background(n int, first bool) {
	for n > 0 {
		p, above := c.next(n)
		if first {
			clear(p)
		} else {
			copy(p, above)
		}
		n -= len(p) / bytesPerPixel
	}
}

func (c *canvas) foreground(n int, fg uint32, first bool) {
	for n > 0 {
		p, above := c.next(n)
		if first {
			fill(p, fg)
		} else {
			xor(p, above, fg)
		}
		n -= len(p) / bytesPerPixel
	}
}

func (c *canvas) colour(n int, v uint32) {
	for n > 0 {
		p, _ := c.next(n)
		fill(p, v)
		n -= len(p) / bytesPerPixel
	}
}

func (c *canvas) pixels(n int, src []byte, size int) {
	for n > 0 {
		p, _ := c.next(n)
		k := len(p) / bytesPerPixel
		toBGRX(p, src[:k*size], c.b.BitsPerPixel)
		src = src[k*size:]
		n -= k
	}
}

func (c *canvas) dithered(n int, v, w uint32) {
	for n > 0 {
		p, _ := c.next(n)
		k := len(p) / bytesPerPixel
		binary.LittleEndian.PutUint32(p, v)
		if k > 1 {
			binary.LittleEndian.PutUint32(p[4:], w)
			repeat(p, 8)
		}
		if k&1 != 0 {
			v, w = w, v
		}
		n -= k
	}
}

// masks draws n pixels by the bits of mask, the lowest bit of each byte first.
func (c *canvas) masks(n int, mask []byte, fg uint32, first bool) {
	bit := 0
	for n > 0 {
		p, above := c.next(n)
		k := len(p) / bytesPerPixel
		if first {
			clear(p)
			above = p
		}
		for x := 0; x < k; {
			m := uint32(mask[bit>>3]) >> (bit & 7)
			e := min(k-x, 8-bit&7)
			q, a := p[x*4:(x+e)*4], above[x*4:(x+e)*4]
			for len(q) >= 4 && len(a) >= 4 {
				binary.LittleEndian.PutUint32(q, binary.LittleEndian.Uint32(a)^fg&-(m&1))
				q, a, m = q[4:], a[4:], m>>1
			}
			x, bit = x+e, bit+e
		}
		n -= k
	}
}
