package clearcodec

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/rdpbitmap"
)

// The values of subCodecId ([MS-RDPEGFX] 2.2.4.1.1.3.1).
const (
	subcodecRaw     = 0
	subcodecNSCodec = 1
	subcodecRLEX    = 2
)

// drawRegion draws one CLEARCODEC_SUBCODEC ([MS-RDPEGFX] 2.2.4.1.1.3.1) of at most room pixels and returns its area.
func (d *Decoder) drawRegion(dst pixel.BGRX, r *reader, room int) (int, error) {
	x, y, width, height := r.uint16(), r.uint16(), r.uint16(), r.uint16()
	n, codec := r.uint32(), r.uint8()
	if r.short {
		return 0, dataError("subcodec region without its header")
	}
	if n > len(r.b) {
		return 0, dataError("subcodec region of %d bytes, %d left", n, len(r.b))
	}
	if width == 0 || height == 0 || x+width > dst.Width || y+height > dst.Height {
		return 0, dataError("subcodec region %d×%d at %d,%d of %d×%d pixels", width, height, x, y, dst.Width, dst.Height)
	}
	area := width * height
	if area > room {
		return 0, dataError("subcodec regions exceed %d times the bitmap", maxOverdraw)
	}
	data := r.bytes(n)
	dst = dst.Sub(x, y, width, height)
	switch codec {
	case subcodecRaw:
		return area, drawRaw(dst, data)
	case subcodecNSCodec:
		if err := d.nsc.NSCodec(dst, rdpbitmap.Bitmap{Width: width, Height: height, Data: data}); err != nil {
			return 0, fmt.Errorf("clearcodec: %w: %w", err, ErrData)
		}
		return area, nil
	case subcodecRLEX:
		return area, drawRLEX(dst, data)
	}
	return 0, dataError("subCodecId %d", codec)
}

// drawRaw draws pixels of three bytes.
func drawRaw(dst pixel.BGRX, data []byte) error {
	if want := 3 * dst.Width * dst.Height; len(data) != want {
		return dataError("%d bytes of raw pixels, want %d", len(data), want)
	}
	for y := range dst.Height {
		row := dst.Row(y)
		for len(row) >= bytesPerPixel && len(data) >= 3 {
			row[0], row[1], row[2], row[3] = data[0], data[1], data[2], 0xff
			row, data = row[bytesPerPixel:], data[3:]
		}
	}
	return nil
}

// drawRLEX draws CLEARCODEC_SUBCODEC_RLEX ([MS-RDPEGFX] 2.2.4.1.1.3.1.1): each segment is a run of the colour at
// startIndex and then one pixel of every colour from there to stopIndex (a "suite").
func drawRLEX(dst pixel.BGRX, data []byte) error {
	r := &reader{b: data}
	count := r.uint8()
	if count < 1 || count > maxPalette {
		return dataError("paletteCount %d", count)
	}
	// As large as an index can be, so that looking one up needs no check.
	var palette [1 << 8]uint32
	for i := range count {
		palette[i] = r.colour()
	}
	if r.short {
		return dataError("palette of %d colours is cut off", count)
	}
	// stopIndex takes what the largest index needs, at least one bit; suiteDepth has the rest of the byte.
	stopBits := max(1, bits.Len(uint(count-1)))
	p := newPen(dst)
	for len(r.b) > 0 {
		// Nearly all segments are short and end within their row: drawn here, the rest below.
		if len(r.b) >= 2 && r.b[1] < shortRun {
			b, n := int(r.b[0]), int(r.b[1])
			stop, depth := b&(1<<stopBits-1), b>>stopBits
			if start := stop - depth; start >= 0 && stop < count && (n+depth+1)*bytesPerPixel <= len(p.row) {
				p.left -= n + depth + 1
				row := p.row
				for range n {
					binary.LittleEndian.PutUint32(row, palette[uint8(start)])
					row = row[bytesPerPixel:]
				}
				for i := start; i <= stop; i++ {
					binary.LittleEndian.PutUint32(row, palette[uint8(i)])
					row = row[bytesPerPixel:]
				}
				p.row, r.b = row, r.b[2:]
				continue
			}
		}
		b, n := r.uint8(), r.runLength()
		if r.short {
			return dataError("RLEX ends within a segment")
		}
		stop, depth := b&(1<<stopBits-1), b>>stopBits
		start := stop - depth
		if start < 0 || stop >= count {
			return dataError("suite from %d to %d of %d colours", start, stop, count)
		}
		if n+depth+1 > p.left {
			return dataError("RLEX segment of %d pixels, %d left", n+depth+1, p.left)
		}
		p.run(palette[start], n)
		p.pixels(palette[start : stop+1])
	}
	if p.left > 0 {
		return dataError("RLEX lacks %d pixels", p.left)
	}
	return nil
}
