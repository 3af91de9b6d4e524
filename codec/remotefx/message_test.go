package remotefx

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// tilesOf returns the tiles that a rectangle touches.
func tilesOf(r image.Rectangle) (tiles []image.Point) {
	for y := r.Min.Y / tileSide; y*tileSide < r.Max.Y; y++ {
		for x := r.Min.X / tileSide; x*tileSide < r.Max.X; x++ {
			tiles = append(tiles, image.Pt(x, y))
		}
	}
	return tiles
}

func rectBytesOf(rects []image.Rectangle) (b []byte) {
	for _, r := range rects {
		b = append(b, words(r.Min.X, r.Min.Y, r.Dx(), r.Dy())...)
	}
	return b
}

// remoteFXHeaders are the blocks that need come in the first message only.
func remoteFXHeaders(width, height int, rlgr3 bool) (b []byte) {
	et := entropyRLGR1
	if rlgr3 {
		et = entropyRLGR3
	}
	b = appendBlock(b, wbtSync, 0xca, 0xac, 0xcc, 0xca, 0x00, 0x01)
	b = appendBlock(b, wbtCodecVersions, 1, 1, 0, 1)
	b = appendBlock(b, wbtChannels, append([]byte{1, 0}, words(width, height)...)...)
	return appendBlock(b, wbtContext, append([]byte{1, 0xff, 0}, words(tileSide, 1<<3|1<<5|et<<entropyShift|1<<13)...)...)
}

// remoteFXFrame is a frame of one region and the tiles it touches. No rectangles mean the whole picture.
func remoteFXFrame(p pixel.BGRX, rects []image.Rectangle, quant shifts, rlgr3 bool) []byte {
	shown := rects
	if len(rects) == 0 {
		shown = []image.Rectangle{bounds(p)}
	}
	var tiles []byte
	seen := map[image.Point]bool{}
	for _, r := range shown {
		for _, at := range tilesOf(r) {
			if seen[at] {
				continue
			}
			seen[at] = true
			body, data := append([]byte{0, 0, 0}, words(at.X, at.Y)...), []byte(nil)
			for _, coefs := range tileCoefficients(p, at.X*tileSide, at.Y*tileSide, false) {
				c := encodeRLGR(differenced(quantise(coefs, quant, false), false), rlgr3)
				body, data = append(body, words(len(c))...), append(data, c...)
			}
			tiles = appendBlock(tiles, cbtTile, append(body, data...)...)
		}
	}
	b := appendBlock(nil, wbtFrameBegin, append([]byte{1, 0}, words(0, 0, 1)...)...)
	region := append([]byte{1, 0, 1}, words(len(rects))...)
	region = append(append(region, rectBytesOf(rects)...), words(cbtRegion, 1)...)
	b = appendBlock(b, wbtRegion, region...)
	set := append([]byte{1, 0}, words(cbtTileset, 0, 0)...)
	set = append(append(set, 1, tileSide), words(len(seen), len(tiles), len(tiles)>>16)...)
	b = appendBlock(b, wbtExtension, append(appendQuant(set, quant, &quantOrder), tiles...)...)
	return appendBlock(b, wbtFrameEnd, 1, 0)
}

// progressiveEncoder is the server's side of a codec context: what the client has of each tile.
type progressiveEncoder struct {
	extrapolate bool
	tiles       map[image.Point]*encodedTile
}

type encodedTile struct {
	base [components][]int // what the client had before the tile came last
	goal [components][]int // the coefficients that were sent, before quantisation
	pos  shifts
}

// known returns the coefficients the client has: base and the goal's bits down to pos.
func (e *progressiveEncoder) known(t *encodedTile, c int) []int {
	band, out := bandOf(e.extrapolate), make([]int, tileCoefs)
	for i, q := range quantise(t.goal[c], t.pos, e.extrapolate) {
		out[i] = t.base[c][i] + q<<(t.pos[band[i]]-1)
	}
	return out
}

// tile encodes the tile at a position. A first pass is a difference when asked and the tile came before; an upgrade sends
// the bits between the position it has and pos.
func (e *progressiveEncoder) tile(p pixel.BGRX, at image.Point, kind int, pos shifts, quality uint8, difference bool) (uint16, []byte) {
	head := append([]byte{0, 0, 0}, words(at.X, at.Y)...)
	var data []byte
	old := e.tiles[at]
	if kind == progTileUpgrade {
		head = append(head, quality)
		band := bandOf(e.extrapolate)
		for c := range components {
			var raw bitWriter
			var numbers, sizes []int
			had, now := quantise(old.goal[c], old.pos, e.extrapolate), quantise(old.goal[c], pos, e.extrapolate)
			for i := range now {
				b := band[i]
				n := int(old.pos[b] - pos[b])
				switch magnitude := max(now[i], -now[i]); {
				case n == 0:
				case b == bands-1:
					raw.put(now[i]&(1<<n-1), n)
				case had[i] != 0:
					raw.put(magnitude&(1<<n-1), n)
				default:
					numbers, sizes = append(numbers, now[i]), append(sizes, n)
				}
			}
			srl := encodeSRL(numbers, sizes)
			head, data = append(head, words(len(srl), len(raw.b))...), append(append(data, srl...), raw.b...)
		}
		old.pos = pos
		return progTileUpgrade, append(head, data...)
	}
	t := &encodedTile{pos: pos, goal: tileCoefficients(p, at.X*tileSide, at.Y*tileSide, e.extrapolate)}
	flags := byte(0)
	for c := range components {
		t.base[c] = make([]int, tileCoefs)
		if difference && old != nil {
			flags = tileDifference
			t.base[c] = e.known(old, c)
			for i := range t.goal[c] {
				t.goal[c][i] -= t.base[c][i]
			}
		}
	}
	if head = append(head, flags); kind == progTileFirst {
		head = append(head, quality)
	}
	for c := range components {
		d := encodeRLGR(differenced(quantise(t.goal[c], pos, e.extrapolate), e.extrapolate), false)
		head, data = append(head, words(len(d))...), append(data, d...)
	}
	e.tiles[at] = t
	return uint16(kind), append(append(head, words(0)...), data...)
}

// region is an RFX_PROGRESSIVE_REGION: kind tiles, all of the same quality. quality indexes more, the progressive quantisers,
// or is fullQuality.
func (e *progressiveEncoder) region(p pixel.BGRX, rects []image.Rectangle, at []image.Point, kind int, quant shifts, more []shifts, quality uint8, difference bool) []byte {
	pos := quant
	if quality != fullQuality {
		for b := range pos {
			pos[b] += more[quality][b]
		}
	}
	var tiles []byte
	for _, t := range at {
		blockType, body := e.tile(p, t, kind, pos, quality, difference)
		tiles = appendBlock(tiles, blockType, body...)
	}
	b := append(append([]byte{tileSide}, words(len(rects))...), 1, byte(len(more)), 0)
	if e.extrapolate {
		b[len(b)-1] = regionExtrapolate
	}
	b = binary.LittleEndian.AppendUint32(append(b, words(len(at))...), uint32(len(tiles)))
	b = appendQuant(append(b, rectBytesOf(rects)...), quant, &progressiveQuantOrder)
	for i, q := range more {
		b = append(b, byte(i))
		for range components {
			b = appendQuant(b, q, &progressiveQuantOrder)
		}
	}
	return appendBlock(nil, progRegion, append(b, tiles...)...)
}

// progressiveMessage wraps regions in a frame, with sync and context in front.
func progressiveMessage(regions ...[]byte) []byte {
	b := appendBlock(nil, progSync, 0xca, 0xac, 0xcc, 0xca, 0x00, 0x01)
	b = appendBlock(b, progContext, 0, tileSide, 0, 1)
	b = appendBlock(b, progFrameBegin, words(0, 0, len(regions))...)
	for _, r := range regions {
		b = append(b, r...)
	}
	return appendBlock(b, progFrameEnd)
}
