package ocr

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Picture is grey pixels, a byte each, row by row: what is to be read.
type Picture struct {
	Width, Height int
	Grey          []byte
}

// Line is a line of text that was read.
type Line struct {
	Picture int             // its index
	Box     image.Rectangle // where in it
	Text    string          // valid UTF-8 without control characters, not empty
}

// errPictures is what pictures are refused with that do not keep to the caps.
var errPictures = errors.New("ocr: pictures out of bounds")

// Check returns an error when pictures do not keep to the caps.
func Check(pictures []Picture) error {
	if len(pictures) == 0 || len(pictures) > MaxPictures {
		return fmt.Errorf("%w: %d, want 1 to %d", errPictures, len(pictures), MaxPictures)
	}
	total := 0
	for i := range pictures {
		p := &pictures[i]
		if p.Width < 1 || p.Height < 1 || p.Width > maxSide || p.Height > maxSide {
			return fmt.Errorf("%w: %d×%d", errPictures, p.Width, p.Height)
		}
		if total += p.Width * p.Height; total > MaxPixels {
			return fmt.Errorf("%w: more than %d pixels", errPictures, MaxPixels)
		}
		if len(p.Grey) != p.Width*p.Height {
			return fmt.Errorf("%w: %d bytes for %d×%d", errPictures, len(p.Grey), p.Width, p.Height)
		}
	}
	return nil
}

// clean makes text fit to be shown and stored: single spaces in the place of control characters and of those that turn writing around, and
// at most n bytes.
func clean(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.IsSpace(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimSpace(s[:n])
}
