package rdpbitmap

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Encoder encodes the bitmaps of one connection. It holds nothing but buffers. The zero value is ready; not
// for concurrent use.
type Encoder struct {
	pixels []uint32 // of the whole bitmap, in the order of the data
	deltas []byte
	opaque []byte // an alpha plane
}

// Interleaved appends the picture in Interleaved RLE ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.4) of 15, 16 or 24 bits a
// pixel, bottom-up. Fewer than 24 bits lose the lowest bits of the colours. Servers send at most 64×64 pixels
// at a time to keep updates small, and widths that are multiples of four.
//
// The encoder is greedy: at each pixel it takes the order that saves most bytes.
func (e *Encoder) Interleaved(out []byte, p pixel.BGRX, bitsPerPixel int) ([]byte, error) {
	if bitsPerPixel != 15 && bitsPerPixel != 16 && bitsPerPixel != 24 {
		return out, dataError("encoder: %d bits a pixel", bitsPerPixel)
	}
	if err := p.Check(); err != nil {
		return out, err
	}
	w := rleWriter{out: out, width: p.Width, bits: bitsPerPixel, size: (bitsPerPixel + 7) / 8}
	w.fg = uint32(1)<<bitsPerPixel - 1
	if n := p.Width * p.Height; cap(e.pixels) < n {
		e.pixels = make([]uint32, n)
	}
	w.px = e.pixels[:0]
	for y := p.Height - 1; y >= 0; y-- {
		for row := p.Row(y); len(row) >= 4; row = row[4:] {
			w.px = append(w.px, reduce(binary.LittleEndian.Uint32(row), bitsPerPixel))
		}
	}
	w.encode()
	return w.out, nil
}

// reduce is the inverse of expand15 and expand16.
func reduce(v uint32, bits int) uint32 {
	switch bits {
	case 15:
		return v>>3&0x1F | v>>6&0x3E0 | v>>9&0x7C00
	case 16:
		return v>>3&0x1F | v>>5&0x7E0 | v>>8&0xF800
	}
	return v & 0xFFFFFF
}

const (
	maxRun = 1<<16 - 1 // of the third form of order headers
	// plainRun is how long a run within a mask may be before it is better off as an order of its own.
	plainRun = 32
)

// rleWriter encodes one bitmap.
type rleWriter struct {
	out   []byte
	px    []uint32
	width int
	bits  int
	size  int    // bytes of a pixel
	fg    uint32 // what the decoder's foreground colour is
}

func (w *rleWriter) above(i int) uint32 {
	if i < w.width {
		return 0
	}
	return w.px[i-w.width]
}

// run counts pixels from i on, below end, whose difference from above is x.
func (w *rleWriter) run(i, end int, x uint32) int {
	j := i
	for j < end && w.px[j]^w.above(j) == x {
		j++
	}
	return j - i
}

// colourRun counts pixels like pixel i.
func (w *rleWriter) colourRun(i, end int) int {
	j, v := i, w.px[i]
	for j < end && w.px[j] == v {
		j++
	}
	return j - i
}

// maskRun counts pixels whose difference from above is nothing or always the same x.
func (w *rleWriter) maskRun(i, end int) (n int, x uint32) {
	same, last := 0, uint32(0)
	for j := i; j < end; j++ {
		d := w.px[j] ^ w.above(j)
		if d != 0 && x == 0 {
			x = d
		}
		if d != 0 && d != x {
			return j - i, x
		}
		if j > i && d == last {
			if same++; same >= plainRun {
				return j - i - same, x
			}
		} else {
			same, last = 0, d
		}
	}
	return end - i, x
}

func (w *rleWriter) encode() {
	literals := 0 // pixels before i that no order was found for
	afterBackground := false
	for i := 0; i < len(w.px); {
		end := min(len(w.px), i+maxRun)
		if i < w.width { // an order that begins in the first row believes to be there throughout
			end = w.width
		}
		if i == w.width {
			afterBackground = false
		}
		kind, n, x, saved := orderPixels, 1, uint32(0), 0
		restart := 0 // what an order costs that interrupts literals
		if literals > 0 {
			restart = 1
		}
		consider := func(k, run int, v uint32, cost int) {
			if s := run*w.size - cost - restart; s > saved {
				kind, n, x, saved = k, run, v, s
			}
		}
		if !afterBackground {
			consider(orderBackground, w.run(i, end, 0), 0, 1)
		}
		if d := w.px[i] ^ w.above(i); d == w.fg {
			consider(orderForeground, w.run(i, end, d), d, 1)
		} else if d != 0 {
			consider(orderForeground, w.run(i, end, d), d, 1+w.size)
		}
		consider(orderColour, w.colourRun(i, end), w.px[i], 1+w.size)
		if k, d := w.maskRun(i, end); k > 0 && d != 0 {
			cost := 1 + (k+7)/8
			if d != w.fg {
				cost += w.size
			}
			consider(orderMask, k, d, cost)
		}
		if kind == orderPixels {
			literals++
			i++
			afterBackground = false
			if literals == maxRun {
				w.literals(i, literals)
				literals = 0
			}
			continue
		}
		w.literals(i, literals)
		literals = 0
		w.order(kind, i, n, x)
		i += n
		afterBackground = kind == orderBackground
	}
	w.literals(len(w.px), literals)
}

// literals writes the n pixels before i as they are.
func (w *rleWriter) literals(i, n int) {
	if n == 0 {
		return
	}
	w.header(orderPixels, megaPixels, n)
	for _, v := range w.px[i-n : i] {
		w.value(v)
	}
}

// order writes an order for n pixels from i on; x is its colour.
func (w *rleWriter) order(kind, i, n int, x uint32) {
	sets := (kind == orderForeground || kind == orderMask) && x != w.fg
	switch {
	case kind == orderForeground && sets:
		w.liteHeader(liteSetForeground, megaSetForeground, n)
	case kind == orderMask:
		w.maskHeader(sets, n)
	default:
		w.header(kind, byte(megaBackground+kind), n)
	}
	if sets {
		w.fg = x
	}
	if sets || kind == orderColour {
		w.value(x)
	}
	if kind != orderMask {
		return
	}
	for j := 0; j < n; j += 8 {
		var m byte
		for k := range min(8, n-j) {
			if w.px[i+j+k] != w.above(i+j+k) {
				m |= 1 << k
			}
		}
		w.out = append(w.out, m)
	}
}

// header writes an order header of the first form, or the mega one for runs that are too long for it.
func (w *rleWriter) header(kind int, mega byte, n int) {
	switch {
	case n <= shortRunBits:
		w.out = append(w.out, byte(kind<<5|n))
	case n-shortRunExtra <= 0xFF:
		w.out = append(w.out, byte(kind<<5), byte(n-shortRunExtra))
	default:
		w.out = binary.LittleEndian.AppendUint16(append(w.out, mega), uint16(n))
	}
}

// liteHeader is header for the second form.
func (w *rleWriter) liteHeader(kind int, mega byte, n int) {
	switch {
	case n <= liteRunBits:
		w.out = append(w.out, byte(kind<<4|n))
	case n-liteRunExtra <= 0xFF:
		w.out = append(w.out, byte(kind<<4), byte(n-liteRunExtra))
	default:
		w.out = binary.LittleEndian.AppendUint16(append(w.out, mega), uint16(n))
	}
}

func (w *rleWriter) maskHeader(sets bool, n int) {
	kind, most, mega := byte(orderMask<<5), shortRunBits, byte(megaMask)
	if sets {
		kind, most, mega = liteSetMask<<4, liteRunBits, megaSetMask
	}
	switch {
	case n%maskRunUnit == 0 && n/maskRunUnit <= most:
		w.out = append(w.out, kind|byte(n/maskRunUnit))
	case n-maskRunExtra <= 0xFF:
		w.out = append(w.out, kind, byte(n-maskRunExtra))
	default:
		w.out = binary.LittleEndian.AppendUint16(append(w.out, mega), uint16(n))
	}
}

func (w *rleWriter) value(v uint32) {
	w.out = append(w.out, byte(v), byte(v>>8))
	if w.size == 3 {
		w.out = append(w.out, byte(v>>16))
	}
}
