package tile

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/flate"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Encoder codes parts of a picture. The zero value is ready. It keeps its buffers, and is not for concurrent use.
type Encoder struct {
	palette palette
	body    []byte // what follows the mode
	out     appender
	deflate *flate.Writer
}

const (
	// worthIt is the size of a body below which DEFLATE has nothing to gain.
	worthIt = 48
	// level of DEFLATE: on real text a tenth smaller than the fastest, for a fifth more time.
	level = 5
)

// appender is an io.Writer that appends.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// Append appends the coded pixels of the parts, one after the other, to dst. The fourth byte of a pixel is ignored. The
// result is never more than one byte longer than three bytes a pixel.
func (e *Encoder) Append(dst []byte, parts []pixel.BGRX) []byte {
	raw := 0
	for _, p := range parts {
		raw += channels * p.Width * p.Height
	}
	mode := modePalette
	var few bool
	if e.body, few = e.palette.collect(e.body[:0], parts); !few {
		mode = modePlanes
		e.body = appendPlanes(e.body, parts, raw/channels)
	}
	start := len(dst)
	if len(e.body) >= worthIt {
		dst = e.compress(append(dst, byte(mode|compressed)), e.body)
		if n := len(dst) - start - 1; n < min(len(e.body), raw) {
			return dst
		}
		dst = dst[:start]
	}
	if mode == modePalette && len(e.body) < raw {
		return append(append(dst, byte(mode)), e.body...)
	}
	dst = append(dst, modeStored)
	for _, p := range parts {
		dst = appendStored(dst, p)
	}
	return dst
}

// compress appends body as one DEFLATE stream.
func (e *Encoder) compress(dst, body []byte) []byte {
	e.out = dst
	if e.deflate == nil {
		e.deflate, _ = flate.NewWriter(&e.out, level) // fails for unknown levels only
	} else {
		e.deflate.Reset(&e.out)
	}
	_, _ = e.deflate.Write(body) // appender does not fail
	_ = e.deflate.Close()
	dst = e.out
	e.out = nil
	return dst
}

func appendStored(dst []byte, p pixel.BGRX) []byte {
	for y := range p.Height {
		row := p.Row(y)
		for i := 0; i < len(row); i += inPixel {
			dst = append(dst, row[i+2], row[i+1], row[i])
		}
	}
	return dst
}

// appendPlanes appends the planes of all the parts' pixels, which are n.
func appendPlanes(dst []byte, parts []pixel.BGRX, n int) []byte {
	dst = grow(dst, channels*n)
	p := planesOf(dst[len(dst)-channels*n:])
	for _, part := range parts {
		for y := range part.Height {
			p.put(part.Row(y))
		}
	}
	return dst
}

// planes are what remains to be written of planes.
type planes struct {
	green, red, blue []byte
	last             [channels]uint8 // B, G, R
}

func planesOf(dst []byte) planes {
	n := len(dst) / channels
	return planes{green: dst[:n], red: dst[n:][:n], blue: dst[2*n:]}
}

// put writes the next colours, a row of BGRX pixels.
func (p *planes) put(row []byte) {
	n := len(row) / inPixel
	green, red, blue := p.green[:n], p.red[:n], p.blue[:n]
	b, g, r := p.last[0], p.last[1], p.last[2]
	for x := range n {
		px := row[x*inPixel:][:channels]
		dg := px[1] - g
		green[x], red[x], blue[x] = dg, px[2]-r-dg, px[0]-b-dg
		b, g, r = px[0], px[1], px[2]
	}
	p.last = [channels]uint8{b, g, r}
	p.green, p.red, p.blue = p.green[n:], p.red[n:], p.blue[n:]
}

// grow returns b with n more bytes, whose content is arbitrary.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = append(b, make([]byte, n)...)
		return b
	}
	return b[:len(b)+n]
}

// palette finds the colours of parts. Its table is a hash of open addressing with room to spare.
type palette struct {
	table   [1024]uint32 // colour<<8 | index, empty where not in this generation
	mark    [1024]uint32 // the generation of each entry
	current uint32
	colours []uint32 // R, G, B from the highest byte down
	indices []uint8
	sorted  []uint32          // G, R, B, index
	rank    [maxColours]uint8 // of each index in sorted
}

// collect appends palette and indices of the parts to dst. It reports false, and appends nothing, when there are too many colours.
func (t *palette) collect(dst []byte, parts []pixel.BGRX) (_ []byte, few bool) {
	if t.current++; t.current == 0 { // every four billion messages
		clear(t.mark[:])
		t.current = 1
	}
	t.colours, t.indices = t.colours[:0], t.indices[:0]
	for _, p := range parts {
		for y := range p.Height {
			if !t.addRow(p.Row(y)) {
				return dst, false
			}
		}
	}
	if len(t.colours) == 0 {
		t.colours = append(t.colours, 0) // no pixels at all
	}
	dst = t.appendSorted(append(dst, byte(len(t.colours)-1)))
	bits := bitsFor(len(t.colours))
	for i, index := range t.indices {
		t.indices[i] = t.rank[index]
	}
	rest := t.indices
	for _, p := range parts {
		for range p.Height {
			dst = appendPacked(dst, rest[:p.Width], bits)
			rest = rest[p.Width:]
		}
	}
	return dst, true
}

// appendSorted appends the colours in their order, as planes, and notes their ranks.
func (t *palette) appendSorted(dst []byte) []byte {
	t.sorted = t.sorted[:0]
	for i, c := range t.colours {
		t.sorted = append(t.sorted, (c>>8&0xff)<<24|(c>>16&0xff)<<16|(c&0xff)<<8|uint32(i))
	}
	slices.Sort(t.sorted)
	n := len(t.sorted)
	dst = grow(dst, channels*n)
	p := planesOf(dst[len(dst)-channels*n:])
	for i, c := range t.sorted {
		p.put([]byte{byte(c >> 8), byte(c >> 24), byte(c >> 16), 0})
		t.rank[uint8(c)] = uint8(i)
	}
	return dst
}

// addRow appends the indices of a row of pixels. It reports false when there are too many colours.
func (t *palette) addRow(row []byte) bool {
	last, index := ^uint32(0), uint8(0)
	for ; len(row) >= inPixel; row = row[inPixel:] {
		if c := binary.LittleEndian.Uint32(row) & 0xffffff; c != last {
			var ok bool
			if index, ok = t.index(c); !ok {
				return false
			}
			last = c
		}
		t.indices = append(t.indices, index)
	}
	return true
}

// index returns the index of a colour, a new one if need be; ok is false when there are too many.
func (t *palette) index(c uint32) (index uint8, ok bool) {
	for i := c * 0x9e3779b1 >> 22; ; i = (i + 1) % uint32(len(t.table)) {
		switch {
		case t.mark[i] != t.current:
			if len(t.colours) == maxColours {
				return 0, false
			}
			index = uint8(len(t.colours))
			t.mark[i], t.table[i] = t.current, c<<8|uint32(index)
			t.colours = append(t.colours, c)
			return index, true
		case t.table[i]>>8 == c:
			return uint8(t.table[i]), true
		}
	}
}

// appendPacked appends a row of indices, padded to whole bytes.
func appendPacked(dst []byte, row []uint8, bits int) []byte {
	switch bits {
	case 0:
		return dst
	case 8:
		return append(dst, row...)
	}
	per := 8 / bits
	for ; len(row) >= per; row = row[per:] {
		var b byte
		for _, v := range row[:per] {
			b = b<<bits | v
		}
		dst = append(dst, b)
	}
	if len(row) > 0 {
		var b byte
		for _, v := range row {
			b = b<<bits | v
		}
		dst = append(dst, b<<(bits*(per-len(row))))
	}
	return dst
}
