package egfx

import (
	"encoding/binary"
	"image"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Point16 is RDPGFX_POINT16 ([MS-RDPEGFX] 2.2.1.1): a place on a surface.
type Point16 struct {
	X, Y int16
}

func (p Point16) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(p.X))
	return binary.LittleEndian.AppendUint16(b, uint16(p.Y))
}

// Point returns the point for calculations that do not overflow.
func (p Point16) Point() image.Point { return image.Pt(int(p.X), int(p.Y)) }

// Rect16 is RDPGFX_RECT16 ([MS-RDPEGFX] 2.2.1.2): a part of a surface; right and bottom are not in it.
type Rect16 struct {
	Left, Top, Right, Bottom uint16
}

// Rectangle returns the rectangle for calculations that do not overflow.
func (r Rect16) Rectangle() image.Rectangle {
	return image.Rectangle{Min: image.Pt(int(r.Left), int(r.Top)), Max: image.Pt(int(r.Right), int(r.Bottom))}
}

func (r Rect16) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, r.Left)
	b = binary.LittleEndian.AppendUint16(b, r.Top)
	b = binary.LittleEndian.AppendUint16(b, r.Right)
	return binary.LittleEndian.AppendUint16(b, r.Bottom)
}

// readRect refuses inverted rectangles, whose sizes turn huge where they are unsigned (CVE-2021-41160).
func readRect(r *wire.Reader) Rect16 {
	rect := Rect16{Left: r.Uint16(), Top: r.Uint16(), Right: r.Uint16(), Bottom: r.Uint16()}
	if rect.Right < rect.Left || rect.Bottom < rect.Top {
		_ = r.Refuse("rectangle from %d,%d to %d,%d", rect.Left, rect.Top, rect.Right, rect.Bottom)
	}
	return rect
}

// readRects reads count rectangles into the memory of rects.
func readRects(r *wire.Reader, rects []Rect16, count int) []Rect16 {
	if 8*count > r.Len() {
		_ = r.Refuse("%d rectangles in %d bytes", count, r.Len())
		return nil
	}
	rects = rects[:0]
	for range count {
		rects = append(rects, readRect(r))
	}
	return rects
}

// readPoints reads count points into the memory of points.
func readPoints(r *wire.Reader, points []Point16, count int) []Point16 {
	if 4*count > r.Len() {
		_ = r.Refuse("%d points in %d bytes", count, r.Len())
		return nil
	}
	points = points[:0]
	for range count {
		points = append(points, Point16{X: r.Int16(), Y: r.Int16()})
	}
	return points
}

func appendPoints(b []byte, points []Point16) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(points)))
	for _, p := range points {
		b = p.append(b)
	}
	return b
}

// Color32 is RDPGFX_COLOR32 ([MS-RDPEGFX] 2.2.1.3). XA is the opacity, or has no meaning.
type Color32 struct {
	B, G, R, XA uint8
}

// PixelFormat is RDPGFX_PIXELFORMAT ([MS-RDPEGFX] 2.2.1.4).
type PixelFormat uint8

// The values of PixelFormat.
const (
	FormatXRGB PixelFormat = 0x20
	FormatARGB PixelFormat = 0x21
)

func readFormat(r *wire.Reader) PixelFormat {
	format := PixelFormat(r.Uint8())
	if r.Err() == nil && format != FormatXRGB && format != FormatARGB {
		_ = r.Refuse("pixelFormat %d is none", format)
	}
	return format
}

// Codec is the codecId of WireToSurface1 and 2 ([MS-RDPEGFX] 2.2.2.1, 2.2.2.2).
type Codec uint16

// The values of Codec. CodecCAProgressive comes in WireToSurface2, the others in WireToSurface1.
const (
	CodecUncompressed  Codec = 0x0000
	CodecCAVideo       Codec = 0x0003 // RemoteFX, [MS-RDPRFX]
	CodecClearCodec    Codec = 0x0008
	CodecCAProgressive Codec = 0x0009
	CodecPlanar        Codec = 0x000a
	CodecAVC420        Codec = 0x000b
	CodecAlpha         Codec = 0x000c
	CodecAVC444        Codec = 0x000e
	CodecAVC444v2      Codec = 0x000f
)

// readBlob reads bytes preceded by their 32-bit count, which must be all that is left ([MS-RDPEGFX] 3.3.5.1).
func readBlob(r *wire.Reader) []byte {
	if n := r.Uint32(); r.Err() == nil && uint64(n) != uint64(r.Len()) {
		_ = r.Refuse("bitmapDataLength %d, but %d bytes", n, r.Len())
	}
	return r.Rest()
}
