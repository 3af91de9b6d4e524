package testbed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
)

// Screenshot returns the exact pixels of the whole screen, without the pointer.
func (x *X) Screenshot(t TB) *image.RGBA {
	t.Helper()
	Require(t, "xwd")
	img, err := parseXWD([]byte(Run(t, x.Display, "xwd", "-root", "-silent")))
	if err != nil {
		t.Fatalf("testbed: %v", err)
	}
	return img
}

// Size returns the size of the screen.
func (x *X) Size(t TB) image.Point {
	t.Helper()
	Require(t, "xwininfo")
	var size image.Point
	for line := range strings.Lines(Run(t, x.Display, "xwininfo", "-root")) {
		_, _ = fmt.Sscanf(strings.TrimSpace(line), "Width: %d", &size.X)
		_, _ = fmt.Sscanf(strings.TrimSpace(line), "Height: %d", &size.Y)
	}
	return size
}

// parseXWD reads a picture as xwd writes it (X11/XWDFile.h): 25 numbers, a name, colours, then pixels of
// 32 bits with 8 bits a colour, or of 16 bits with 5, 6 and 5, which is what the X servers here have.
func parseXWD(b []byte) (*image.RGBA, error) {
	const fields = 25
	if len(b) < 4*fields {
		return nil, errors.New("xwd: short header")
	}
	var h [fields]int
	for i := range h {
		h[i] = int(binary.BigEndian.Uint32(b[4*i:]))
	}
	headerSize, version, width, height, msbFirst := h[0], h[1], h[4], h[5], h[7] == 1
	bitsPerPixel, stride, red, green, blue, colours := h[11], h[12], h[14], h[15], h[16], h[19]
	deep := bitsPerPixel == 32 && red == 0xff0000 && green == 0xff00 && blue == 0xff
	high := bitsPerPixel == 16 && red == 0xf800 && green == 0x7e0 && blue == 0x1f && !msbFirst
	if version != 7 || !deep && !high {
		return nil, fmt.Errorf("xwd: version %d, %d bits, masks %x %x %x", version, bitsPerPixel, red, green, blue)
	}
	pix := b[min(len(b), headerSize+12*colours):]
	if stride < bitsPerPixel/8*width || len(pix) < stride*height {
		return nil, fmt.Errorf("xwd: %d bytes for %d rows of %d", len(pix), height, stride)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		in, out := pix[y*stride:], img.Pix[y*img.Stride:]
		if high {
			for x := range width {
				v := binary.LittleEndian.Uint16(in[2*x:])
				r, g, b := uint8(v>>11), uint8(v>>5&63), uint8(v&31)
				img.SetRGBA(x, y, color.RGBA{R: r<<3 | r>>2, G: g<<2 | g>>4, B: b<<3 | b>>2, A: 0xff})
			}
			continue
		}
		for i := 0; i < 4*width; i += 4 {
			r, g, b := in[i+2], in[i+1], in[i]
			if msbFirst {
				r, g, b = in[i+1], in[i+2], in[i+3]
			}
			out[i], out[i+1], out[i+2], out[i+3] = r, g, b, 0xff
		}
	}
	return img, nil
}
