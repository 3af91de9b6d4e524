package rfbenc

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
)

// jpeg decodes a rectangle sent as one JPEG image, whose size must be the rectangle's.
//
// The standard library's decoder is used: it is lossy anyway, off unless a quality is asked for, and the only
// path here that allocates per rectangle.
func (d *Tight) jpeg(src *Reader, dst Canvas) error {
	size := d.rect.Size()
	n, err := compactLength(src)
	if err != nil {
		return err
	}
	if size.X*size.Y > maxJPEGPixels {
		return dataError("tight: jpeg of %d×%d pixels exceeds %d", size.X, size.Y, maxJPEGPixels)
	}
	d.data = grow(d.data, n)
	if err := src.ReadFull(d.data); err != nil {
		return err
	}
	if size.X == 0 || size.Y == 0 {
		return nil
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(d.data))
	if err != nil {
		return dataError("tight: jpeg: %v", err)
	}
	if cfg.Width != size.X || cfg.Height != size.Y {
		return dataError("tight: jpeg of %d×%d pixels for a rectangle of %d×%d", cfg.Width, cfg.Height, size.X, size.Y)
	}
	if d.picture, err = jpeg.Decode(bytes.NewReader(d.data)); err != nil {
		return dataError("tight: jpeg: %v", err)
	}
	defer func() { d.picture = nil }()
	switch p := d.picture.(type) {
	case *image.YCbCr, *image.Gray, *image.RGBA:
	default:
		return dataError("tight: jpeg with colour model %T", p)
	}
	return dst.Draw(d.rect, d.blit)
}

func (d *Tight) drawJPEG(pix []byte, stride int) {
	w := d.rect.Dx()
	for y := range d.rect.Dy() {
		row := pix[(d.rect.Min.Y+y)*stride+d.rect.Min.X*bytesPerPixel:][:w*bytesPerPixel]
		switch p := d.picture.(type) {
		case *image.YCbCr:
			yRow := p.Y[y*p.YStride:][:w]
			for x, luma := range yRow {
				c := p.COffset(x, y)
				r, g, b := color.YCbCrToRGB(luma, p.Cb[c], p.Cr[c])
				out := row[x*4:][:4]
				out[0], out[1], out[2], out[3] = b, g, r, 0
			}
		case *image.Gray:
			for x, v := range p.Pix[y*p.Stride:][:w] {
				out := row[x*4:][:4]
				out[0], out[1], out[2], out[3] = v, v, v, 0
			}
		case *image.RGBA:
			from := p.Pix[y*p.Stride:]
			for x := range w {
				in, out := from[x*4:][:4], row[x*4:][:4]
				out[0], out[1], out[2], out[3] = in[2], in[1], in[0], 0
			}
		}
	}
}
