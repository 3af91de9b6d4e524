package screen

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Sizes in pixels at 100 per cent.
const (
	cardWidth   = 420
	cardPadding = 32
	gap         = 14
	fieldHeight = 40
	lineHeight  = 21
	choiceHigh  = 50
	maxChoices  = 6 // in view at a time
)

type faceKey struct {
	style style
	size  float64
}

// face returns a style in a size at 100 per cent. s.mu is held.
func (s *Screen) face(st style, size float64) *face {
	k := faceKey{st, size}
	f := s.faces[k]
	if f == nil {
		var err error
		if f, err = newFace(st, size*s.scale); err != nil {
			panic(err) // New has parsed them all
		}
		s.faces[k] = f
	}
	return f
}

// px is a length at 100 per cent in pixels.
func (s *Screen) px(v float64) int { return int(math.Round(v * s.scale)) }

// block is a part of the card, laid out from top to bottom.
type block struct {
	height int
	draw   func(dst *image.RGBA, at image.Rectangle)
}

// draw draws what has changed.
func (s *Screen) draw() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.fb.Size()
	next := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(next, next.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	s.paint(next)
	before := s.canvas
	s.canvas = next
	if err := s.fb.DrawSome(next.Bounds(), func(pix []byte, stride int) []image.Rectangle { return blit(pix, stride, before, next) }); err != nil {
		return err
	}
	s.fb.Commit()
	return nil
}

// blit copies next into a framebuffer's pixels where it differs from before, and tells where that is.
func blit(pix []byte, stride int, before, next *image.RGBA) []image.Rectangle {
	const strip = 16
	var changed []image.Rectangle
	b := next.Bounds()
	for y0 := 0; y0 < b.Max.Y; y0 += strip {
		left, right := b.Max.X, 0
		y1 := min(y0+strip, b.Max.Y)
		for y := y0; y < y1; y++ {
			row := next.Pix[y*next.Stride:][:b.Max.X*4]
			if before == nil {
				left, right = 0, b.Max.X
				break
			}
			old := before.Pix[y*before.Stride:][:b.Max.X*4]
			if bytes.Equal(row, old) {
				continue
			}
			x0 := 0
			for bytes.Equal(row[x0*4:x0*4+4], old[x0*4:x0*4+4]) {
				x0++
			}
			x1 := b.Max.X
			for bytes.Equal(row[x1*4-4:x1*4], old[x1*4-4:x1*4]) {
				x1--
			}
			left, right = min(left, x0), max(right, x1)
		}
		if left >= right {
			continue
		}
		for y := y0; y < y1; y++ {
			for x := left; x < right; x++ {
				from := next.Pix[y*next.Stride+x*4:]
				to := pix[y*stride+x*desktop.BytesPerPixel:]
				to[0], to[1], to[2] = from[2], from[1], from[0]
			}
		}
		changed = append(changed, image.Rect(left, y0, right, y1))
	}
	return changed
}

// paint draws it all. s.mu is held.
func (s *Screen) paint(dst *image.RGBA) {
	s.hits = s.hits[:0]
	width := min(s.px(cardWidth), dst.Bounds().Dx()-s.px(16))
	inner := width - 2*s.px(cardPadding)
	blocks := s.blocks(inner)
	height := 2 * s.px(cardPadding)
	for _, b := range blocks {
		height += b.height
	}
	x := (dst.Bounds().Dx() - width) / 2
	y := max(s.px(8), (dst.Bounds().Dy()-height)*45/100)
	card := image.Rect(x, y, x+width, y+height)
	shadow(dst, card, s.px(18))
	box(dst, card, 10*s.scale, max(1, s.scale), surface, line)
	at := image.Pt(x+s.px(cardPadding), y+s.px(cardPadding))
	for _, b := range blocks {
		if b.draw != nil {
			b.draw(dst, image.Rect(at.X, at.Y, at.X+inner, at.Y+b.height))
		}
		at.Y += b.height
	}
	if s.form.Foot != "" {
		f := s.face(regular, 12.5)
		text := f.fit(s.form.Foot, dst.Bounds().Dx()-s.px(32))
		if y := dst.Bounds().Dy() - s.px(22); y > card.Max.Y+s.px(14) {
			f.draw(dst, image.Pt((dst.Bounds().Dx()-f.width(text))/2, y), text, ink3)
		}
	}
}

// shadow lies under the card.
func shadow(dst *image.RGBA, card image.Rectangle, depth int) {
	for i := depth; i > 0; i -= 2 {
		r := card.Inset(-i).Add(image.Pt(0, depth/3))
		p := shape(dst, r)
		p.round(0, 0, float64(r.Dx()), float64(r.Dy()), float64(12+i), false)
		p.fill(color.NRGBA{0, 0, 0, 6})
	}
}

// blocks are the parts of the card.
func (s *Screen) blocks(inner int) []block {
	f := &s.form
	out := []block{s.head()}
	add := func(b block, below float64) {
		b.height += s.px(below)
		out = append(out, b)
	}
	if f.Title != "" {
		add(s.text(s.face(semibold, 21), f.Title, ink, inner, 27), 4)
	}
	if f.Text != "" {
		add(s.text(s.face(regular, 14.5), f.Text, ink2, inner, lineHeight), gap)
	} else {
		add(block{}, gap)
	}
	if f.Error != "" {
		add(s.notice(f.Error, brick, brickBg, inner), gap)
	}
	if f.Code != "" {
		add(s.code(f.Code), gap)
	}
	for i := range s.fields {
		if len(f.Choices) == 0 {
			add(s.field(i, inner), gap)
		}
	}
	if len(f.Choices) > 0 {
		add(s.list(), gap)
	}
	switch {
	case f.Notice != "" && f.Busy:
		add(s.waiting(f.Notice, inner), gap)
	case f.Notice != "":
		add(s.notice(f.Notice, brass, brassBg, inner), gap)
	}
	if f.Submit != "" {
		add(s.submit(), 6)
	}
	if len(f.Links) > 0 {
		add(s.links(inner), 0)
	}
	return out
}

// head is the mark and the name.
func (s *Screen) head() block {
	return block{s.px(56), func(dst *image.RGBA, at image.Rectangle) {
		logo(dst, at.Min, s.px(30))
		s.face(semibold, 17).draw(dst, at.Min.Add(image.Pt(s.px(40), s.px(21))), "Vitrine", ink)
	}}
}

func (s *Screen) text(f *face, text string, c color.Color, inner int, high float64) block {
	lines := f.wrap(text, inner)
	return block{len(lines) * s.px(high), func(dst *image.RGBA, at image.Rectangle) {
		for i, l := range lines {
			f.draw(dst, at.Min.Add(image.Pt(0, i*s.px(high)+s.px(high*0.75))), l, c)
		}
	}}
}

// notice is text in a coloured box.
func (s *Screen) notice(text string, fore, back color.Color, inner int) block {
	f := s.face(regular, 14)
	pad := s.px(11)
	lines := f.wrap(text, inner-2*pad-s.px(3))
	return block{len(lines)*s.px(20) + 2*pad, func(dst *image.RGBA, at image.Rectangle) {
		at.Max.Y = at.Min.Y + len(lines)*s.px(20) + 2*pad
		box(dst, at, 6*s.scale, 0, back, nil)
		box(dst, image.Rect(at.Min.X, at.Min.Y, at.Min.X+s.px(3), at.Max.Y), 1.5*s.scale, 0, fore, nil)
		for i, l := range lines {
			f.draw(dst, at.Min.Add(image.Pt(pad+s.px(3), pad+i*s.px(20)+s.px(15))), l, fore)
		}
	}}
}

// waiting is text beside a wheel that turns.
func (s *Screen) waiting(text string, inner int) block {
	f := s.face(regular, 14.5)
	lines := f.wrap(text, inner-s.px(34))
	high := max(len(lines)*s.px(lineHeight), s.px(24))
	tick := s.tick
	return block{high, func(dst *image.RGBA, at image.Rectangle) {
		cx, cy, r := float64(at.Min.X)+11*s.scale, float64(at.Min.Y)+11*s.scale, 8*s.scale
		for i := range 8 {
			a := float64(i) * math.Pi / 4
			strength := uint8(40 + 215*((i-tick%8+8)%8)/7)
			c := color.NRGBA{accent.R, accent.G, accent.B, strength}
			dot(dst, cx+r*math.Cos(a), cy+r*math.Sin(a), 1.9*s.scale, c)
		}
		for i, l := range lines {
			f.draw(dst, at.Min.Add(image.Pt(s.px(34), i*s.px(lineHeight)+s.px(16))), l, ink2)
		}
	}}
}

// code is a code in large letters.
func (s *Screen) code(text string) block {
	return block{s.px(76), func(dst *image.RGBA, at image.Rectangle) {
		at.Max.Y = at.Min.Y + s.px(76)
		box(dst, at, 8*s.scale, max(1, s.scale), sunken, lineHard)
		f := s.face(mono, 30)
		f.draw(dst, image.Pt(at.Min.X+(at.Dx()-f.width(text))/2, at.Min.Y+s.px(48)), text, accent)
	}}
}

func (s *Screen) field(i int, inner int) block {
	d := &s.fields[i]
	hint := s.face(regular, 13).wrap(d.Hint, inner)
	return block{s.px(22+fieldHeight) + len(hint)*s.px(18), func(dst *image.RGBA, at image.Rectangle) {
		s.face(semibold, 13.5).draw(dst, at.Min.Add(image.Pt(0, s.px(14))), d.Label, ink)
		r := image.Rect(at.Min.X, at.Min.Y+s.px(22), at.Max.X, at.Min.Y+s.px(22+fieldHeight))
		s.hits = append(s.hits, hit{r, i, -1})
		edge, border, back := color.Color(lineHard), max(1, s.scale), color.Color(sunken)
		switch {
		case s.form.Busy:
			back = surface
		case s.focus == i:
			edge, border = accent, 2*s.scale
		case s.hover == i:
			edge = ink3
		}
		box(dst, r, 6*s.scale, border, back, edge)
		s.value(dst, r.Inset(s.px(2)), d, s.focus == i && !s.form.Busy)
		for n, l := range hint {
			s.face(regular, 13).draw(dst, image.Pt(at.Min.X, r.Max.Y+n*s.px(18)+s.px(15)), l, ink3)
		}
	}}
}

// value draws a field's text, scrolled so that the caret is in view.
func (s *Screen) value(dst *image.RGBA, r image.Rectangle, d *field, focused bool) {
	pad := s.px(10)
	clip := dst.SubImage(image.Rect(r.Min.X+pad, r.Min.Y, r.Max.X-pad, r.Max.Y)).(*image.RGBA)
	if clip.Bounds().Empty() {
		return
	}
	mid := (r.Min.Y + r.Max.Y) / 2
	f, c := s.face(regular, 15.5), color.Color(ink)
	if d.Code {
		f = s.face(mono, 17)
	}
	if s.form.Busy {
		c = ink3
	}
	step := s.px(11) // of dots
	offset := func(n int) int {
		if d.Secret {
			return n * step
		}
		return f.width(string(d.text[:n]))
	}
	shift := max(0, offset(d.caret)-(clip.Bounds().Dx()-s.px(3)))
	x := clip.Bounds().Min.X - shift
	if d.Secret {
		for n := range d.text {
			if at := x + n*step + step/2; at > clip.Bounds().Min.X && at < clip.Bounds().Max.X-s.px(3) {
				dot(dst, float64(at), float64(mid), 3.4*s.scale, c)
			}
		}
	} else {
		f.draw(clip, image.Pt(x, mid+s.px(5.5)), string(d.text), c)
	}
	if focused && s.caretOn {
		at := x + offset(d.caret)
		draw.Draw(clip, image.Rect(at, mid-s.px(10), at+max(1, s.px(1.5)), mid+s.px(10)), image.NewUniform(accentHi), image.Point{}, draw.Src)
	}
}

// list is what is chosen from.
func (s *Screen) list() block {
	n := len(s.form.Choices)
	s.inView = min(n, maxChoices)
	s.first = max(0, min(s.first, n-s.inView))
	return block{s.inView * s.px(choiceHigh), func(dst *image.RGBA, at image.Rectangle) {
		at.Max.Y = at.Min.Y + s.inView*s.px(choiceHigh)
		box(dst, at, 8*s.scale, max(1, s.scale), sunken, line)
		bar := 0
		if n > s.inView {
			bar = s.px(8)
			track := at.Dy() - s.px(8)
			top := at.Min.Y + s.px(4) + track*s.first/n
			box(dst, image.Rect(at.Max.X-s.px(9), top, at.Max.X-s.px(4), top+max(s.px(20), track*s.inView/n)), 2.5*s.scale, 0, lineHard, nil)
		}
		for i := range s.inView {
			c := s.form.Choices[s.first+i]
			r := image.Rect(at.Min.X+s.px(4), at.Min.Y+i*s.px(choiceHigh)+s.px(3), at.Max.X-s.px(4)-bar, at.Min.Y+(i+1)*s.px(choiceHigh)-s.px(3))
			s.hits = append(s.hits, hit{r, 0, s.first + i})
			chosen := s.first+i == s.choice
			if chosen {
				edge := color.Color(soft)
				if s.focus == 0 {
					edge = accent
				}
				box(dst, r, 6*s.scale, 1.5*s.scale, soft, edge)
			}
			title, detail := s.face(semibold, 14.5), s.face(regular, 13)
			width := r.Dx() - s.px(24)
			top := s.px(19)
			if c.Detail == "" {
				top = s.px(27)
			}
			title.draw(dst, r.Min.Add(image.Pt(s.px(12), top)), title.fit(c.Title, width), ink)
			detail.draw(dst, r.Min.Add(image.Pt(s.px(12), s.px(36))), detail.fit(c.Detail, width), ink3)
		}
	}}
}

func (s *Screen) submit() block {
	return block{s.px(42), func(dst *image.RGBA, at image.Rectangle) {
		r := image.Rect(at.Min.X, at.Min.Y, at.Max.X, at.Min.Y+s.px(42))
		focus := s.button()
		s.hits = append(s.hits, hit{r, focus, -1})
		back, fore := color.Color(accent), color.Color(onAccent)
		switch {
		case s.form.Busy:
			back, fore = raised, ink3
		case s.hover == focus:
			back = accentHi
		}
		if s.focus == focus && !s.form.Busy {
			box(dst, r, 7*s.scale, 2*s.scale, ground, ink)
			r = r.Inset(s.px(3))
		}
		box(dst, r, 5*s.scale, 0, back, nil)
		f := s.face(semibold, 15)
		f.draw(dst, image.Pt((r.Min.X+r.Max.X-f.width(s.form.Submit))/2, (r.Min.Y+r.Max.Y)/2+s.px(5)), s.form.Submit, fore)
	}}
}

// links are below each other where they do not fit beside each other.
func (s *Screen) links(inner int) block {
	f := s.face(regular, 14)
	pad, high := s.px(8), s.px(32)
	total := 0
	for _, l := range s.form.Links {
		total += f.width(l.Label) + 2*pad
	}
	rows := 1
	if total > inner+2*pad {
		rows = len(s.form.Links)
	}
	return block{rows*high + s.px(2), func(dst *image.RGBA, at image.Rectangle) {
		x, y := at.Min.X-pad, at.Min.Y+s.px(6)
		free := inner + 2*pad - total
		for i, l := range s.form.Links {
			w := f.width(l.Label) + 2*pad
			if rows == 1 && i == len(s.form.Links)-1 && i > 0 {
				x += free // the last one at the right
			}
			r := image.Rect(x, y, x+w, y+high-s.px(4))
			focus := s.link() + i
			s.hits = append(s.hits, hit{r, focus, -1})
			if s.focus == focus {
				box(dst, r, 5*s.scale, 1.5*s.scale, surface, accent)
			} else if s.hover == focus {
				box(dst, r, 5*s.scale, 0, raised, nil)
			}
			f.draw(dst, image.Pt(x+pad, r.Min.Y+s.px(19)), l.Label, accent)
			if x += w; rows > 1 {
				x, y = at.Min.X-pad, y+high
			}
		}
	}}
}

// arrow is the pointer: white with a dark edge, for the dark picture.
func arrow() *image.NRGBA {
	const shape = `
X...........
XX..........
XOX.........
XOOX........
XOOOX.......
XOOOOX......
XOOOOOX.....
XOOOOOOX....
XOOOOOOOX...
XOOOOOOOOX..
XOOOOOOOOOX.
XOOOOOOXXXXX
XOOOXOOX....
XOOXXOOX....
XOX..XOOX...
XX...XOOX...
X.....XOOX..
......XOOX..
.......XX...
`
	rows := strings.Fields(shape)
	img := image.NewNRGBA(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y, row := range rows {
		for x, c := range row {
			switch c {
			case 'X':
				img.SetNRGBA(x, y, color.NRGBA{0x08, 0x10, 0x10, 0xff})
			case 'O':
				img.SetNRGBA(x, y, color.NRGBA{0xff, 0xff, 0xff, 0xff})
			}
		}
	}
	return img
}
