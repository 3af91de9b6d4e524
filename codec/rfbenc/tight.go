package rfbenc

import (
	"encoding/binary"
	"image"
)

// Compression control byte of a Tight rectangle, in the notation of rfbproto.
const (
	tightResetMask  = 0x0f // streams 0 to 3 begin anew
	tightFill       = 8    // high four bits
	tightJPEG       = 9
	tightMaxBasic   = 7
	tightFilterFlag = 4 // of the high four bits, for basic compression
	tightStreamMask = 3
)

// Filters of basic compression.
const (
	tightCopy     = 0
	tightPalette  = 1
	tightGradient = 2
)

// tightMinZlib is the size in bytes below which data is not compressed.
const tightMinZlib = 12

// Tight decodes the Tight encoding (rfbproto, "Tight Encoding"). The zero value is ready; its four zlib
// streams last as long as the connection, unless the server resets them.
type Tight struct {
	streams [4]*inflater // made when first used
	data    []byte

	// The rectangle being drawn.
	rect    image.Rectangle
	next    int // first row not drawn
	z       *inflater
	plain   []byte // uncompressed data, used when z is nil
	filter  uint8
	colours int
	palette [256]uint32
	pairs   [4]uint64
	above   []byte // previous row of the gradient filter: red, green, blue of every pixel
	err     error
	paint   func(pix []byte, stride int)
	fill    func(pix []byte, stride int)
	blit    func(pix []byte, stride int)
	picture image.Image
}

// Decode reads one rectangle from src and draws it.
func (d *Tight) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	if d.paint == nil {
		d.paint, d.fill, d.blit = d.drawRows, d.drawFill, d.drawJPEG
	}
	d.rect = r
	control, err := src.Uint8()
	if err != nil {
		return err
	}
	for i, z := range d.streams {
		if control>>i&1 != 0 && z != nil {
			z.reset()
		}
	}
	switch mode := control >> 4; {
	case mode <= tightMaxBasic:
		return d.basic(src, dst, mode)
	case mode == tightFill:
		if d.palette[0], err = tpixel(src); err != nil {
			return err
		}
		return dst.Draw(r, d.fill)
	case mode == tightJPEG:
		return d.jpeg(src, dst)
	}
	return dataError("tight: compression control %#02x", control)
}

func (d *Tight) drawFill(pix []byte, stride int) {
	fillRect(pix[d.rect.Min.Y*stride+d.rect.Min.X*bytesPerPixel:], stride, d.rect.Dx(), d.rect.Dy(), d.palette[0])
}

// tpixel reads a pixel of three bytes, red first.
func tpixel(src *Reader) (uint32, error) {
	p, err := src.Next(3)
	if err != nil {
		return 0, err
	}
	return uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2]), nil
}

// compactLength reads a length of one to three bytes, at most 4,194,303.
func compactLength(src *Reader) (int, error) {
	n := 0
	for shift := 0; shift <= 14; shift += 7 {
		v, err := src.Uint8()
		if err != nil {
			return 0, err
		}
		if shift == 14 {
			return n | int(v)<<shift, nil
		}
		n |= int(v&0x7f) << shift
		if v&0x80 == 0 {
			break
		}
	}
	return n, nil
}

// basic decodes a rectangle of basic compression: a filter over data that is compressed unless it is tiny.
func (d *Tight) basic(src *Reader, dst Canvas, mode uint8) error {
	d.filter = tightCopy
	if mode&tightFilterFlag != 0 {
		f, err := src.Uint8()
		if err != nil {
			return err
		}
		d.filter = f
	}
	switch d.filter {
	case tightCopy, tightGradient:
	case tightPalette:
		if err := d.readPalette(src); err != nil {
			return err
		}
	default:
		return dataError("tight: filter %d", d.filter)
	}
	w, h := d.rect.Dx(), d.rect.Dy()
	size := d.rowBytes() * h
	d.z = nil
	switch {
	case size == 0:
		return nil
	case size < tightMinZlib:
		p, err := src.Next(size)
		if err != nil {
			return err
		}
		d.plain = p
	default:
		n, err := compactLength(src)
		if err != nil {
			return err
		}
		d.data = grow(d.data, n)
		if err := src.ReadFull(d.data); err != nil {
			return err
		}
		s := mode & tightStreamMask
		if d.streams[s] == nil {
			d.streams[s] = new(inflater)
		}
		d.z = d.streams[s]
		d.z.begin(d.data)
	}
	if d.filter == tightGradient {
		d.above = grow(d.above, w*3)
		clear(d.above)
	}
	whole := d.rect
	for d.next = whole.Min.Y; d.next < whole.Max.Y; {
		d.rect = image.Rect(whole.Min.X, d.next, whole.Max.X, min(d.next+bandRows, whole.Max.Y))
		d.err = nil
		if err := dst.Draw(d.rect, d.paint); err != nil {
			return err
		}
		if d.err != nil {
			return d.err
		}
	}
	if d.z != nil {
		return d.z.end()
	}
	return nil
}

func (d *Tight) readPalette(src *Reader) error {
	n, err := src.Uint8()
	if err != nil {
		return err
	}
	if n == 0 {
		return dataError("tight: palette of one colour") // is a fill; decoders disagree on the index size
	}
	d.colours = int(n) + 1
	p, err := src.Next(d.colours * 3)
	if err != nil {
		return err
	}
	for i := range d.colours {
		d.palette[i] = uint32(p[i*3])<<16 | uint32(p[i*3+1])<<8 | uint32(p[i*3+2])
	}
	return nil
}

// rowBytes returns the size of a row of filtered data.
func (d *Tight) rowBytes() int {
	w := d.rect.Dx()
	switch {
	case d.filter != tightPalette:
		return w * 3
	case d.colours == 2:
		return (w + 7) / 8
	}
	return w
}

// drawRows draws the rows of the present band.
func (d *Tight) drawRows(pix []byte, stride int) {
	size := d.rowBytes()
	for d.next < d.rect.Max.Y {
		b := d.plain
		if d.z != nil {
			var err error
			if b, err = d.z.peek(size); err != nil {
				d.err = err
				return
			}
		}
		rows := min(len(b)/size, d.rect.Max.Y-d.next)
		if rows == 0 {
			d.err = dataError("tight: data ends %d rows before the rectangle", d.rect.Max.Y-d.next)
			return
		}
		if d.err = d.filterRows(b[:rows*size], pix[d.next*stride+d.rect.Min.X*bytesPerPixel:], stride, rows); d.err != nil {
			return
		}
		d.next += rows
		if d.z != nil {
			d.z.advance(rows * size)
		} else {
			d.plain = d.plain[rows*size:]
		}
	}
}

// filterRows writes rows of filtered data b to pix.
func (d *Tight) filterRows(b, pix []byte, stride, rows int) error {
	w := d.rect.Dx()
	switch {
	case d.filter == tightPalette && d.colours == 2:
		_, err := packedPairs(b, pix, stride, w, rows, &d.pairs, d.palette[0], d.palette[1])
		return err
	case d.filter == tightPalette:
		return d.indexed(b, pix, stride, rows)
	case d.filter == tightGradient:
		for y := range rows {
			d.gradientRow(pix[y*stride:][:w*bytesPerPixel], b[y*w*3:][:w*3])
		}
	default:
		for y := range rows {
			unpackRGB(pix[y*stride:][:w*bytesPerPixel], b[y*w*3:][:w*3])
		}
	}
	return nil
}

func (d *Tight) indexed(b, pix []byte, stride, rows int) error {
	w := d.rect.Dx()
	for y := range rows {
		row := pix[y*stride:][:w*bytesPerPixel]
		highest := byte(0)
		for _, i := range b[y*w:][:w] {
			highest = max(highest, i)
			binary.LittleEndian.PutUint32(row, d.palette[i])
			row = row[4:]
		}
		if int(highest) >= d.colours {
			return dataError("tight: palette index %d of %d", highest, d.colours)
		}
	}
	return nil
}

// gradientRow adds the prediction, left plus above less above left, to each component of src.
func (d *Tight) gradientRow(row, src []byte) {
	var left, corner [3]int
	for i := 0; i+3 <= len(src); i += 3 {
		for c := range 3 {
			up := int(d.above[i+c])
			v := int(src[i+c]+byte(min(max(left[c]+up-corner[c], 0), 255))) & 255
			corner[c], left[c] = up, v
			d.above[i+c] = byte(v)
		}
		out := row[i/3*4:][:4]
		out[0], out[1], out[2], out[3] = byte(left[2]), byte(left[1]), byte(left[0]), 0
	}
}
