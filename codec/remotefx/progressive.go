package remotefx

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// Types of the blocks of RemoteFX Progressive ([MS-RDPEGFX] 2.2.4.2.1).
const (
	progSync        = 0xccc0
	progFrameBegin  = 0xccc1
	progFrameEnd    = 0xccc2
	progContext     = 0xccc3
	progRegion      = 0xccc4
	progTileSimple  = 0xccc5
	progTileFirst   = 0xccc6
	progTileUpgrade = 0xccc7
)

// regionExtrapolate is RFX_DWT_REDUCE_EXTRAPOLATE ([MS-RDPEGFX] 2.2.4.2.1.5).
const regionExtrapolate = 0x01

// Progressive decodes RemoteFX Progressive for one codec context of one surface, and keeps that surface's tiles. The zero
// value is ready. It is not safe for concurrent use.
type Progressive struct {
	painter
	inFrame       bool // between RFX_PROGRESSIVE_FRAME_BEGIN and _END
	width, height int  // of the surface, pixels
	cols          int  // tiles in a row of the surface
	tiles         []progressiveTile

	// The regions of a graphics frame share their tiles: any of them may show a tile that another one brought.
	frame      uint32
	frameTiles []int             // indices of the tiles that came in this frame
	frameRects []image.Rectangle // of all regions of this frame, within the surface

	region  regionHeader
	late    image.Rectangle   // around what tiles of the present region draw in rectangles of earlier ones
	updated []image.Rectangle // of this message
	diff    [tileCoefs]int16  // of a component that is added to the previous picture's
}

// progressiveTile is what is kept of a tile.
type progressiveTile struct {
	coefs       *tilePlanes // nil until the tile came for the first time
	signs       *tileSigns  // of coefficients that upgrades go on with; nil for a tile that never came coarsely
	pos         [components]shifts
	extrapolate bool
	coarse      bool // the tile may be upgraded
	inFrame     bool // listed in frameTiles
}

// Reset forgets all tiles: RDPGFX_DELETE_ENCODING_CONTEXT_PDU ([MS-RDPEGFX] 2.2.2.3).
func (d *Progressive) Reset() {
	d.tiles, d.width, d.height, d.inFrame = nil, 0, 0, false
	d.frameTiles, d.frameRects = d.frameTiles[:0], d.frameRects[:0]
}

// Decode draws a message (RFX_PROGRESSIVE_BITMAP_STREAM) into dst, which is the whole surface and of the same size each time;
// another size is another surface and forgets all tiles. frame is the frameId of the present
// RDPGFX_START_FRAME_PDU: regions of one graphics frame share their tiles. Decode returns the rectangles of dst that
// may have changed; they are valid until the next call. After an error dst may have changed in part and the tiles are no
// longer to be relied on.
func (d *Progressive) Decode(frame uint32, src []byte, dst pixel.BGRX) ([]image.Rectangle, error) {
	if err := dst.Check(); err != nil {
		return nil, err
	}
	if err := d.resize(dst.Width, dst.Height); err != nil {
		return nil, err
	}
	if frame != d.frame {
		d.frame = frame
		d.forgetFrame()
	}
	d.updated = d.updated[:0]
	for len(src) > 0 {
		blockType, body, rest, err := nextBlock(src)
		if err != nil {
			return nil, err
		}
		src = rest
		switch blockType {
		case progSync:
			err = checkSync(body)
		case progFrameBegin:
			err = need("RFX_PROGRESSIVE_FRAME_BEGIN", body, 6)
			d.inFrame = true
		case progFrameEnd:
			d.inFrame = false
		case progContext:
			err = checkContext(body)
		case progRegion:
			// Regions outside a frame are to be ignored ([MS-RDPEGFX] 2.2.4.2.1.5).
			if d.inFrame {
				err = d.decodeRegion(body, dst)
			}
		default:
			err = dataError("block of type %#04x", blockType)
		}
		if err != nil {
			return nil, err
		}
	}
	return d.updated, nil
}

// resize makes room for the tiles of a surface.
func (d *Progressive) resize(width, height int) error {
	if width == d.width && height == d.height {
		return nil
	}
	cols, rows := (width+tileSide-1)/tileSide, (height+tileSide-1)/tileSide
	if cols > maxSurfaceTiles || cols*rows > maxSurfaceTiles {
		return dataError("%d×%d tiles of a surface exceed %d", cols, rows, maxSurfaceTiles)
	}
	d.Reset()
	d.tiles, d.width, d.height, d.cols = make([]progressiveTile, cols*rows), width, height, cols
	return nil
}

// forgetFrame begins a graphics frame.
func (d *Progressive) forgetFrame() {
	for _, i := range d.frameTiles {
		d.tiles[i].inFrame = false
	}
	d.frameTiles, d.frameRects = d.frameTiles[:0], d.frameRects[:0]
}

// checkContext checks RFX_PROGRESSIVE_CONTEXT ([MS-RDPEGFX] 2.2.4.2.1.4). Its flag, that tiles may be differences, is not
// needed: each tile says whether it is one.
func checkContext(body []byte) error {
	if err := need("RFX_PROGRESSIVE_CONTEXT", body, 4); err != nil {
		return err
	}
	if side := binary.LittleEndian.Uint16(body[1:]); side != tileSide {
		return dataError("tileSize %d", side)
	}
	return nil
}

// regionHeader is what the tiles of an RFX_PROGRESSIVE_REGION need of it. The tables lie within the message.
type regionHeader struct {
	extrapolate bool
	quants      []byte // quantBytes each
	progQuants  []byte // progQuantBytes each
}

const (
	regionBytes    = 12               // of RFX_PROGRESSIVE_REGION before rects
	progQuantBytes = 1 + 3*quantBytes // RFX_PROGRESSIVE_CODEC_QUANT: quality and one quantiser a component
)

// decodeRegion decodes RFX_PROGRESSIVE_REGION ([MS-RDPEGFX] 2.2.4.2.1.5).
func (d *Progressive) decodeRegion(body []byte, dst pixel.BGRX) error {
	if err := need("RFX_PROGRESSIVE_REGION", body, regionBytes); err != nil {
		return err
	}
	if body[0] != tileSide {
		return dataError("tileSize %d", body[0])
	}
	rects := int(binary.LittleEndian.Uint16(body[1:]))
	quants, progQuants := int(body[3])*quantBytes, int(body[4])*progQuantBytes
	d.region.extrapolate = body[5]&regionExtrapolate != 0
	tiles, tileData := int(binary.LittleEndian.Uint16(body[6:])), binary.LittleEndian.Uint32(body[8:])
	if rects > maxRects {
		return dataError("numRects %d exceeds %d", rects, maxRects)
	}
	body = body[regionBytes:]
	if n := rects*rectBytes + quants + progQuants; uint64(len(body)) < uint64(n)+uint64(tileData) {
		return dataError("RFX_PROGRESSIVE_REGION of %d bytes, need %d and %d of tiles", len(body), n, tileData)
	}
	if len(d.frameRects)+rects > maxRects {
		d.forgetFrame()
	}
	oldRects, oldTiles := len(d.frameRects), len(d.frameTiles)
	d.frameRects = appendRects(d.frameRects, body, rects, image.Point{}, bounds(dst))
	body = body[rects*rectBytes:]
	d.region.quants, body = body[:quants], body[quants:]
	d.region.progQuants, body = body[:progQuants], body[progQuants:]

	d.late = image.Rectangle{}
	body = body[:tileData]
	for range tiles {
		blockType, tile, rest, err := nextBlock(body)
		if err != nil {
			return err
		}
		if err := d.decodeTile(blockType, tile, dst, oldRects); err != nil {
			return err
		}
		body = rest
	}
	if len(body) > 0 {
		return dataError("%d bytes after %d tiles", len(body), tiles)
	}
	added := d.frameRects[oldRects:]
	for _, i := range d.frameTiles[:oldTiles] {
		if p := d.position(i); touches(added, tileRect(p)) {
			d.paint(dst, p, added, d.tiles[i].coefs, d.tiles[i].extrapolate)
		}
	}
	d.updated = append(d.updated, added...)
	if !d.late.Empty() {
		d.updated = append(d.updated, d.late)
	}
	return nil
}

// position returns the top left corner of tile i.
func (d *Progressive) position(i int) image.Point { return image.Pt(i%d.cols, i/d.cols).Mul(tileSide) }
