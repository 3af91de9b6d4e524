package remotefx

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Types of the blocks of a message ([MS-RDPRFX] 2.2.2.1.1).
const (
	wbtSync          = 0xccc0
	wbtCodecVersions = 0xccc1
	wbtChannels      = 0xccc2
	wbtContext       = 0xccc3
	wbtFrameBegin    = 0xccc4
	wbtFrameEnd      = 0xccc5
	wbtRegion        = 0xccc6
	wbtExtension     = 0xccc7
	cbtRegion        = 0xcac1
	cbtTileset       = 0xcac2
	cbtTile          = 0xcac3
)

// Entropy coders, the et field of properties ([MS-RDPRFX] 2.2.2.2.4).
const (
	entropyShift = 9
	entropyMask  = 15
	entropyRLGR1 = 1
	entropyRLGR3 = 4
)

// Decoder decodes RemoteFX messages, whether they come in surface bits commands or in EGFX (RDPGFX_CODECID_CAVIDEO). It
// remembers the headers, which may come in the first message only: one Decoder belongs to one connection. The zero value
// is ready. It is not safe for concurrent use.
type Decoder struct {
	painter
	context       bool // TS_RFX_CONTEXT was seen
	rlgr3         bool
	width, height int // of the channel, pixels; zero before TS_RFX_CHANNELS

	region  bool              // rects are those of a TS_RFX_REGION of this message
	rects   []image.Rectangle // of the present region, within the destination
	updated []image.Rectangle // of all regions of the message
	coefs   tilePlanes
}

// Decode draws a message (TS_RFX blocks) into dst, the message's own top left corner at origin. It returns the
// rectangles of dst that may have changed, which the regions of the message name; they are valid until the next call.
// After an error dst may have changed in part.
func (d *Decoder) Decode(src []byte, dst pixel.BGRX, origin image.Point) ([]image.Rectangle, error) {
	if err := dst.Check(); err != nil {
		return nil, err
	}
	d.updated, d.region = d.updated[:0], false
	for len(src) > 0 {
		blockType, body, rest, err := nextBlock(src)
		if err != nil {
			return nil, err
		}
		src = rest
		if err := d.block(blockType, body, dst, origin); err != nil {
			return nil, err
		}
	}
	return d.updated, nil
}

func (d *Decoder) block(blockType uint16, body []byte, dst pixel.BGRX, origin image.Point) error {
	if blockType >= wbtContext && blockType <= wbtExtension {
		// TS_RFX_CODEC_CHANNELT: codecId and channelId, which have but one value each and are not looked at.
		if err := need("TS_RFX_CODEC_CHANNELT", body, 2); err != nil {
			return err
		}
		body = body[2:]
	}
	switch blockType {
	case wbtSync:
		return checkSync(body)
	case wbtCodecVersions: // nothing in it can differ
		return need("TS_RFX_CODEC_VERSIONS", body, 4)
	case wbtChannels:
		return d.channels(body)
	case wbtContext:
		return d.setContext(body)
	case wbtFrameBegin, wbtFrameEnd:
		d.region = false
		return nil
	case wbtRegion:
		return d.setRegion(body, dst, origin)
	case wbtExtension:
		return d.tileset(body, dst, origin)
	}
	return dataError("block of type %#04x", blockType)
}

// channels reads TS_RFX_CHANNELS ([MS-RDPRFX] 2.2.2.2.3). More than one channel comes from servers of virtual machines with
// several monitors; all of them draw on the first.
func (d *Decoder) channels(body []byte) error {
	if err := need("TS_RFX_CHANNELS", body, 6); err != nil {
		return err
	}
	d.width, d.height = int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint16(body[4:]))
	return nil
}

// setContext reads TS_RFX_CONTEXT ([MS-RDPRFX] 2.2.2.2.4).
func (d *Decoder) setContext(body []byte) error {
	if err := need("TS_RFX_CONTEXT", body, 5); err != nil {
		return err
	}
	if side := binary.LittleEndian.Uint16(body[1:]); side != tileSide {
		return dataError("tileSize %d", side)
	}
	switch et := binary.LittleEndian.Uint16(body[3:]) >> entropyShift & entropyMask; et {
	case entropyRLGR1:
		d.rlgr3 = false
	case entropyRLGR3:
		d.rlgr3 = true
	default:
		return dataError("entropy coder %d", et)
	}
	d.context = true
	return nil
}

// setRegion reads TS_RFX_REGION ([MS-RDPRFX] 2.2.2.3.3).
func (d *Decoder) setRegion(body []byte, dst pixel.BGRX, origin image.Point) error {
	if err := need("TS_RFX_REGION", body, 3); err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint16(body[1:]))
	if n > maxRects {
		return dataError("numRects %d exceeds %d", n, maxRects)
	}
	if err := need("TS_RFX_REGION", body, 3+n*rectBytes); err != nil {
		return err
	}
	d.rects = appendRects(d.rects[:0], body[3:], n, origin, bounds(dst))
	if n == 0 { // means all of the channel
		all := image.Rect(0, 0, d.width, d.height).Add(origin).Intersect(bounds(dst))
		if !all.Empty() {
			d.rects = append(d.rects, all)
		}
	}
	d.region = true
	d.updated = append(d.updated, d.rects...)
	return nil
}

const (
	tilesetBytes = 14 // of TS_RFX_TILESET before quantVals
	tileBytes    = 13 // of TS_RFX_TILE after the header and before the data
)

// tileset decodes TS_RFX_TILESET ([MS-RDPRFX] 2.2.2.3.4).
func (d *Decoder) tileset(body []byte, dst pixel.BGRX, origin image.Point) error {
	if err := need("TS_RFX_TILESET", body, tilesetBytes); err != nil {
		return err
	}
	if subtype := binary.LittleEndian.Uint16(body); subtype != cbtTileset {
		return dataError("extension %#04x", subtype)
	}
	if !d.context || !d.region {
		return dataError("TS_RFX_TILESET before TS_RFX_CONTEXT and TS_RFX_REGION")
	}
	quants, tiles := int(body[6]), int(binary.LittleEndian.Uint16(body[8:]))
	if body[7] != tileSide {
		return dataError("tileSize %d", body[7])
	}
	body = body[tilesetBytes:]
	if err := need("quantVals", body, quants*quantBytes); err != nil {
		return err
	}
	table, body := body[:quants*quantBytes], body[quants*quantBytes:]
	for range tiles {
		blockType, tile, rest, err := nextBlock(body)
		if err != nil {
			return err
		}
		if blockType != cbtTile {
			return dataError("block of type %#04x among tiles", blockType)
		}
		if err := d.tile(tile, table, dst, origin); err != nil {
			return err
		}
		body = rest
	}
	return nil
}

// tile decodes one TS_RFX_TILE ([MS-RDPRFX] 2.2.2.3.4.1), unless no rectangle of the region shows it.
func (d *Decoder) tile(b, quants []byte, dst pixel.BGRX, origin image.Point) error {
	if err := need("TS_RFX_TILE", b, tileBytes); err != nil {
		return err
	}
	p := image.Pt(int(binary.LittleEndian.Uint16(b[3:])), int(binary.LittleEndian.Uint16(b[5:]))).Mul(tileSide).Add(origin)
	if !touches(d.rects, tileRect(p)) {
		return nil
	}
	data := b[tileBytes:]
	for c := range components {
		quant := int(b[c])
		if (quant+1)*quantBytes > len(quants) {
			return dataError("quantiser %d of %d", quant, len(quants)/quantBytes)
		}
		var err error
		if d.shift, err = leftShifts(readQuant(quants[quant*quantBytes:], &quantOrder)); err != nil {
			return err
		}
		n := int(binary.LittleEndian.Uint16(b[7+2*c:]))
		if err := need("TS_RFX_TILE's data", data, n); err != nil {
			return err
		}
		q := d.coefs.component(c)
		decodeRLGR(q, data[:n], d.rlgr3)
		dequantise(q, &d.shift, false, nil, nil)
		data = data[n:]
	}
	d.paint(dst, p, d.rects, &d.coefs, false)
	return nil
}
