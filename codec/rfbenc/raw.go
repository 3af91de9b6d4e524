package rfbenc

import "image"

// band is a scratch picture as wide as a rectangle, copied to the canvas in one call of Draw.
type band struct {
	pix  []byte // rows of rect.Dx()*4 bytes
	rect image.Rectangle
	copy func(pix []byte, stride int) // b.blit, made once: a closure per band would be garbage
}

// reset gives the band the place and size of r.
func (b *band) reset(r image.Rectangle) {
	if b.copy == nil {
		b.copy = b.blit
	}
	b.rect = r
	b.pix = grow(b.pix, r.Dx()*r.Dy()*bytesPerPixel)
}

func (b *band) blit(pix []byte, stride int) {
	row := b.rect.Dx() * bytesPerPixel
	for i := range b.rect.Dy() {
		copy(pix[(b.rect.Min.Y+i)*stride+b.rect.Min.X*bytesPerPixel:][:row], b.pix[i*row:])
	}
}

// Raw decodes the Raw encoding ([RFC 6143] 7.7.1). The zero value is ready.
type Raw struct{ band band }

// Decode reads the pixels of r from src and draws them.
func (d *Raw) Decode(src *Reader, dst Canvas, r image.Rectangle) error {
	if r.Empty() {
		return nil
	}
	rows := max(1, bandBytes/(r.Dx()*bytesPerPixel))
	for y := r.Min.Y; y < r.Max.Y; y += rows {
		d.band.reset(image.Rect(r.Min.X, y, r.Max.X, min(y+rows, r.Max.Y)))
		if err := src.ReadFull(d.band.pix); err != nil {
			return err
		}
		if err := dst.Draw(d.band.rect, d.band.copy); err != nil {
			return err
		}
	}
	return nil
}
