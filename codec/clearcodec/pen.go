package clearcodec

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// shortRun is the length in pixels from which on a run is better filled by copying.
const shortRun = 16

// pen writes pixels from left to right and from top to bottom.
type pen struct {
	dst  pixel.BGRX
	row  []byte // what is left of the present row
	y    int    // of the next row
	left int    // pixels
}

func newPen(dst pixel.BGRX) pen {
	return pen{dst: dst, left: dst.Width * dst.Height}
}

// run writes n pixels of one colour; n is at most left.
func (p *pen) run(colour uint32, n int) {
	p.left -= n
	if part := n * bytesPerPixel; part <= len(p.row) { // most runs end within their row
		fill(p.row[:part], colour)
		p.row = p.row[part:]
		return
	}
	for n > 0 {
		p.begin()
		part := p.row[:min(n*bytesPerPixel, len(p.row))]
		p.row = p.row[len(part):]
		n -= len(part) / bytesPerPixel
		fill(part, colour)
	}
}

// pixels writes some pixels, at most left.
func (p *pen) pixels(colours []uint32) {
	p.left -= len(colours)
	if part := len(colours) * bytesPerPixel; part <= len(p.row) {
		row := p.row[:part]
		p.row = p.row[part:]
		for i, colour := range colours {
			binary.LittleEndian.PutUint32(row[i*bytesPerPixel:], colour)
		}
		return
	}
	for _, colour := range colours {
		p.begin()
		binary.LittleEndian.PutUint32(p.row, colour)
		p.row = p.row[bytesPerPixel:]
	}
}

// begin goes on to the next row at the end of one.
func (p *pen) begin() {
	if len(p.row) == 0 {
		p.row = p.dst.Row(p.y)
		p.y++
	}
}

// fill writes whole pixels of one colour: few one by one, many by copying what is there already.
func fill(b []byte, colour uint32) {
	const few = shortRun * bytesPerPixel
	first := b
	if len(first) > few {
		first = b[:few]
	}
	for len(first) >= bytesPerPixel {
		binary.LittleEndian.PutUint32(first, colour)
		first = first[bytesPerPixel:]
	}
	for n := few; n < len(b); {
		n += copy(b[n:], b[:n])
	}
}
