package scene

import (
	"image"
	"image/color"
	"math"
)

// newWallpaper draws the background: panes of glass leaning in a dim room.
func newWallpaper(size image.Point) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	top, bottom := color.RGBA{0x1d, 0x4f, 0x49, 0xff}, color.RGBA{0x0c, 0x23, 0x22, 0xff}
	for y := range size.Y {
		t := float64(y) / float64(size.Y)
		row := img.Pix[y*img.Stride:][:4*size.X]
		for x := 0; x < len(row); x += 4 {
			row[x], row[x+1], row[x+2] = mix(top.R, bottom.R, t), mix(top.G, bottom.G, t), mix(top.B, bottom.B, t)
			row[x+3] = 0xff
		}
	}
	c := canvas{dst: img}
	w, h := float64(size.X), float64(size.Y)
	for _, p := range [...]struct{ x, width, lean, top, bottom float64 }{
		{0.62, 0.30, 0.22, 0.10, 1.20},
		{0.78, 0.26, 0.22, -0.20, 0.92},
		{0.20, 0.34, 0.22, 0.34, 1.30},
		{-0.08, 0.22, 0.22, -0.20, 0.70},
	} {
		glass := pane(w*p.x, w*p.width, h*p.lean, h*p.top, h*p.bottom)
		c.shape(img.Rect, color.RGBA{0x9c, 0xe0, 0xd4, 0x12}, glass)
		c.shape(img.Rect, color.RGBA{0xd6, 0xff, 0xf6, 0x2c}, func(x, y float64) float64 {
			return math.Abs(glass(x, y)+0.75) - 0.75 // its rim
		})
	}
	return img
}

func mix(a, b uint8, t float64) uint8 {
	return uint8(math.Round(float64(a) + (float64(b)-float64(a))*t))
}

// pane returns the distance to a slanted pane: x is its left edge at the height of the top.
func pane(x, width, lean, top, bottom float64) distance {
	slope := lean / (bottom - top)
	steep := math.Sqrt(1 + slope*slope)
	return func(px, py float64) float64 {
		shifted := px - x + slope*(py-top)
		return max(-shifted/steep, (shifted-width)/steep, top-py, py-bottom)
	}
}
