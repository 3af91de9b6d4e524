package e2e

import (
	"fmt"
	"image"
	"image/color"
)

// Where two pictures of a desktop are compared: at spots where the desktop has one colour all around, so that what
// H.264 does at edges and to the resolution of colours does not count.
const (
	spotEvery  = 12 // pixels from one spot to the next, either way
	spotRadius = 8  // pixels around a spot that have its colour
	spotSpread = 8  // the largest difference among them that is one colour: a wallpaper's noise
	spotEdge   = 40 // pixels to the right and at the bottom, where the pointer is put out of the way

	// h264Tolerance is how far a colour may be from that of the desktop, out of 255.
	h264Tolerance = 6
)

type spot struct {
	at     image.Point
	colour color.RGBA // the mean
}

// spots finds where a picture has one colour.
func spots(img *image.RGBA) []spot {
	var found []spot
	size := img.Rect.Size()
	for y := spotRadius; y < size.Y-spotEdge; y += spotEvery {
		for x := spotRadius; x < size.X-spotEdge; x += spotEvery {
			if c, ok := flat(img, x, y); ok {
				found = append(found, spot{image.Pt(x, y), c})
			}
		}
	}
	return found
}

// flat reports whether a pixel's surroundings have one colour, and which.
func flat(img *image.RGBA, x, y int) (color.RGBA, bool) {
	var sum [3]int
	low, high := [3]byte{255, 255, 255}, [3]byte{}
	n := 0
	for dy := -spotRadius; dy <= spotRadius; dy++ {
		row := img.Pix[img.PixOffset(x-spotRadius, y+dy):]
		for i := range 2*spotRadius + 1 {
			for c := range 3 {
				v := row[4*i+c]
				sum[c] += int(v)
				low[c], high[c] = min(low[c], v), max(high[c], v)
			}
			n++
		}
	}
	for c := range 3 {
		if high[c]-low[c] > spotSpread {
			return color.RGBA{}, false
		}
	}
	return color.RGBA{R: uint8(sum[0] / n), G: uint8(sum[1] / n), B: uint8(sum[2] / n), A: 255}, true
}

// alike says in what a video's picture is not that of the desktop; "" when it is. The video may have a column or a
// row more, for H.264 knows even sizes only.
func alike(got, want *image.RGBA, tolerance int) string {
	if got == nil {
		return "no picture"
	}
	size := want.Rect.Size()
	if extra := got.Rect.Size().Sub(size); extra != image.Pt(size.X&1, size.Y&1) {
		return fmt.Sprintf("size %v, want %v", got.Rect.Size(), size)
	}
	all := spots(want)
	if enough := size.X / spotEvery * (size.Y / spotEvery) / 4; len(all) < enough {
		return fmt.Sprintf("the desktop has %d spots of one colour, fewer than %d: nothing to compare", len(all), enough)
	}
	bad, colours, first := 0, map[color.RGBA]bool{}, ""
	for _, s := range all {
		colours[color.RGBA{R: s.colour.R &^ 15, G: s.colour.G &^ 15, B: s.colour.B &^ 15}] = true
		if c := got.RGBAAt(s.at.X, s.at.Y); apart(c, s.colour) > tolerance {
			if bad++; first == "" {
				first = fmt.Sprintf("at %v %v, want %v", s.at, c, s.colour)
			}
		}
	}
	if len(colours) < 3 {
		return fmt.Sprintf("the desktop has %d colours: nothing to compare", len(colours))
	}
	if bad > 0 {
		return fmt.Sprintf("%d of %d spots differ: %s", bad, len(all), first)
	}
	return ""
}

// apart is the largest difference of two colours' parts.
func apart(a, b color.RGBA) int {
	most := 0
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
		most = max(most, d, -d)
	}
	return most
}
