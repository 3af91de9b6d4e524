package pixel

import "fmt"

// BlockSize is the side of a macroblock in pixels.
const BlockSize = 16

// bytesPerPixel is the size of one BGRX pixel.
const bytesPerPixel = 4

// Planes is an I420 picture: luma, and the two chroma planes at half the resolution both ways. Width and Height are the coded
// size in pixels, multiples of BlockSize. The slices may lie in C memory; whoever made the Planes says how long they live.
type Planes struct {
	Y, Cb, Cr     []byte
	StrideY       int // bytes from one row of Y to the next
	StrideC       int // the same for Cb and Cr
	Width, Height int
}

// CodedSize rounds a side up to the next multiple of BlockSize.
func CodedSize(side int) int { return (side + BlockSize - 1) &^ (BlockSize - 1) }

// NewPlanes returns planes in Go memory for a visible picture of width×height pixels.
func NewPlanes(width, height int) *Planes {
	w, h := CodedSize(width), CodedSize(height)
	n := w * h
	buf := make([]byte, n+n/2)
	return &Planes{
		Y: buf[:n:n], Cb: buf[n : n+n/4 : n+n/4], Cr: buf[n+n/4:],
		StrideY: w, StrideC: w / 2, Width: w, Height: h,
	}
}

// check returns an error when the planes are too small for what they say they are.
func (p *Planes) check() error {
	if p.Width <= 0 || p.Height <= 0 || p.Width%BlockSize != 0 || p.Height%BlockSize != 0 {
		return fmt.Errorf("pixel: coded size %d×%d is not a multiple of %d", p.Width, p.Height, BlockSize)
	}
	if p.StrideY < p.Width || p.StrideC < p.Width/2 {
		return fmt.Errorf("pixel: strides %d and %d too small for %d pixels", p.StrideY, p.StrideC, p.Width)
	}
	if needY, needC := p.StrideY*p.Height, p.StrideC*p.Height/2; len(p.Y) < needY || len(p.Cb) < needC || len(p.Cr) < needC {
		return fmt.Errorf("pixel: planes of %d, %d and %d bytes, need %d, %d and %d", len(p.Y), len(p.Cb), len(p.Cr), needY, needC, needC)
	}
	return nil
}

// Run is a horizontal run of macroblocks [X0, X1) in block row Y.
type Run struct{ Y, X0, X1 int32 }

// Source is a BGRX picture: Height rows of Width pixels, Stride bytes apart.
type Source struct {
	Pix           []byte
	Stride        int
	Width, Height int
}

func (s *Source) check(p *Planes) error {
	if CodedSize(s.Width) != p.Width || CodedSize(s.Height) != p.Height || s.Width <= 0 || s.Height <= 0 {
		return fmt.Errorf("pixel: picture %d×%d does not fit planes of %d×%d", s.Width, s.Height, p.Width, p.Height)
	}
	if s.Stride < s.Width*bytesPerPixel {
		return fmt.Errorf("pixel: stride %d too small for %d pixels", s.Stride, s.Width)
	}
	if need := (s.Height-1)*s.Stride + s.Width*bytesPerPixel; len(s.Pix) < need {
		return fmt.Errorf("pixel: picture of %d bytes, need %d", len(s.Pix), need)
	}
	return nil
}

// checkRuns returns an error when a run leaves the planes.
func checkRuns(runs []Run, p *Planes) error {
	cols, rows := int32(p.Width/BlockSize), int32(p.Height/BlockSize)
	for _, r := range runs {
		if r.Y < 0 || r.Y >= rows || r.X0 < 0 || r.X0 > r.X1 || r.X1 > cols {
			return fmt.Errorf("pixel: run of blocks [%d, %d) in row %d outside %d×%d blocks", r.X0, r.X1, r.Y, cols, rows)
		}
	}
	return nil
}
