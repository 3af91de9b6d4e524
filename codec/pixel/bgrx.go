package pixel

import "fmt"

// BGRX is a picture, or a part of a larger one, in memory: Height rows of Width pixels of four bytes, blue, green, red
// and one without meaning, the top row first. It is a view: it does not own Pix.
type BGRX struct {
	Pix           []byte // begins with the top left pixel
	Stride        int    // bytes from one row to the next
	Width, Height int    // pixels
}

// NewBGRX returns a black picture of its own.
func NewBGRX(width, height int) BGRX {
	return BGRX{Pix: make([]byte, width*height*bytesPerPixel), Stride: width * bytesPerPixel, Width: width, Height: height}
}

// Check returns an error when Pix is too short for what the picture says it is.
func (p BGRX) Check() error {
	if p.Width < 0 || p.Height < 0 || p.Stride < p.Width*bytesPerPixel {
		return fmt.Errorf("pixel: %d×%d pixels in rows of %d bytes", p.Width, p.Height, p.Stride)
	}
	if p.Width == 0 || p.Height == 0 {
		return nil
	}
	if need := (p.Height-1)*p.Stride + p.Width*bytesPerPixel; len(p.Pix) < need {
		return fmt.Errorf("pixel: %d bytes for %d×%d pixels, need %d", len(p.Pix), p.Width, p.Height, need)
	}
	return nil
}

// Row returns the pixels of row y.
func (p BGRX) Row(y int) []byte {
	return p.Pix[y*p.Stride:][: p.Width*bytesPerPixel : p.Width*bytesPerPixel]
}

// Sub returns the part of width×height pixels at x, y, which must lie within the picture.
func (p BGRX) Sub(x, y, width, height int) BGRX {
	if x < 0 || y < 0 || width < 0 || height < 0 || x > p.Width-width || y > p.Height-height {
		panic(fmt.Sprintf("pixel: part %d×%d at %d,%d of %d×%d pixels", width, height, x, y, p.Width, p.Height))
	}
	if width == 0 || height == 0 {
		return BGRX{Stride: p.Stride, Width: width, Height: height}
	}
	start := y*p.Stride + x*bytesPerPixel
	end := start + (height-1)*p.Stride + width*bytesPerPixel
	return BGRX{Pix: p.Pix[start:end:end], Stride: p.Stride, Width: width, Height: height}
}
