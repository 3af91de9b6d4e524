package screen

import (
	"embed"
	"fmt"
	"image"
	"image/color"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/*.ttf
var fontFiles embed.FS

// style is a typeface and weight.
type style int

const (
	regular style = iota
	semibold
	mono
)

// typefaces are those of a style, in the order in which they are asked for a letter: IBM Plex as in the console, then Go's own, which
// have Greek and Cyrillic.
var typefaces = sync.OnceValues(func() (map[style][]*sfnt.Font, error) {
	out := map[style][]*sfnt.Font{}
	for s, names := range map[style][]string{
		regular: {"plex-sans-latin-regular", "plex-sans-latin-ext-regular"}, semibold: {"plex-sans-latin-semibold", "plex-sans-latin-ext-semibold"},
		mono: {"plex-mono-latin-regular"},
	} {
		var files [][]byte
		for _, name := range names {
			b, err := fontFiles.ReadFile("fonts/" + name + ".ttf")
			if err != nil {
				return nil, err
			}
			files = append(files, b)
		}
		if s == semibold {
			files = append(files, gobold.TTF)
		} else {
			files = append(files, goregular.TTF)
		}
		for _, b := range files {
			f, err := opentype.Parse(b)
			if err != nil {
				return nil, fmt.Errorf("screen: font: %w", err)
			}
			out[s] = append(out[s], f)
		}
	}
	return out, nil
})

// face is a style in a size. It is for one goroutine.
type face struct {
	fonts []*sfnt.Font
	faces []font.Face
	buf   sfnt.Buffer
}

// newFace returns a style in pixels.
func newFace(s style, pixels float64) (*face, error) {
	all, err := typefaces()
	if err != nil {
		return nil, err
	}
	f := &face{fonts: all[s]}
	for _, t := range f.fonts {
		// Without hinting letters keep their shapes; at these sizes that reads better than crisp stems.
		one, err := opentype.NewFace(t, &opentype.FaceOptions{Size: pixels, DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			return nil, fmt.Errorf("screen: font: %w", err)
		}
		f.faces = append(f.faces, one)
	}
	return f, nil
}

// of returns the face that has r: the first one's box for what none has.
func (f *face) of(r rune) font.Face {
	for i, t := range f.fonts {
		if g, err := t.GlyphIndex(&f.buf, r); err == nil && g != 0 {
			return f.faces[i]
		}
	}
	return f.faces[0]
}

// width is how wide s is, in pixels.
func (f *face) width(s string) int {
	var w fixed.Int26_6
	for _, r := range s {
		if a, ok := f.of(r).GlyphAdvance(r); ok {
			w += a
		}
	}
	return w.Ceil()
}

// draw writes s with its baseline at at, and returns where it ends.
func (f *face) draw(dst *image.RGBA, at image.Point, s string, c color.Color) int {
	dot := fixed.P(at.X, at.Y)
	src := image.NewUniform(c)
	for _, r := range s {
		d := font.Drawer{Dst: dst, Src: src, Face: f.of(r), Dot: dot}
		d.DrawString(string(r))
		dot = d.Dot
	}
	return dot.X.Ceil()
}

// wrap breaks s into lines of at most width pixels, at spaces where there are some.
func (f *face) wrap(s string, width int) []string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
			line = ""
		}
	}
	word := func(w string) {
		next := w
		if line != "" {
			next = line + " " + w
		}
		if f.width(next) <= width {
			line = next
			return
		}
		flush()
		for f.width(w) > width && len([]rune(w)) > 1 { // longer than a line
			runes := []rune(w)
			n := len(runes)
			for n > 1 && f.width(string(runes[:n])) > width {
				n--
			}
			lines = append(lines, string(runes[:n]))
			w = string(runes[n:])
		}
		line = w
	}
	start := -1
	for i, r := range s + "\n" {
		switch {
		case r == ' ' || r == '\n':
			if start >= 0 {
				word(s[start:min(i, len(s))])
				start = -1
			}
			if r == '\n' {
				flush()
			}
		case start < 0:
			start = i
		}
	}
	return lines
}

// fit cuts s to width pixels, with an ellipsis.
func (f *face) fit(s string, width int) string {
	if f.width(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && f.width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
