package rdpserver

import (
	"image"
	"image/color"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// overlay is a part of one client's picture that is not the desktop's. It has no holes and lies on whole blocks.
type overlay struct {
	rect image.Rectangle
	pix  *image.RGBA // of rect's size
}

// draw draws what of the overlay lies in r over out, which is the picture of r.
func (o *overlay) draw(out pixel.BGRX, r image.Rectangle) {
	in := o.rect.Intersect(r)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		from := o.pix.Pix[o.pix.PixOffset(in.Min.X-o.rect.Min.X, y-o.rect.Min.Y):]
		to := out.Row(y - r.Min.Y)[(in.Min.X-r.Min.X)*desktop.BytesPerPixel:]
		for x := range in.Dx() {
			to[4*x], to[4*x+1], to[4*x+2] = from[4*x+2], from[4*x+1], from[4*x]
		}
	}
}

// cover is what lies over one client's picture, and what was made of it. painter.mu guards it.
type cover struct {
	banner string  // empty: none
	freeze *Freeze // what the picture is in place of the desktop's; nil: it is the desktop's
	size   image.Point
	made   []overlay
	valid  bool
}

const (
	coverMargin   = 12 // pixels
	bannerTextPx  = 15
	stillTextPx   = 22
	maxCoverRunes = 600
	// maxBannerPixels bounds the height of a banner, in whole blocks.
	maxBannerPixels = 12 * desktop.BlockSize
)

var (
	bannerColour = color.RGBA{0x1f, 0x29, 0x37, 0xff}
	coverText    = color.RGBA{0xf9, 0xfa, 0xfb, 0xff}
)

// SetBanner shows a text across the top of this client's picture; the empty text takes it away.
func (c *Conn) SetBanner(text string) { c.setCover(func(v *cover) { v.banner = text }) }

// SetFreeze covers the picture with a still and says why; nil uncovers it. Meanwhile nothing of the desktop goes to the client.
func (c *Conn) SetFreeze(f *Freeze) { c.setCover(func(v *cover) { v.freeze = f }) }

// BannerHeight is how many rows of pixels at the top the banner takes; zero: there is none.
func (c *Conn) BannerHeight() int {
	p := c.picture
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cover.banner == "" || len(p.cover.made) == 0 {
		return 0
	}
	return p.cover.made[len(p.cover.made)-1].rect.Max.Y
}

// setCover waits for nothing, neither for the client nor for a picture to be made: that is for the painter.
func (c *Conn) setCover(change func(v *cover)) {
	p := c.picture
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.cover
	change(&p.cover)
	if p.cover.banner == before.banner && p.cover.freeze == before.freeze {
		return
	}
	p.cover.valid = false
	if p.cover.freeze != before.freeze {
		p.shift++ // the sources of the picture are stopped, or begin anew
		p.all = true
		p.progressed()
	}
	if p.force != nil {
		p.force.Add(image.Rect(0, 0, desktop.MaxWidth, maxBannerPixels))
	}
	p.signal()
}

// coverAll marks the blocks below the overlays to be drawn again. It needs mu.
func (p *painter) coverAll(size image.Point) {
	if p.force == nil || size == (image.Point{}) {
		return
	}
	for _, o := range p.overlaysFor(size) {
		p.force.Add(o.rect)
	}
}

// overlaysFor returns what lies over a picture of a size, the lowest first. It needs mu, and the framebuffer must not be locked.
func (p *painter) overlaysFor(size image.Point) []overlay {
	v := &p.cover
	if v.valid && v.size == size {
		return v.made
	}
	v.valid, v.size, v.made = true, size, nil
	if v.freeze != nil {
		v.made = append(v.made, overlay{image.Rectangle{Max: size}, still(v.freeze, size)})
	}
	if v.banner != "" {
		v.made = append(v.made, banner(size.X, size.Y, v.banner))
	}
	return v.made
}

// still makes a picture of a frozen session's: darker, with the reason in its middle.
func still(f *Freeze, size image.Point) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: size})
	if f.Still != nil {
		draw.ApproxBiLinear.Scale(out, out.Bounds(), f.Still, f.Still.Bounds(), draw.Src, nil)
	}
	for i := range out.Pix {
		if i%4 != 3 {
			out.Pix[i] /= 2
		} else {
			out.Pix[i] = 0xff
		}
	}
	text := f.Text
	face := faceOf(stillTextPx)
	lines := wrap(face, text, size.X*2/3)
	height := len(lines) * stillTextPx * 3 / 2
	y := (size.Y-height)/2 + stillTextPx
	for _, line := range lines {
		x := (size.X - font.MeasureString(face, line).Ceil()) / 2
		write(out, face, line, image.Pt(x, y))
		y += stillTextPx * 3 / 2
	}
	return out
}

// banner makes a strip across the top of a picture.
func banner(width, height int, text string) overlay {
	face := faceOf(bannerTextPx)
	lines := wrap(face, text, max(width-2*coverMargin, 1))
	const step = bannerTextPx * 3 / 2
	const block = desktop.BlockSize
	h := min((len(lines)*step+coverMargin+block-1)/block*block, height, maxBannerPixels)
	out := image.NewRGBA(image.Rect(0, 0, width, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(bannerColour), image.Point{}, draw.Src)
	y := coverMargin/2 + bannerTextPx
	for _, line := range lines {
		write(out, face, line, image.Pt(coverMargin, y))
		y += step
	}
	return overlay{out.Bounds(), out}
}

func write(out *image.RGBA, face font.Face, text string, at image.Point) {
	d := font.Drawer{Dst: out, Src: image.NewUniform(coverText), Face: face, Dot: fixed.P(at.X, at.Y)}
	d.DrawString(text)
}

// wrap breaks a text into lines of a width in pixels, between words where it can.
func wrap(face font.Face, text string, width int) []string {
	runes := []rune(text)
	if len(runes) > maxCoverRunes {
		runes = append(runes[:maxCoverRunes], '…')
	}
	var lines []string
	for len(runes) > 0 {
		end, space := 0, 0
		for end < len(runes) && runes[end] != '\n' && (end == 0 || font.MeasureString(face, string(runes[:end+1])).Ceil() <= width) {
			if runes[end] == ' ' {
				space = end
			}
			end++
		}
		next := end
		switch {
		case end < len(runes) && runes[end] == '\n':
			next = end + 1
		case end < len(runes) && space > 0:
			end, next = space, space+1
		}
		lines = append(lines, string(runes[:end]))
		runes = runes[next:]
	}
	return lines
}

var parseFont = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // it is part of this program
	}
	return f
})

// faceOf returns the font of a size in pixels. Faces are not for concurrent use.
func faceOf(px float64) font.Face {
	face, err := opentype.NewFace(parseFont(), &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // the options are ours
	}
	return face
}
