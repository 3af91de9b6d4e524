package remotefx

import (
	"image"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// painter draws tiles within the rectangles of a region.
type painter struct {
	shift  shifts                                    // for dequantise: what C is shown is allocated once
	pixels [tileSide * tileSide * bytesPerPixel]byte // a tile that is only drawn in part
}

func bounds(p pixel.BGRX) image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }

// tileRect is the tile whose top left corner is at p.
func tileRect(p image.Point) image.Rectangle {
	return image.Rectangle{Min: p, Max: p.Add(image.Pt(tileSide, tileSide))}
}

// touches reports whether one of rects and r overlap.
func touches(rects []image.Rectangle, r image.Rectangle) bool {
	for i := range rects {
		if rects[i].Overlaps(r) {
			return true
		}
	}
	return false
}

// paint draws the parts within rects of the tile at p. The rectangles lie within dst.
func (d *painter) paint(dst pixel.BGRX, p image.Point, rects []image.Rectangle, coefs *tilePlanes, extrapolate bool) {
	tile := tileRect(p).Intersect(bounds(dst))
	if tile.Empty() {
		return
	}
	if slices.ContainsFunc(rects, tile.In) {
		render(dst.Sub(tile.Min.X, tile.Min.Y, tile.Dx(), tile.Dy()), coefs, extrapolate)
		return
	}
	whole := pixel.BGRX{Pix: d.pixels[:], Stride: tileSide * bytesPerPixel, Width: tileSide, Height: tileSide}
	rendered := false
	for i := range rects {
		part := rects[i].Intersect(tile)
		if part.Empty() {
			continue
		}
		if !rendered {
			render(whole, coefs, extrapolate)
			rendered = true
		}
		from := part.Sub(p)
		for y := range part.Dy() {
			copy(dst.Row(part.Min.Y + y)[part.Min.X*bytesPerPixel:part.Max.X*bytesPerPixel],
				whole.Row(from.Min.Y + y)[from.Min.X*bytesPerPixel:])
		}
	}
}
