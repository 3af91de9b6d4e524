package watermark

import (
	"fmt"
	"image"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	fontSize = 22 // pixels an em
	lineStep = 28 // pixels
	margin   = 36 // pixels around a text in its half of the tile
)

// slope is by how much the text rises: 20 degrees.
var slopeSin, slopeCos = math.Sincos(-20 * math.Pi / 180)

// face is the font; its letters are all as wide, so that the time changes in its own place.
var face = sync.OnceValues(func() (*sfnt.Font, error) { return sfnt.Parse(gomonobold.TTF) })

// drawText returns the letters of lines, aslant, twice in a tile whose sides are whole blocks: in the upper left and the lower right
// quarter of it.
func drawText(lines []string) (*image.Alpha, error) {
	f, err := face()
	if err != nil {
		return nil, err
	}
	p := pen{font: f}
	widths := make([]float64, len(lines))
	width := 0.0
	for i, line := range lines {
		if widths[i], err = p.width(line); err != nil {
			return nil, err
		}
		width = max(width, widths[i])
	}
	height := float64(len(lines) * lineStep)
	half := image.Pt(
		blocks(width*slopeCos+height*-slopeSin+2*margin),
		blocks(width*-slopeSin+height*slopeCos+2*margin),
	)
	tile := image.Rect(0, 0, 2*half.X, 2*half.Y)
	p.rasterizer.Reset(tile.Dx(), tile.Dy())
	for _, middle := range []image.Point{half.Div(2), half.Div(2).Add(half)} {
		for i, line := range lines {
			left, base := -widths[i]/2, (float64(i)-float64(len(lines)-1)/2)*lineStep+fontSize/3.
			if err := p.draw(line, middle, left, base); err != nil {
				return nil, err
			}
		}
	}
	out := image.NewAlpha(tile)
	p.rasterizer.Draw(out, tile, image.Opaque, image.Point{})
	return out, nil
}

// blocks rounds up to whole blocks.
func blocks(pixels float64) int {
	return (int(math.Ceil(pixels)) + desktop.BlockSize - 1) / desktop.BlockSize * desktop.BlockSize
}

// pen writes with a font.
type pen struct {
	font       *sfnt.Font
	buf        sfnt.Buffer
	rasterizer vector.Rasterizer
}

// glyph returns the letter for r, or a question mark where the font has none.
func (p *pen) glyph(r rune) (sfnt.GlyphIndex, error) {
	g, err := p.font.GlyphIndex(&p.buf, r)
	if err == nil && g == 0 {
		g, err = p.font.GlyphIndex(&p.buf, '?')
	}
	return g, err
}

func (p *pen) advance(g sfnt.GlyphIndex) (float64, error) {
	a, err := p.font.GlyphAdvance(&p.buf, g, fixed.I(fontSize), font.HintingNone)
	return float64(a) / 64, err
}

func (p *pen) width(line string) (float64, error) {
	sum := 0.0
	for _, r := range line {
		g, err := p.glyph(r)
		if err != nil {
			return 0, err
		}
		a, err := p.advance(g)
		if err != nil {
			return 0, err
		}
		sum += a
	}
	return sum, nil
}

// draw adds a line of text to the picture. Its first letter stands at left on base, in pixels from middle before it is turned.
func (p *pen) draw(line string, middle image.Point, left, base float64) error {
	for _, r := range line {
		g, err := p.glyph(r)
		if err != nil {
			return err
		}
		segments, err := p.font.LoadGlyph(&p.buf, g, fixed.I(fontSize), nil)
		if err != nil {
			return fmt.Errorf("letter %q: %w", r, err)
		}
		at := func(q fixed.Point26_6) (x, y float32) {
			fx, fy := left+float64(q.X)/64, base+float64(q.Y)/64
			return float32(float64(middle.X) + fx*slopeCos - fy*slopeSin), float32(float64(middle.Y) + fx*slopeSin + fy*slopeCos)
		}
		for _, s := range segments {
			ax, ay := at(s.Args[0])
			bx, by := at(s.Args[1])
			cx, cy := at(s.Args[2])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				p.rasterizer.ClosePath()
				p.rasterizer.MoveTo(ax, ay)
			case sfnt.SegmentOpLineTo:
				p.rasterizer.LineTo(ax, ay)
			case sfnt.SegmentOpQuadTo:
				p.rasterizer.QuadTo(ax, ay, bx, by)
			case sfnt.SegmentOpCubeTo:
				p.rasterizer.CubeTo(ax, ay, bx, by, cx, cy)
			}
		}
		p.rasterizer.ClosePath()
		a, err := p.advance(g)
		if err != nil {
			return err
		}
		left += a
	}
	return nil
}
