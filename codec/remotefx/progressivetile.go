package remotefx

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

const (
	tileDifference = 0x01 // RFX_TILE_DIFFERENCE: the coefficients are added to the tile's previous ones
	fullQuality    = 0xff // no progressive quantiser: nothing is left to upgrade

	tileSimpleBytes  = 16 // of RFX_PROGRESSIVE_TILE_SIMPLE after the header and before the data
	tileFirstBytes   = 17
	tileUpgradeBytes = 20
)

// decodeTile decodes a tile of any kind and draws it within the frame's rectangles. The first oldRects of those belong
// to earlier regions.
func (d *Progressive) decodeTile(blockType uint16, b []byte, dst pixel.BGRX, oldRects int) error {
	size := 0
	switch blockType {
	case progTileSimple:
		size = tileSimpleBytes
	case progTileFirst:
		size = tileFirstBytes
	case progTileUpgrade:
		size = tileUpgradeBytes
	default:
		return dataError("block of type %#04x among tiles", blockType)
	}
	if err := need("tile", b, size); err != nil {
		return err
	}
	x, y := int(binary.LittleEndian.Uint16(b[3:])), int(binary.LittleEndian.Uint16(b[5:]))
	if x >= d.cols || y >= len(d.tiles)/d.cols {
		return dataError("tile %d,%d of %d×%d pixels", x, y, d.width, d.height)
	}
	index := y*d.cols + x
	t := &d.tiles[index]
	var err error
	switch blockType {
	case progTileSimple:
		err = d.first(t, b[:3], b[7], fullQuality, b[8:])
	case progTileFirst:
		err = d.first(t, b[:3], b[7], b[8], b[9:])
	default:
		err = d.upgrade(t, b[:3], b[7], b[8:])
	}
	if err != nil {
		return err
	}
	if !t.inFrame {
		t.inFrame = true
		d.frameTiles = append(d.frameTiles, index)
	}
	rect := tileRect(image.Pt(x, y).Mul(tileSide))
	for _, r := range d.frameRects[:oldRects] {
		d.late = d.late.Union(r.Intersect(rect))
	}
	if touches(d.frameRects, rect) {
		d.paint(dst, rect.Min, d.frameRects, t.coefs, t.extrapolate)
	}
	return nil
}

// bitPositions returns for component c, whose quantiser has the index quant, where the lowest bit sent lies in each band:
// the quantiser plus the progressive quantiser of this quality.
func (r *regionHeader) bitPositions(c int, quant, quality uint8) (pos shifts, err error) {
	at := int(quant) * quantBytes
	if at+quantBytes > len(r.quants) {
		return pos, dataError("quantiser %d of %d", quant, len(r.quants)/quantBytes)
	}
	pos = readQuant(r.quants[at:], &progressiveQuantOrder)
	if quality == fullQuality {
		return pos, nil
	}
	if at = int(quality) * progQuantBytes; at+progQuantBytes > len(r.progQuants) {
		return pos, dataError("quality %d of %d", quality, len(r.progQuants)/progQuantBytes)
	}
	more := readQuant(r.progQuants[at+1+c*quantBytes:], &progressiveQuantOrder)
	for i := range pos {
		pos[i] += more[i]
	}
	return pos, nil
}

// first decodes a tile that needs no earlier ones: RFX_PROGRESSIVE_TILE_SIMPLE and _FIRST ([MS-RDPEGFX] 2.2.4.2.1.5.3, .4).
// b begins with the lengths of the components' data and of the tail, which has no meaning yet.
func (d *Progressive) first(t *progressiveTile, quants []byte, flags, quality uint8, b []byte) error {
	difference := flags&tileDifference != 0
	if t.coefs == nil {
		t.coefs = new(tilePlanes)
	} else if difference && t.extrapolate != d.region.extrapolate {
		return dataError("difference to a tile of another transform")
	}
	t.coarse, t.extrapolate = quality != fullQuality, d.region.extrapolate
	if t.coarse && t.signs == nil {
		t.signs = new(tileSigns)
	}
	data := b[8:]
	for c := range components {
		n := int(binary.LittleEndian.Uint16(b[2*c:]))
		if err := need("tile's data", data, n); err != nil {
			return err
		}
		pos, err := d.region.bitPositions(c, quants[c], quality)
		if err != nil {
			return err
		}
		if d.shift, err = leftShifts(pos); err != nil {
			return err
		}
		t.pos[c] = pos
		var signs *[tileCoefs]int8
		if t.coarse {
			signs = t.signs.component(c)
		}
		if difference {
			decodeRLGR(&d.diff, data[:n], false)
			dequantise(&d.diff, &d.shift, t.extrapolate, signs, t.coefs.component(c))
		} else {
			q := t.coefs.component(c)
			decodeRLGR(q, data[:n], false)
			dequantise(q, &d.shift, t.extrapolate, signs, nil)
		}
		data = data[n:]
	}
	return nil
}

// upgrade decodes RFX_PROGRESSIVE_TILE_UPGRADE ([MS-RDPEGFX] 2.2.4.2.1.5.5). b begins with the lengths of the components'
// SRL and raw data.
func (d *Progressive) upgrade(t *progressiveTile, quants []byte, quality uint8, b []byte) error {
	if !t.coarse {
		return dataError("upgrade of a tile that is missing or complete")
	}
	if t.extrapolate != d.region.extrapolate {
		return dataError("upgrade of a tile of another transform")
	}
	data := b[12:]
	for c := range components {
		srl, raw := int(binary.LittleEndian.Uint16(b[4*c:])), int(binary.LittleEndian.Uint16(b[4*c+2:]))
		if err := need("tile's data", data, srl+raw); err != nil {
			return err
		}
		pos, err := d.region.bitPositions(c, quants[c], quality)
		if err != nil {
			return err
		}
		if err := t.upgradeComponent(c, pos, newUpgrader(data[:srl], data[srl:srl+raw])); err != nil {
			return err
		}
		data = data[srl+raw:]
	}
	return nil
}

// upgradeComponent adds the bits down to pos to the coefficients of component c.
func (t *progressiveTile) upgradeComponent(c int, pos shifts, u upgrader) error {
	shift, err := leftShifts(pos)
	if err != nil {
		return err
	}
	for b := range pos {
		if t.pos[c][b] < pos[b] || t.pos[c][b]-pos[b] > maxUpgradeBits {
			return dataError("upgrade of band %d from bit %d to %d", b, t.pos[c][b], pos[b])
		}
	}
	layout := &bandSizes[0]
	if t.extrapolate {
		layout = &bandSizes[1]
	}
	coefs, signs := t.coefs.component(c)[:], t.signs.component(c)[:]
	for b, size := range layout {
		more := uint(t.pos[c][b] - pos[b])
		if b == bands-1 {
			u.lowest(coefs, uint(shift[b]), more)
			break
		}
		u.band(coefs[:size], signs[:size], uint(shift[b]), more)
		coefs, signs = coefs[size:], signs[size:]
	}
	t.pos[c] = pos
	return nil
}
