package rdpbitmap

import (
	"bytes"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// PlanarOpaque is Planar with an alpha plane that says that all is opaque, for clients that do not take bitmaps without one.
func (e *Encoder) PlanarOpaque(out []byte, p pixel.BGRX, bottomUp bool) ([]byte, error) {
	start := len(out)
	out, err := e.Planar(out, p, bottomUp)
	if err != nil {
		return out, err
	}
	e.opaque = e.opaque[:0]
	if out[start]&planarRLE != 0 {
		row := grow(e.deltas, p.Width)
		for y := range p.Height {
			for x := range row {
				row[x] = 0xff
				if y > 0 {
					row[x] = 0 // the same as above
				}
			}
			e.opaque = appendPlanarRow(e.opaque, row)
		}
	} else {
		e.opaque = append(e.opaque, bytes.Repeat([]byte{0xff}, p.Width*p.Height)...)
	}
	out[start] &= planarRLE // without planarNoAlpha
	return slices.Insert(out, start+1, e.opaque...), nil
}

// Planar appends the picture in RDP 6.0 bitmap compression ([MS-RDPEGDI] 2.2.2.5.1): red, green and blue
// without loss or alpha, as RLE planes or, where those would be longer, as they are.
func (e *Encoder) Planar(out []byte, p pixel.BGRX, bottomUp bool) ([]byte, error) {
	if err := p.Check(); err != nil {
		return out, err
	}
	if p.Width == 0 || p.Height == 0 {
		return out, dataError("encoder: %d×%d pixels", p.Width, p.Height)
	}
	b := Bitmap{Height: p.Height, BottomUp: bottomUp}
	e.deltas = grow(e.deltas, p.Width)
	start, most := len(out), 1+3*p.Width*p.Height
	out = append(out, planarRLE|planarNoAlpha)
	for channel := 2; channel >= 0; channel-- { // red first
		for i := 0; i < p.Height && len(out)-start <= most; i++ {
			row := p.Row(b.row(i))
			var above []byte
			if i > 0 {
				above = p.Row(b.row(i - 1))
			}
			for x := range e.deltas {
				v := row[x*bytesPerPixel+channel]
				if above != nil {
					v -= above[x*bytesPerPixel+channel]
					v = v<<1 ^ -(v >> 7) // the lowest bit is the sign
				}
				e.deltas[x] = v
			}
			out = appendPlanarRow(out, e.deltas)
		}
	}
	if len(out)-start <= most {
		return out, nil
	}
	out = append(out[:start], planarNoAlpha)
	for channel := 2; channel >= 0; channel-- {
		for i := range p.Height {
			for row := p.Row(b.row(i)); len(row) >= bytesPerPixel; row = row[bytesPerPixel:] {
				out = append(out, row[channel])
			}
		}
	}
	return append(out, 0), nil // padding
}

const (
	planarMinRun  = 3  // shorter ones have no control byte
	planarMaxRun  = 47 // of one control byte without raw bytes
	planarMaxPart = 15 // raw bytes, or run, of a control byte that has both
)

// appendPlanarRow appends one row of an RLE plane ([MS-RDPEGDI] 3.1.9.2): segments of raw bytes and of a run
// of the last one.
func appendPlanarRow(out, row []byte) []byte {
	var v byte
	for x := 0; x < len(row); {
		start := x
		if n := equal(row[x:], v); n < planarMinRun {
			for x++; x < len(row) && equal(row[x:min(len(row), x+planarMinRun)], row[x-1]) < planarMinRun; x++ {
			}
			v = row[x-1]
		}
		raw := row[start:x]
		run := equal(row[x:], v)
		if run < planarMinRun { // at the end of the row: the loop above stops nowhere else
			run = 0
		}
		x += run
		out = appendPlanarSegment(out, raw, run)
	}
	return out
}

// equal counts how many bytes at the start of p are v.
func equal(p []byte, v byte) int {
	for i, b := range p {
		if b != v {
			return i
		}
	}
	return len(p)
}

func appendPlanarSegment(out, raw []byte, run int) []byte {
	for len(raw) > planarMaxPart {
		out = append(append(out, planarMaxPart<<4), raw[:planarMaxPart]...)
		raw = raw[planarMaxPart:]
	}
	if len(raw) > 0 {
		n := part(run, planarMaxPart)
		out = append(append(out, byte(len(raw)<<4|n)), raw...)
		run -= n
	}
	for run > 0 {
		n := part(run, planarMaxRun)
		run -= n
		if n >= 16 { // the low nibble says 1 for lengths from 16 and 2 for those from 32
			out = append(out, byte(n%16<<4|n/16))
		} else {
			out = append(out, byte(n))
		}
	}
	return out
}

// part returns how much of a run to write at once, so that what is left is nothing or long enough.
func part(run, most int) int {
	n := min(run, most)
	if left := run - n; left > 0 && left < planarMinRun {
		n -= planarMinRun - left
	}
	return n
}
