package rfbenc

import (
	"image"
	"image/color"
)

// checkCursor bounds a cursor's size before memory is taken for it.
func checkCursor(size image.Point) error {
	if size.X < 0 || size.Y < 0 || size.X*size.Y > maxCursorPixels {
		return dataError("cursor of %d×%d pixels exceeds %d", size.X, size.Y, maxCursorPixels)
	}
	return nil
}

// maskBit tells whether pixel (x, y) of a bitmap with rows padded to bytes is set.
func maskBit(mask []byte, width, x, y int) bool {
	return mask[y*((width+7)/8)+x/8]<<(x%8)&0x80 != 0
}

// ReadCursor reads the shape of the Cursor pseudo-encoding ([RFC 6143] 7.8.1): pixels and a bitmap of those
// that count. An empty size gives an empty image: the pointer is hidden.
func ReadCursor(src *Reader, size image.Point) (*image.NRGBA, error) {
	if err := checkCursor(size); err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rectangle{Max: size})
	pix := make([]byte, size.X*size.Y*bytesPerPixel)
	if err := src.ReadFull(pix); err != nil {
		return nil, err
	}
	mask := make([]byte, (size.X+7)/8*size.Y)
	if err := src.ReadFull(mask); err != nil {
		return nil, err
	}
	for y := range size.Y {
		for x := range size.X {
			if p := pix[(y*size.X+x)*bytesPerPixel:]; maskBit(mask, size.X, x, y) {
				img.SetNRGBA(x, y, color.NRGBA{R: p[2], G: p[1], B: p[0], A: 255})
			}
		}
	}
	return img, nil
}

// ReadXCursor reads the shape of the X Cursor pseudo-encoding (rfbproto): two colours and two bitmaps.
func ReadXCursor(src *Reader, size image.Point) (*image.NRGBA, error) {
	if err := checkCursor(size); err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rectangle{Max: size})
	if size.X*size.Y == 0 {
		return img, nil
	}
	p, err := src.Next(6)
	if err != nil {
		return nil, err
	}
	front := color.NRGBA{R: p[0], G: p[1], B: p[2], A: 255}
	back := color.NRGBA{R: p[3], G: p[4], B: p[5], A: 255}
	n := (size.X + 7) / 8 * size.Y
	bitmaps := make([]byte, 2*n)
	if err := src.ReadFull(bitmaps); err != nil {
		return nil, err
	}
	for y := range size.Y {
		for x := range size.X {
			switch {
			case !maskBit(bitmaps[n:], size.X, x, y):
			case maskBit(bitmaps, size.X, x, y):
				img.SetNRGBA(x, y, front)
			default:
				img.SetNRGBA(x, y, back)
			}
		}
	}
	return img, nil
}

// rawEncoding is the only encoding of alpha cursors in use.
const rawEncoding = 0

// ReadAlphaCursor reads the shape of the Cursor With Alpha pseudo-encoding (rfbproto): an encoding number and
// pixels in R, G, B, A with the colours already multiplied by alpha.
func ReadAlphaCursor(src *Reader, size image.Point) (*image.NRGBA, error) {
	if err := checkCursor(size); err != nil {
		return nil, err
	}
	enc, err := src.Uint32()
	if err != nil {
		return nil, err
	}
	if enc != rawEncoding {
		return nil, dataError("cursor with alpha in encoding %d", int32(enc))
	}
	img := image.NewNRGBA(image.Rectangle{Max: size})
	if err := src.ReadFull(img.Pix); err != nil {
		return nil, err
	}
	for p := img.Pix; len(p) >= 4; p = p[4:] {
		a := int(p[3])
		for c := range 3 {
			if a != 0 {
				p[c] = byte(min(255, (int(p[c])*255+a/2)/a))
			}
		}
	}
	return img, nil
}
