package clearcodec

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// encoder makes the tests' bitmaps. It mirrors the decoder's rings to know what can be named.
type encoder struct {
	seq         uint8
	bars, short mirror
}

// mirror is one ring as the server knows it.
type mirror struct {
	slots  map[int]string
	where  map[string]int
	size   int
	cursor int
}

func newEncoder() *encoder {
	return &encoder{
		bars:  mirror{slots: map[int]string{}, where: map[string]int{}, size: vBarEntries},
		short: mirror{slots: map[int]string{}, where: map[string]int{}, size: shortVBarEntries},
	}
}

func (m *mirror) find(s string) (int, bool) {
	i, ok := m.where[s]
	return i, ok && m.slots[i] == s // it may have been written over
}

func (m *mirror) add(s string) {
	m.slots[m.cursor], m.where[s] = s, m.cursor
	m.cursor = (m.cursor + 1) % m.size
}

// message puts the header before a body.
func (e *encoder) message(flags byte, body []byte) []byte {
	b := append([]byte{flags, e.seq}, body...)
	e.seq++
	return b
}

// composite joins layers.
func composite(residual, bands, subcodecs []byte) []byte {
	var b []byte
	for _, layer := range [][]byte{residual, bands, subcodecs} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(layer)))
	}
	return append(append(append(b, residual...), bands...), subcodecs...)
}

// bgrAt returns the three bytes of a pixel.
func bgrAt(p pixel.BGRX, x, y int) [3]byte { return [3]byte(p.Row(y)[4*x:]) }

// appendRun appends a runLengthFactor.
func appendRun(b []byte, n int) []byte {
	switch {
	case n < 0xff:
		return append(b, byte(n))
	case n < 0xffff:
		return binary.LittleEndian.AppendUint16(append(b, 0xff), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(b, 0xff, 0xff, 0xff), uint32(n))
}

func residual(p pixel.BGRX) (b []byte) {
	n := 0
	for i := range p.Width * p.Height {
		c := bgrAt(p, i%p.Width, i/p.Width)
		n++
		if next := i + 1; next == p.Width*p.Height || bgrAt(p, next%p.Width, next/p.Width) != c {
			b = appendRun(append(b, c[:]...), n)
			n = 0
		}
	}
	return b
}

func flatResidual(p pixel.BGRX, c [3]byte) []byte { return appendRun(c[:], p.Width*p.Height) }

// bandLayer cuts the whole of p into bands of the given height.
func (e *encoder) bandLayer(p pixel.BGRX, height int) (b []byte) {
	for y := 0; y < p.Height; y += height {
		b = append(b, e.band(p, 0, p.Width-1, y, min(y+height, p.Height)-1, bgrAt(p, 0, y))...)
	}
	return b
}

func (e *encoder) band(p pixel.BGRX, x0, x1, y0, y1 int, bg [3]byte) (b []byte) {
	for _, v := range []int{x0, x1, y0, y1} {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	b = append(b, bg[:]...)
	for x := x0; x <= x1; x++ {
		var full []byte
		on, off := -1, 0
		for y := y0; y <= y1; y++ {
			c := bgrAt(p, x, y)
			full = append(full, c[:]...)
			if c != bg {
				if on < 0 {
					on = y - y0
				}
				off = y - y0 + 1
			}
		}
		if i, ok := e.bars.find(string(full)); ok {
			b = binary.LittleEndian.AppendUint16(b, 0x8000|uint16(i))
			continue
		}
		on = max(on, 0)
		stretch := string(full[3*on : 3*off])
		if i, ok := e.short.find(stretch); ok {
			b = append(binary.LittleEndian.AppendUint16(b, 0x4000|uint16(i)), byte(on))
		} else {
			b = append(append(b, byte(on), byte(off)), stretch...)
			e.short.add(stretch)
		}
		e.bars.add(string(full))
	}
	return b
}

// region puts the header of a subcodec region before its data.
func region(x, y, w, h, codec int, data []byte) (b []byte) {
	for _, v := range []int{x, y, w, h} {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(append(b, byte(codec)), data...)
}

func rawPixels(p pixel.BGRX) (b []byte) {
	for i := range p.Width * p.Height {
		c := bgrAt(p, i%p.Width, i/p.Width)
		b = append(b, c[:]...)
	}
	return b
}

// rlex returns nil when p has too many colours.
func rlex(p pixel.BGRX) []byte {
	index := map[[3]byte]int{}
	var palette []byte
	var pixels []int
	for i := range p.Width * p.Height {
		c := bgrAt(p, i%p.Width, i/p.Width)
		k, ok := index[c]
		if !ok {
			k = len(index)
			index[c] = k
			palette = append(palette, c[:]...)
		}
		pixels = append(pixels, k)
	}
	if len(index) > maxPalette {
		return nil
	}
	b := append([]byte{byte(len(index))}, palette...)
	stopBits := max(1, bits.Len(uint(len(index)-1)))
	for i := 0; i < len(pixels); {
		start, n := pixels[i], 0
		for i+n+1 < len(pixels) && pixels[i+n+1] == start {
			n++
		}
		i += n + 1
		depth := 0
		for i < len(pixels) && pixels[i] == start+depth+1 && depth+1 < 1<<(8-stopBits) {
			depth++
			i++
		}
		b = appendRun(append(b, byte(depth<<stopBits|(start+depth))), n)
	}
	return b
}

// textPicture looks like text: columns that repeat, few colours, mostly background.
func textPicture(rng *rand.Rand, w, h int) pixel.BGRX {
	p := pixel.NewBGRX(w, h)
	var colours [6][4]byte
	for i := range colours {
		colours[i] = [4]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), 0xff}
	}
	var shapes [20]uint64
	for i := range shapes {
		shapes[i] = rng.Uint64() & rng.Uint64()
	}
	for x := range w {
		shape, ink := shapes[rng.IntN(len(shapes))], colours[1+rng.IntN(5)]
		for y := range h {
			c := colours[0]
			if shape>>(y%16)&1 != 0 {
				c = ink
			}
			copy(p.Row(y)[4*x:], c[:])
		}
	}
	return p
}
