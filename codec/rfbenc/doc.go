// Package rfbenc decodes the pixel encodings of the Remote Framebuffer protocol ([RFC 6143] 7.7 and the
// registry kept in the community's rfbproto document): Raw, Hextile, ZRLE, Tight and the cursor shapes.
//
// It does no I/O of its own and starts no goroutine. A decoder pulls bytes from a Reader and draws into a
// Canvas, band by band, so that the canvas is never held while the network is awaited:
//
//   - Raw and Hextile fill a scratch band first and copy it in one call of Draw;
//   - ZRLE and Tight read the length-prefixed data of the rectangle whole, within a cap that follows from the
//     rectangle's area, and then inflate straight into the canvas.
//
// Every decoder expects the pixel format this project asks servers for: 32 bits a pixel, depth 24, little
// endian, blue in the lowest byte. In memory that is B, G, R, X: the layout of the canvas. The fourth byte
// has no meaning and is not kept equal to anything.
//
// Decoders keep their buffers and, for ZRLE and Tight, their zlib streams from one rectangle to the next: one
// decoder belongs to one connection and is not safe for concurrent use. After an error it must not be used
// again, because the streams are out of step. Nothing is allocated per rectangle once the buffers have grown,
// except by JPEG.
//
// Malformed data gives an error that wraps ErrData; other errors come from the Reader or the Canvas.
package rfbenc

import (
	"errors"
	"fmt"
	"image"
)

// ErrData is wrapped by every error about data that the encoding forbids or a cap refuses.
var ErrData = errors.New("malformed pixel data")

// Canvas is a picture in BGRX. Draw lets fn write the pixels of r, and only those; pix is the whole picture in
// rows of stride bytes and is not kept. Draw returns an error, without calling fn, when r leaves the picture.
type Canvas interface {
	Draw(r image.Rectangle, fn func(pix []byte, stride int)) error
}

const bytesPerPixel = 4

// dataError returns an error that wraps ErrData.
func dataError(format string, args ...any) error {
	return fmt.Errorf("rfbenc: "+format+": %w", append(args, ErrData)...)
}
