package rdpbitmap

import "github.com/vitrine-psm/vitrine/codec/pixel"

// Raw draws an uncompressed bitmap. Rows are padded to multiples of four bytes, as [MS-RDPBCGR]
// 2.2.9.1.1.3.1.2.2 wants; when Data is too short for that, they are not padded.
func (d *Decoder) Raw(dst pixel.BGRX, b Bitmap) error {
	if draw, err := b.check(dst); !draw {
		return err
	}
	size, err := b.bytes(32)
	if err != nil {
		return err
	}
	tight := b.Width * size
	stride := (tight + 3) &^ 3
	if len(b.Data) < stride*b.Height {
		stride = tight
	}
	if len(b.Data) < stride*b.Height {
		return dataError("raw: %d bytes for %d×%d pixels of %d bits", len(b.Data), b.Width, b.Height, b.BitsPerPixel)
	}
	for i := range b.Height {
		y := b.row(i)
		if y >= dst.Height {
			continue
		}
		row := dst.Row(y)
		toBGRX(row, b.Data[i*stride:][:tight], b.BitsPerPixel)
		if size == 1 {
			b.Palette.look(row)
		}
	}
	return nil
}
