package rdpbitmap

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

const (
	nscHeaderBytes = 20
	nscPlanes      = 4 // luma, two of chroma, alpha
	nscTail        = 4 // bytes at the end of a plane that are never part of a run
	nscLongRun     = 0xFF
	nscShortRun    = 2 // least length of a run of the short form
)

// NSCodec draws a bitmap in NSCodec ([MS-RDPNSC] 2.2.2). In surface commands it is bottom-up, in ClearCodec
// top-down.
func (d *Decoder) NSCodec(dst pixel.BGRX, b Bitmap) error {
	if draw, err := b.check(dst); !draw {
		return err
	}
	if len(b.Data) < nscHeaderBytes {
		return dataError("nscodec: %d bytes", len(b.Data))
	}
	loss, half := int(b.Data[16]), b.Data[17] != 0
	if loss < 1 || loss > 7 {
		return dataError("nscodec: colour loss level %d", loss)
	}
	// Sides of the planes ([MS-RDPNSC] 3.1.8.1.2): subsampling pads luma to multiples of 8 and chroma to half of that.
	width, chromaWidth, chromaHeight := b.Width, b.Width, b.Height
	if half {
		width = (b.Width + 7) &^ 7
		chromaWidth, chromaHeight = width/2, (b.Height+1)/2
	}
	src := b.Data[nscHeaderBytes:]
	var rows [nscPlanes - 1][]byte
	for i := range nscPlanes {
		n := int64(binary.LittleEndian.Uint32(b.Data[i*4:]))
		if n > int64(len(src)) {
			return dataError("nscodec: plane %d of %d bytes in %d", i, n, len(src))
		}
		plane := src[:n]
		src = src[n:]
		switch i {
		case 0:
			rows[i] = d.nscPlane(i, plane, width*b.Height)
		case 1, 2:
			rows[i] = d.nscPlane(i, plane, chromaWidth*chromaHeight)
		default: // alpha
			continue
		}
		if rows[i] == nil {
			return dataError("nscodec: plane %d of %d bytes is malformed", i, n)
		}
	}
	for i := range b.Height {
		y, k := b.row(i), i
		if half {
			k = i / 2
		}
		if y < dst.Height {
			c := k * chromaWidth
			mixYCoCg(dst.Row(y), rows[0][i*width:], rows[1][c:], rows[2][c:], 0, loss, half, false)
		}
	}
	return nil
}

// nscPlane returns the want bytes of a plane, or nil when there are not that many: RLE when it is shorter
// than that ([MS-RDPNSC] 3.1.8.1.3), and full of 255 when it is empty.
func (d *Decoder) nscPlane(i int, src []byte, want int) []byte {
	if len(src) >= want {
		return src[:want]
	}
	d.planes[i] = grow(d.planes[i], want)
	out := d.planes[i]
	if len(src) == 0 {
		for j := range out {
			out[j] = 0xFF
		}
		return out
	}
	if !nscUnpack(out, src) {
		return nil
	}
	return out
}

// nscUnpack fills out, which is longer than src. A byte that comes twice is a run, whose length follows; the last four bytes are as
// they are.
func nscUnpack(out, src []byte) bool {
	for len(out) > nscTail {
		if len(src) <= nscTail {
			return false
		}
		v := src[0]
		if src[1] != v || len(out) == nscTail+1 {
			out[0] = v
			out, src = out[1:], src[1:]
			continue
		}
		n := int64(src[2]) + nscShortRun
		src = src[3:]
		if n == nscLongRun+nscShortRun {
			if len(src) < 4 {
				return false
			}
			n = int64(binary.LittleEndian.Uint32(src))
			src = src[4:]
		}
		if n > int64(len(out)-nscTail) {
			return false
		}
		run := out[:n]
		out = out[n:]
		for j := range run {
			run[j] = v
		}
	}
	if len(src) < nscTail {
		return false
	}
	copy(out, src)
	return true
}
