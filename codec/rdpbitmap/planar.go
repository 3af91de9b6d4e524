package rdpbitmap

import "github.com/vitrine-psm/vitrine/codec/pixel"

// The format header of an RDP 6.0 bitmap stream ([MS-RDPEGDI] 2.2.2.5.1).
const (
	planarLossMask   = 0x07 // colour loss level; 0: planes of red, green and blue, else of luma and chroma
	planarSubsampled = 0x08 // chroma planes of half the width and height
	planarRLE        = 0x10
	planarNoAlpha    = 0x20
)

// planarStep is, for each control byte of an RLE plane ([MS-RDPEGDI] 3.1.9.2), how many raw bytes follow it
// and how many pixels it makes.
var planarStep = func() (t [256]struct{ raw, pixels uint8 }) {
	for c := range t {
		raw, run := c>>4, c&15
		switch run {
		case 1, 2: // lengths from 16 and from 32, without raw bytes
			t[c].pixels = uint8(16*run + raw)
		default:
			t[c].raw, t[c].pixels = uint8(raw), uint8(raw+run)
		}
	}
	return t
}()

// Planar draws a bitmap in RDP 6.0 bitmap compression. Bytes after the last plane are ignored: uncompressed
// planes are followed by a byte of padding.
func (d *Decoder) Planar(dst pixel.BGRX, b Bitmap) error {
	if draw, err := b.check(dst); !draw {
		return err
	}
	if len(b.Data) == 0 {
		return dataError("planar: no data")
	}
	header, src := b.Data[0], b.Data[1:]
	loss := int(header & planarLossMask)
	subsampled, rle := header&planarSubsampled != 0, header&planarRLE != 0
	if subsampled && loss == 0 {
		return dataError("planar: chroma subsampling of red, green and blue")
	}
	p := planes{width: b.Width, loss: loss, half: subsampled}
	// Planes follow each other without lengths: find where they begin, so that rows can be decoded side by side.
	if header&planarNoAlpha == 0 {
		n, ok := planeSize(src, b.Width, b.Height, rle)
		if !ok {
			return dataError("planar: alpha plane in %d bytes", len(src))
		}
		src = src[n:]
	}
	for i := range p.src {
		w, h := b.Width, b.Height
		if subsampled && i > 0 {
			w, h = (w+1)/2, (h+1)/2
		}
		n, ok := planeSize(src, w, h, rle)
		if !ok {
			return dataError("planar: plane %d of %d×%d in %d bytes", i, w, h, len(src))
		}
		p.src[i], src = src[:n], src[n:]
		d.planes[i] = grow(d.planes[i], w)
		clear(d.planes[i])
		p.row[i] = d.planes[i]
	}
	p.draw(dst, &b, rle)
	return nil
}

// planeSize returns how many bytes of src a plane takes.
func planeSize(src []byte, width, height int, rle bool) (int, bool) {
	if !rle {
		return width * height, len(src) >= width*height
	}
	i := 0
	for range height {
		x := 0
		for x < width && i < len(src) {
			s := planarStep[src[i]]
			i += 1 + int(s.raw)
			x += int(s.pixels)
		}
		if x != width || i > len(src) {
			return 0, false
		}
	}
	return i, true
}

// planes decodes three planes row by row. A row of a plane in RLE is kept as differences from the row before,
// most of which are runs of nothing: the row is changed in place, what has changed is remembered, and only
// that is mixed into pixels again.
type planes struct {
	src   [3][]byte // what is left of each plane, whose form planeSize has proved
	row   [3][]byte // the current row of each plane
	width int
	loss  int  // colour loss level
	half  bool // planes 1 and 2 have half the width and height
}

func (p *planes) draw(dst pixel.BGRX, b *Bitmap, rle bool) {
	drawn := -1 // the row of dst drawn last, which the next one differs from by [lo, hi)
	for i := range b.Height {
		lo, hi := p.width, 0
		for k := range p.src {
			if k > 0 && p.half && i&1 != 0 {
				continue
			}
			l, h := 0, len(p.row[k])
			if rle {
				p.src[k], l, h = planarRow(p.row[k], p.src[k], i == 0)
			} else { // the row itself, not a copy
				p.row[k], p.src[k] = p.src[k][:h], p.src[k][h:]
			}
			if k > 0 && p.half {
				l, h = 2*l, 2*h
			}
			lo, hi = min(lo, l), max(hi, h)
		}
		y := b.row(i)
		if y >= dst.Height {
			continue
		}
		row := dst.Row(y)
		hi = min(hi, dst.Width)
		if drawn < 0 {
			lo, hi = 0, dst.Width
		} else if hi-lo < dst.Width {
			copy(row, dst.Row(drawn))
		}
		if lo < hi {
			p.mix(row[lo*bytesPerPixel:hi*bytesPerPixel], lo)
		}
		drawn = y
	}
}

// mix makes pixels of the current rows from x on.
func (p *planes) mix(row []byte, x int) {
	switch p.loss {
	case 0:
		mixRGB(row, p.row[0][x:], p.row[1][x:], p.row[2][x:])
	default:
		// Servers of Microsoft mix up red and blue before they convert, and clients are told to swap them
		// ([MS-RDPEGDI] 3.1.9.1.1): with NSCodec they do not.
		mixYCoCg(row, p.row[0], p.row[1], p.row[2], x, p.loss, p.half, true)
	}
}

// planarRow decodes one row of an RLE plane ([MS-RDPEGDI] 3.1.9.2, 3.1.9.3): row has the row before and is
// changed into the next one within [lo, hi). The first row has values, the others differences.
func planarRow(row, src []byte, first bool) (rest []byte, lo, hi int) {
	lo = len(row)
	var v byte // what a run repeats
	for x := 0; x < len(row); {
		s := planarStep[src[0]]
		raw, rest := src[1:1+int(s.raw)], src[1+int(s.raw):]
		p := row[x : x+int(s.pixels)]
		src = rest
		if first {
			if len(raw) > 0 {
				v = raw[len(raw)-1]
			}
			for i := copy(p, raw); i < len(p); i++ {
				p[i] = v
			}
		} else {
			q := p[:len(raw)]
			for i, z := range raw {
				v = z>>1 ^ -(z & 1) // the lowest bit is the sign
				q[i] += v
			}
			if v == 0 && len(raw) == 0 {
				x += len(p)
				continue
			}
			if v != 0 {
				q = p[len(raw):]
				for i := range q {
					q[i] += v
				}
			}
		}
		lo = min(lo, x)
		x += len(p)
		hi = x
	}
	return src, lo, hi
}
