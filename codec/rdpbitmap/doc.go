// Package rdpbitmap decodes, and where a server needs it encodes, the bitmap codecs of the Remote Desktop
// Protocol that know nothing of earlier pictures:
//
//   - Raw: uncompressed pixels of 8 to 32 bits ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.2);
//   - Interleaved: run lengths of whole pixels, 8 to 24 bits ([MS-RDPBCGR] 2.2.9.1.1.3.1.2.4, 3.1.9);
//   - Planar: RDP 6.0 bitmap compression, one plane per colour ([MS-RDPEGDI] 2.2.2.5.1, 3.1.9);
//   - NSCodec: planes of luma and chroma, lossy ([MS-RDPNSC] 2.2.2, 3.1.8).
//
// A Decoder draws a Bitmap into a pixel.BGRX, which is the exact rectangle the bitmap is for. The bitmap may
// be larger, because servers pad widths to multiples of four and because the caller may have cut the
// destination at the border of the desktop; what does not fit at the right and below is not drawn. A bitmap
// smaller than its destination is malformed. For a destination of nothing the data is not looked at.
//
// Rows come top-down in EGFX and bottom-up in everything older, surface commands included; Bitmap.BottomUp
// says which.
//
// Colours are exact: 5 and 6 bits become 8 by repeating their high bits, so that white is FFFFFF. Alpha is
// checked and dropped, as BGRX has none; the fourth byte of a pixel is not kept equal to anything.
//
// Malformed data gives an error that wraps ErrData. The destination may then hold part of the bitmap.
package rdpbitmap

import (
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// ErrData is wrapped by every error about data that a codec forbids or a cap refuses.
var ErrData = errors.New("malformed bitmap data")

// Palette has the colours of 8 bits a pixel, in the byte order of pixel.BGRX.
type Palette [256][4]byte

// Bitmap is a picture as it came over the network.
type Bitmap struct {
	Width, Height int      // of the picture in Data; at least those of the destination
	BitsPerPixel  int      // Raw: 8, 15, 16, 24 or 32; Interleaved: the same without 32; of no meaning to the others
	BottomUp      bool     // Data begins with the lowest row
	Palette       *Palette // with 8 bits a pixel, else unused
	Data          []byte   // is not kept
}

// Decoder decodes the bitmaps of one connection. It holds nothing but buffers, which grow to the largest
// bitmap and make further calls free of allocations. The zero value is ready; not for concurrent use.
type Decoder struct {
	spare  [2][]byte // rows that are not drawn straight into the destination
	planes [3][]byte
}

const bytesPerPixel = 4 // of pixel.BGRX

// check refuses what no decoder can work with, and reports whether there is anything to draw.
func (b *Bitmap) check(dst pixel.BGRX) (draw bool, err error) {
	if err := dst.Check(); err != nil {
		return false, fmt.Errorf("rdpbitmap: destination: %w", err)
	}
	if b.Width < dst.Width || b.Height < dst.Height {
		return false, dataError("bitmap of %d×%d for %d×%d pixels", b.Width, b.Height, dst.Width, dst.Height)
	}
	if b.Width > maxSide || b.Height > maxSide || b.Width*b.Height > maxPixels {
		return false, dataError("bitmap of %d×%d pixels", b.Width, b.Height)
	}
	return dst.Width > 0 && dst.Height > 0, nil
}

// row returns where row i of the data belongs in the picture.
func (b *Bitmap) row(i int) int {
	if b.BottomUp {
		return b.Height - 1 - i
	}
	return i
}

// bytes returns the bytes of a pixel, or an error when most is less than the bits asked for.
func (b *Bitmap) bytes(most int) (int, error) {
	switch bits := b.BitsPerPixel; {
	case bits > most:
	case bits == 8 && b.Palette == nil:
		return 0, dataError("8 bits a pixel without a palette")
	case bits == 8, bits == 16, bits == 24, bits == 32:
		return bits / 8, nil
	case bits == 15:
		return 2, nil
	}
	return 0, dataError("%d bits a pixel", b.BitsPerPixel)
}

// grow returns a slice of n bytes, of whatever content, that reuses p when it can.
func grow(p []byte, n int) []byte {
	if cap(p) < n {
		return make([]byte, n)
	}
	return p[:n]
}

// dataError returns an error that wraps ErrData.
func dataError(format string, args ...any) error {
	return fmt.Errorf("rdpbitmap: "+format+": %w", append(args, ErrData)...)
}
