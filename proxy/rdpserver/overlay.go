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
	prompt prompt  // zero: none
	freeze *Freeze // what the picture is in place of the desktop's; nil: it is the desktop's
	size   image.Point
	made   []overlay
	valid  bool
}

// prompt is a question over one client's picture, with the line on which it is answered.
type prompt struct{ text, line, problem, hint string }

const (
	coverMargin   = 12 // pixels
	bannerTextPx  = 15
	stillTextPx   = 22
	maxCoverRunes = 600
	// maxBannerPixels bounds the height of a banner, in whole blocks.
	maxBannerPixels = 12 * desktop.BlockSize
	// promptWidth and promptHeight are those of a prompt, in pixels, whatever it says.
	promptWidth, promptHeight = 40 * desktop.BlockSize, 14 * desktop.BlockSize
)

var (
	bannerColour = color.RGBA{0x1f, 0x29, 0x37, 0xff}
	coverText    = color.RGBA{0xf9, 0xfa, 0xfb, 0xff}
	coverQuiet   = color.RGBA{0xae, 0xb6, 0xc2, 0xff}
	coverProblem = color.RGBA{0xff, 0xb4, 0x5e, 0xff}
	lineColour   = color.RGBA{0x0f, 0x17, 0x22, 0xff}
	borderColour = color.RGBA{0x5b, 0x8d, 0xef, 0xff}
)

// SetBanner shows a text across the top of this client's picture; the empty text takes it away.
func (c *Conn) SetBanner(text string) { c.setCover(func(v *cover) { v.banner = text }) }

// SetFreeze covers the picture with a still and says why; nil uncovers it. Meanwhile nothing of the desktop goes to the client.
func (c *Conn) SetFreeze(f *Freeze) { c.setCover(func(v *cover) { v.freeze = f }) }

// setPrompt shows a question over the picture; the zero value takes it away.
func (c *Conn) setPrompt(q prompt) { c.setCover(func(v *cover) { v.prompt = q }) }

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
	if p.cover.banner == before.banner && p.cover.freeze == before.freeze && p.cover.prompt == before.prompt {
		return
	}
	p.cover.valid = false
	if p.cover.freeze != before.freeze {
		p.shift++ // the sources of the picture are stopped, or begin anew
		p.all = true
		p.progressed()
	}
	if p.force != nil {
		if p.cover.banner != before.banner {
			p.force.Add(image.Rect(0, 0, desktop.MaxWidth, maxBannerPixels))
		}
		if p.cover.prompt != before.prompt {
			p.force.Add(promptRect(before.size))
			p.force.Add(promptRect(p.c.desktop.Framebuffer.Size()))
		}
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
	if v.prompt != (prompt{}) {
		v.made = append(v.made, v.prompt.draw(size))
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
		write(out, face, coverText, line, image.Pt(x, y))
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
		write(out, face, coverText, line, image.Pt(coverMargin, y))
		y += step
	}
	return overlay{out.Bounds(), out}
}

// promptRect is where a prompt lies in a picture of a size: in its middle, below the text of a still, as far as there is room.
func promptRect(size image.Point) image.Rectangle {
	const block = desktop.BlockSize
	w, h := min(promptWidth, size.X), min(promptHeight, size.Y)
	x, y := (size.X-w)/2/block*block, min(size.Y/2+2*stillTextPx, size.Y-h)/block*block
	return image.Rect(x, y, x+w, y+h)
}

// draw makes the picture of a prompt over one of a size. What does not fit is cut: of the text the end, of the line the beginning.
func (q prompt) draw(size image.Point) overlay {
	r := promptRect(size)
	out := image.NewRGBA(image.Rectangle{Max: r.Size()})
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(out, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(out.Bounds(), borderColour)
	fill(out.Bounds().Inset(1), bannerColour)
	face := faceOf(bannerTextPx)
	const step = bannerTextPx * 3 / 2
	width, height := out.Bounds().Dx()-2*coverMargin, out.Bounds().Dy()
	field := image.Rect(coverMargin, height-coverMargin-2*step-step*3/2, coverMargin+width, height-coverMargin-2*step)
	y := coverMargin + bannerTextPx
	for _, line := range wrap(face, q.text, max(width, 1)) {
		if y+step/2 > field.Min.Y {
			break
		}
		write(out, face, coverText, line, image.Pt(coverMargin, y))
		y += step
	}
	fill(field, borderColour)
	fill(field.Inset(1), lineColour)
	line := []rune(q.line)
	for len(line) > 0 && font.MeasureString(face, string(line)).Ceil() > width-3*coverMargin/2 {
		line = line[1:]
	}
	at := image.Pt(field.Min.X+coverMargin/2, field.Max.Y-step/2)
	write(out, face, coverText, string(line), at)
	caret := at.X + font.MeasureString(face, string(line)).Ceil() + 1
	fill(image.Rect(caret, field.Min.Y+4, caret+2, field.Max.Y-4), coverText)
	if q.problem != "" {
		write(out, face, coverProblem, q.problem, image.Pt(coverMargin, field.Max.Y+step))
	}
	write(out, face, coverQuiet, q.hint, image.Pt(coverMargin, height-coverMargin))
	return overlay{r, out}
}

func write(out *image.RGBA, face font.Face, c color.Color, text string, at image.Point) {
	d := font.Drawer{Dst: out, Src: image.NewUniform(c), Face: face, Dot: fixed.P(at.X, at.Y)}
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
