package scene

import (
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// fonts are those of one scene: a face must not be used by two at once.
type fonts struct {
	text, title, mono, clock *face
}

func newFonts() fonts {
	return fonts{
		text:  newFace(goregular.TTF, 14),
		title: newFace(gomedium.TTF, 14),
		mono:  newFace(gomono.TTF, 15),
		clock: newFace(gomedium.TTF, 15),
	}
}

// face draws letters at whole pixels and remembers what they look like.
type face struct {
	face   font.Face
	ascent int
	height int // from one line to the next
	glyphs map[rune]glyph
}

type glyph struct {
	mask    *image.Alpha // its Rect is relative to the pen
	advance int
}

// maxGlyphs bounds what a face remembers; whoever types in every script of the world starts it anew.
const maxGlyphs = 2048

// newFace reads a font that comes with the program.
func newFace(ttf []byte, size float64) *face {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic(err)
	}
	o, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err)
	}
	m := o.Metrics()
	return &face{face: o, ascent: m.Ascent.Ceil(), height: m.Height.Ceil(), glyphs: make(map[rune]glyph)}
}

func (f *face) glyph(r rune) glyph {
	if g, ok := f.glyphs[r]; ok {
		return g
	}
	dr, mask, at, advance, _ := f.face.Glyph(fixed.Point26_6{}, r)
	g := glyph{image.NewAlpha(dr), advance.Round()}
	if mask != nil {
		draw.Draw(g.mask, dr, mask, at, draw.Src)
	}
	if len(f.glyphs) == maxGlyphs {
		clear(f.glyphs)
	}
	f.glyphs[r] = g
	return g
}

// width returns how far a text moves the pen.
func (f *face) width(s string) int {
	w := 0
	for _, r := range s {
		w += f.glyph(r).advance
	}
	return w
}

// text draws s with the upper left corner of its line at p and returns where it ends.
func (c canvas) text(f *face, p image.Point, s string, col color.RGBA) int {
	for _, r := range s {
		p.X = c.letter(f, p, r, col)
	}
	return p.X
}

// letter draws one rune.
func (c canvas) letter(f *face, p image.Point, r rune, col color.RGBA) int {
	g := f.glyph(r)
	at := g.mask.Rect.Add(p).Add(image.Pt(0, f.ascent))
	if !c.clipped(at) {
		draw.DrawMask(c.dst, at.Add(c.origin), image.NewUniform(col), image.Point{}, g.mask, g.mask.Rect.Min, draw.Over)
	}
	return p.X + g.advance
}
