package stream

import (
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// screen is a drawn desktop of the kind people work on, in a framebuffer: wallpaper with a gradient, a bar, a light editor and a
// dark terminal full of anti-aliased text. Its traces feed the benchmarks.
type screen struct {
	fb    *desktop.Framebuffer
	face  font.Face
	size  image.Point
	cell  image.Point
	words []string
	rng   *rand.Rand

	editor, terminal image.Rectangle
	caret            image.Point // in cells of the editor
}

func newScreen(tb testing.TB, size image.Point) *screen {
	tb.Helper()
	f, err := opentype.Parse(gomono.TTF)
	if err != nil {
		tb.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 13, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		tb.Fatal(err)
	}
	fb, err := desktop.NewFramebuffer(size)
	if err != nil {
		tb.Fatal(err)
	}
	s := &screen{
		fb: fb, face: face, size: size, cell: image.Pt(8, 17), rng: rand.New(rand.NewPCG(3, 4)),
		words: []string{
			"select", "from", "where", "func", "return", "err", "nil", "systemctl", "status", "nginx.service", "the",
			"quick", "brown", "{", "}", "=>", "0x7fff", "192.168.0.12", "INFO", "session", "--verbose", "|", "grep", "/var/log/syslog",
		},
	}
	w, h := size.X, size.Y
	s.editor = image.Rect(w/40, h/20, w*55/100, h*95/100)
	s.terminal = image.Rect(w*57/100, h/10, w*98/100, h*9/10)
	s.paint()
	return s
}

// draw runs fn on the part r of the picture and commits.
func (s *screen) draw(r image.Rectangle, fn func(img *bgrx)) {
	r = r.Intersect(image.Rectangle{Max: s.size})
	err := s.fb.Draw(r, func(pix []byte, stride int) { fn(&bgrx{pix: pix, stride: stride, rect: r}) })
	if err != nil {
		panic(err)
	}
}

func (s *screen) paint() {
	s.draw(image.Rectangle{Max: s.size}, func(img *bgrx) {
		for y := range s.size.Y {
			for x := range s.size.X {
				img.Set(x, y, color.RGBA{uint8(20 + 60*x/s.size.X), uint8(50 + 70*y/s.size.Y), uint8(110 + 40*(x+y)/(s.size.X+s.size.Y)), 255})
			}
		}
		fill(img, image.Rect(0, 0, s.size.X, s.size.Y/30), color.RGBA{40, 40, 44, 255})
		fill(img, s.editor, color.White)
		fill(img, s.terminal, color.RGBA{16, 18, 22, 255})
	})
	for y := range s.rows(s.editor) {
		s.line(s.editor, y, color.RGBA{30, 30, 30, 255}, color.White)
	}
	for y := range s.rows(s.terminal) {
		s.line(s.terminal, y, color.RGBA{200, 210, 200, 255}, color.RGBA{16, 18, 22, 255})
	}
	s.fb.Commit()
}

func (s *screen) rows(win image.Rectangle) int { return win.Dy() / s.cell.Y }
func (s *screen) cols(win image.Rectangle) int { return win.Dx() / s.cell.X }

// text draws str at a cell of win over bg.
func (s *screen) text(win image.Rectangle, cell image.Point, str string, fg, bg color.Color) {
	r := image.Rectangle{Max: image.Pt(len(str)*s.cell.X, s.cell.Y)}.Add(win.Min).Add(image.Pt(cell.X*s.cell.X, cell.Y*s.cell.Y)).Intersect(win)
	s.draw(r, func(img *bgrx) {
		fill(img, r, bg)
		d := font.Drawer{Dst: img, Src: image.NewUniform(fg), Face: s.face, Dot: fixed.P(r.Min.X, r.Max.Y-4)}
		d.DrawString(str)
	})
}

// line fills row y of win with words.
func (s *screen) line(win image.Rectangle, y int, fg, bg color.Color) {
	str := ""
	for limit := s.rng.IntN(s.cols(win)); len(str) < limit; {
		str += s.words[s.rng.IntN(len(s.words))] + " "
	}
	str = str[:min(len(str), s.cols(win))]
	s.text(win, image.Pt(0, y), str, fg, bg)
}

// typeChar draws one character at the caret and moves it, as an editor does.
func (s *screen) typeChar() {
	s.drawCaret(false)
	s.text(s.editor, s.caret, string(rune('a'+s.rng.IntN(26))), color.RGBA{30, 30, 30, 255}, color.White)
	if s.caret.X++; s.caret.X >= s.cols(s.editor)-1 {
		s.caret = image.Pt(0, (s.caret.Y+1)%s.rows(s.editor))
	}
	s.drawCaret(true)
	s.fb.Commit()
}

// blink shows or hides the caret.
func (s *screen) blink(on bool) {
	s.drawCaret(on)
	s.fb.Commit()
}

func (s *screen) drawCaret(on bool) {
	p := s.editor.Min.Add(image.Pt(s.caret.X*s.cell.X, s.caret.Y*s.cell.Y))
	r := image.Rect(p.X, p.Y+1, p.X+1, p.Y+s.cell.Y-1)
	c := color.Color(color.White)
	if on {
		c = color.Black
	}
	s.draw(r, func(img *bgrx) { fill(img, r, c) })
}

// scroll moves the terminal up by n lines and writes new ones.
func (s *screen) scroll(n int) {
	t := s.terminal
	dy := n * s.cell.Y
	last := s.rows(t) * s.cell.Y
	if err := s.fb.Copy(image.Rect(t.Min.X, t.Min.Y, t.Max.X, t.Min.Y+last-dy), image.Pt(t.Min.X, t.Min.Y+dy)); err != nil {
		panic(err)
	}
	bg := color.RGBA{16, 18, 22, 255}
	r := image.Rect(t.Min.X, t.Min.Y+last-dy, t.Max.X, t.Min.Y+last)
	s.draw(r, func(img *bgrx) { fill(img, r, bg) })
	for i := range n {
		s.line(t, s.rows(t)-n+i, color.RGBA{200, 210, 200, 255}, bg)
	}
	s.fb.Commit()
}

// video shows a new picture of moving colour in a quarter of the desktop.
func (s *screen) video(t int) {
	r := image.Rectangle{Min: s.size.Div(4), Max: s.size.Div(4).Add(s.size.Div(2))}
	s.draw(r, func(img *bgrx) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				n := uint8(s.rng.Uint32() & 7)
				img.Set(x, y, color.RGBA{uint8((x+3*t)>>1) + n, uint8((y+2*t)>>1) + n, uint8((x*y)>>9) + n, 255})
			}
		}
	})
	s.fb.Commit()
}

func fill(img draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// bgrx is the framebuffer as a draw.Image, bounded to a rectangle.
type bgrx struct {
	pix    []byte
	stride int
	rect   image.Rectangle
}

func (b *bgrx) ColorModel() color.Model { return color.RGBAModel }
func (b *bgrx) Bounds() image.Rectangle { return b.rect }

func (b *bgrx) At(x, y int) color.Color {
	p := b.pix[y*b.stride+x*desktop.BytesPerPixel:]
	return color.RGBA{p[2], p[1], p[0], 255}
}

func (b *bgrx) Set(x, y int, c color.Color) {
	if !image.Pt(x, y).In(b.rect) {
		return
	}
	r, g, bl, _ := c.RGBA()
	p := b.pix[y*b.stride+x*desktop.BytesPerPixel:]
	p[0], p[1], p[2], p[3] = byte(bl>>8), byte(g>>8), byte(r>>8), 0
}
