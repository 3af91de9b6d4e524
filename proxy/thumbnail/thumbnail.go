// Package thumbnail makes small still pictures of a desktop, cheaply: from its framebuffer, only when asked, and only when
// something was drawn since.
//
// A thumbnail is the mean of squares of pixels, the same number for every desktop size on either axis, so that it is about
// Side pixels wide. It is no video and needs no encoder. The framebuffer is read a few rows at a time: neither the target's
// drawing nor the encode loop ever waits for more than those.
package thumbnail

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// Side is what the longer side of a thumbnail is near to, in pixels.
	Side = 320
	// MaxBytes bounds the JPEG of one: noise of Side×Side pixels stays below.
	MaxBytes = 128 << 10
	// quality is JPEG's: text in terminals can be told from forms, and a picture is 5 to 20 KB.
	quality = 70
	// stripRows bounds the rows of pixels that are read with the framebuffer locked: 60 µs of a desktop of 1920 pixels.
	stripRows = 48
	// tries bounds how often a picture is begun anew because the desktop got another size meanwhile.
	tries = 3
)

// ErrBlank is returned while the target has drawn nothing.
var ErrBlank = errors.New("thumbnail: nothing was drawn yet")

// Picture is a thumbnail. It is shared: nobody changes JPEG.
type Picture struct {
	Serial        uint64 // of the framebuffer when it was begun: what was drawn since may be missing
	JPEG          []byte
	Width, Height int
}

// Renderer makes the thumbnails of one desktop. It is safe for concurrent use: those who ask at the same time get the same.
type Renderer struct {
	fb *desktop.Framebuffer

	mu    sync.Mutex
	last  Picture
	small *image.RGBA // reused
	sums  []uint64    // reused, see addRow
}

// New returns a Renderer.
func New(fb *desktop.Framebuffer) *Renderer { return &Renderer{fb: fb} }

// Picture returns how the desktop looks. It makes a picture only when something was drawn since the last one.
func (r *Renderer) Picture() (Picture, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fb.Blank() {
		return Picture{}, ErrBlank
	}
	serial := r.fb.Serial()
	if serial == r.last.Serial {
		return r.last, nil
	}
	for range tries {
		if !r.shrink() {
			continue
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, r.small, &jpeg.Options{Quality: quality}); err != nil {
			return Picture{}, fmt.Errorf("thumbnail: %w", err)
		}
		size := r.small.Rect.Size()
		r.last = Picture{Serial: serial, JPEG: buf.Bytes(), Width: size.X, Height: size.Y}
		return r.last, nil
	}
	return Picture{}, errors.New("thumbnail: the desktop changes its size all the time")
}

// shrink makes small from the framebuffer. It reports false when the desktop got another size meanwhile.
func (r *Renderer) shrink() bool {
	size := r.fb.Size()
	n := factor(size)
	width, height := (size.X+n-1)/n, (size.Y+n-1)/n
	if r.small == nil || r.small.Rect.Size() != image.Pt(width, height) {
		r.small = image.NewRGBA(image.Rect(0, 0, width, height))
	}
	if words := (size.X + 1) / 2 * 2; cap(r.sums) < words {
		r.sums = make([]uint64, words)
	} else {
		r.sums = r.sums[:words]
	}
	step := max(1, stripRows/n)
	for top := 0; top < height; top += step {
		same := false
		r.fb.Raw(func(pix []byte, now image.Point) {
			if same = now == size; !same {
				return
			}
			for y := top; y < min(top+step, height); y++ {
				r.shrinkRow(pix, size, n, y)
			}
		})
		if !same {
			return false
		}
	}
	return true
}

// factor is the side of the squares that become one pixel, for a desktop of a size.
func factor(size image.Point) int {
	return max(1, (size.X+Side/2)/Side, (size.Y+Side-1)/Side)
}

// shrinkRow makes row y of small from the rows of pixels it stands for.
func (r *Renderer) shrinkRow(pix []byte, size image.Point, n, y int) {
	clear(r.sums)
	rows := min(n, size.Y-y*n)
	stride := size.X * desktop.BytesPerPixel
	for i := range rows {
		addRow(r.sums, pix[(y*n+i)*stride:][:stride])
	}
	out := r.small.Pix[y*r.small.Stride:]
	for x := range r.small.Rect.Dx() {
		cols := min(n, size.X-x*n)
		var blue, green, red uint32
		for i := x * n; i < x*n+cols; i++ {
			// Two pixels share two words: blue and red of both, then green of both.
			shift := uint(i&1) * 32
			br, g := r.sums[i&^1]>>shift, r.sums[i|1]>>shift
			blue += uint32(br & 0xffff)
			red += uint32(br >> 16 & 0xffff)
			green += uint32(g & 0xffff)
		}
		count := uint32(rows * cols)
		out[4*x] = uint8((red + count/2) / count)
		out[4*x+1] = uint8((green + count/2) / count)
		out[4*x+2] = uint8((blue + count/2) / count)
		out[4*x+3] = 255
	}
}
