package remotefx

import (
	"encoding/binary"
	"image"
)

const blockHeaderBytes = 6 // blockType, blockLen

// nextBlock splits off the block at the head of src ([MS-RDPRFX] 2.2.2.1.1, TS_RFX_BLOCKT; RFX_PROGRESSIVE blocks are alike).
// body is what follows the header, within src.
func nextBlock(src []byte) (blockType uint16, body, rest []byte, err error) {
	if len(src) < blockHeaderBytes {
		return 0, nil, nil, dataError("%d bytes of a block's header, need %d", len(src), blockHeaderBytes)
	}
	blockType = binary.LittleEndian.Uint16(src)
	n := binary.LittleEndian.Uint32(src[2:])
	if n < blockHeaderBytes || uint64(n) > uint64(len(src)) {
		return 0, nil, nil, dataError("blockLen %d of type %#04x, %d bytes left", n, blockType, len(src))
	}
	return blockType, src[blockHeaderBytes:n], src[n:], nil
}

// need returns an error when body is shorter than the fields of the structure name.
func need(name string, body []byte, n int) error {
	if len(body) < n {
		return dataError("%s of %d bytes, need %d", name, len(body), n)
	}
	return nil
}

const (
	syncMagic = 0xcaccacca
	version10 = 0x0100 // WF_VERSION_1_0
)

// checkSync checks TS_RFX_SYNC ([MS-RDPRFX] 2.2.2.2.1), which is also RFX_PROGRESSIVE_SYNC ([MS-RDPEGFX] 2.2.4.2.1.1).
func checkSync(body []byte) error {
	if err := need("sync", body, 6); err != nil {
		return err
	}
	if m := binary.LittleEndian.Uint32(body); m != syncMagic {
		return dataError("magic %#08x", m)
	}
	if v := binary.LittleEndian.Uint16(body[4:]); v != version10 {
		return dataError("version %#04x", v)
	}
	return nil
}

const rectBytes = 8

// appendRects reads n rectangles (TS_RFX_RECT, [MS-RDPRFX] 2.2.2.1.6) from b, which must hold them, moves them to origin and
// appends what of each lies within bounds.
func appendRects(rects []image.Rectangle, b []byte, n int, origin image.Point, bounds image.Rectangle) []image.Rectangle {
	for ; n > 0; n-- {
		x, y := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		w, h := int(binary.LittleEndian.Uint16(b[4:])), int(binary.LittleEndian.Uint16(b[6:]))
		if r := image.Rect(x, y, x+w, y+h).Add(origin).Intersect(bounds); !r.Empty() {
			rects = append(rects, r)
		}
		b = b[rectBytes:]
	}
	return rects
}

const quantBytes = 5 // ten bands of four bits, the first in the low half of the first byte

// Bands by their place in the stream. A quantiser lists them the other way round, and the two specifications disagree on
// HL and LH ([MS-RDPRFX] 2.2.2.1.5 and [MS-RDPEGFX] 2.2.4.2.1.5.2).
var (
	quantOrder            = [bands]uint8{9, 7, 6, 8, 4, 3, 5, 1, 0, 2}
	progressiveQuantOrder = [bands]uint8{9, 6, 7, 8, 3, 4, 5, 0, 1, 2}
)

// readQuant reads a quantiser of quantBytes bytes.
func readQuant(b []byte, order *[bands]uint8) (q shifts) {
	for i, band := range order {
		q[band] = b[i/2] >> (i % 2 * 4) & 15
	}
	return q
}

// leftShifts returns how far bands at bit position pos are shifted: one less, which is the five bits of fraction and the
// six that a quantiser of 6 stands for.
func leftShifts(pos shifts) (shifts, error) {
	for b := range pos {
		if pos[b] == 0 {
			return pos, dataError("quantiser 0 for band %d", b)
		}
		pos[b]--
	}
	return pos, nil
}
