package clearcodec

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// slotBytes is the size of a column of the greatest height.
const slotBytes = maxVBarPixels * bytesPerPixel

// ring is a storage of columns, filled front to back over and over ([MS-RDPEGFX] 3.3.1.10, 3.3.1.11).
type ring struct {
	pages  [][]byte // of pageEntries slots; nil until one is written
	counts []uint8  // pixels of each entry
	cursor int      // where the next goes
}

// reset puts the cursor back. Entries stay: servers have been seen to name them after a reset.
func (r *ring) reset() { r.cursor = 0 }

// next returns the slot for a column of count pixels and goes on to the next. entries is the size of the ring.
func (r *ring) next(count, entries int) []byte {
	if r.counts == nil {
		r.counts = make([]uint8, entries)
		r.pages = make([][]byte, entries/pageEntries)
	}
	i := r.cursor
	r.cursor = (i + 1) % entries
	page := &r.pages[i/pageEntries]
	if *page == nil {
		*page = make([]byte, pageEntries*slotBytes)
	}
	r.counts[i] = uint8(count)
	return (*page)[i%pageEntries*slotBytes:][: count*bytesPerPixel : count*bytesPerPixel]
}

// at returns the column at index, empty where none was stored.
func (r *ring) at(index int) []byte {
	if r.counts == nil || r.counts[index] == 0 {
		return nil
	}
	return r.pages[index/pageEntries][index%pageEntries*slotBytes:][:int(r.counts[index])*bytesPerPixel]
}

// drawBand draws one CLEARCODEC_BAND ([MS-RDPEGFX] 2.2.4.1.1.2.1).
func (d *Decoder) drawBand(dst pixel.BGRX, r *reader) error {
	x0, x1, y0, y1 := r.uint16(), r.uint16(), r.uint16(), r.uint16() // the ends are inclusive
	background := r.colour()
	if r.short {
		return dataError("band without its header")
	}
	if x1 < x0 || y1 < y0 || x1 >= dst.Width || y1 >= dst.Height {
		return dataError("band %d to %d, %d to %d of %d×%d pixels", x0, x1, y0, y1, dst.Width, dst.Height)
	}
	height := y1 - y0 + 1
	if height > maxVBarPixels {
		return dataError("band of %d pixels exceeds %d", height, maxVBarPixels)
	}
	for x := x0; x <= x1; x++ {
		bar, err := d.vBar(r, height, background)
		if err != nil {
			return err
		}
		at := y0*dst.Stride + x*bytesPerPixel
		for i := 0; i < len(bar); i += bytesPerPixel {
			binary.LittleEndian.PutUint32(dst.Pix[at:], binary.LittleEndian.Uint32(bar[i:]))
			at += dst.Stride
		}
	}
	return nil
}

// vBar returns the pixels of one CLEARCODEC_VBAR ([MS-RDPEGFX] 2.2.4.1.1.2.1.1), which lie in the ring.
func (d *Decoder) vBar(r *reader, height int, background uint32) ([]byte, error) {
	var short []byte
	var yOn int
	header := r.uint16()
	if r.short {
		return nil, dataError("band ends before its last column")
	}
	switch {
	case header&0x8000 != 0: // VBAR_CACHE_HIT
		return d.oldBar(header&0x7fff, height), nil
	case header&0x4000 != 0: // SHORT_VBAR_CACHE_HIT
		short = d.shortBars.at(header & 0x3fff)
		yOn = r.uint8()
		if r.short {
			return nil, dataError("short column without shortVBarYOn")
		}
	default: // SHORT_VBAR_CACHE_MISS
		yOn = header & 0xff
		n := header>>8 - yOn // shortVBarYOff is where it ends
		if n < 0 || n > maxVBarPixels {
			return nil, dataError("short column %d to %d", yOn, header>>8)
		}
		pixels := r.bytes(3 * n)
		if r.short {
			return nil, dataError("short column of %d pixels is cut off", n)
		}
		short = d.shortBars.next(n, shortVBarEntries)
		for i := range n {
			binary.LittleEndian.PutUint32(short[i*bytesPerPixel:], bgr(pixels[3*i:]))
		}
	}
	// What of the short column lies below the band is not drawn, as FreeRDP has it.
	bar := d.bars.next(height, vBarEntries)
	from := min(yOn*bytesPerPixel, len(bar))
	fill(bar[:from], background)
	from += copy(bar[from:], short)
	fill(bar[from:], background)
	return bar, nil
}

// oldBar returns a column that was stored before. The specification wants it to be of the band's height; servers name
// columns that a reset has made void, and others draw what they have and black below. So do we.
func (d *Decoder) oldBar(index, height int) []byte {
	bar := d.bars.at(index)
	if len(bar) >= height*bytesPerPixel {
		return bar[:height*bytesPerPixel]
	}
	padded := d.padded[:height*bytesPerPixel]
	fill(padded[copy(padded, bar):], opaque)
	return padded
}
