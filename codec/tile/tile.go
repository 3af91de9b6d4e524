// Package tile codes small parts of the picture without loss: the pixels of the patch lane.
//
// A message is one byte that says how, and the pixels of all parts, one part after the other, each row by row:
//
//	| mode | count−1 | the palette's colours as planes | indices, rows padded to whole bytes |  up to 256 colours
//	| mode | the pixels' colours as planes                                                 |  more colours
//	| mode | R, G, B of each pixel                                                         |  stored
//
// Planes are all of G, then all of R−G, then all of B−G. Each number is the difference, modulo 256, to the one before it in its
// plane, the first to 0; neither rows nor parts begin anew. A palette is sorted by G, R, B: shades of one colour, as smooth text
// has them, are then small numbers. An index has 0, 1, 2, 4 or 8 bits, as few as the palette allows, the first pixel in the highest
// bits. With compressed set in mode, all that follows the mode is DEFLATE ([RFC 1951]) of it.
//
// Text is a handful of colours: its indices are an eighth to a thirty-second of its pixels before anything is compressed, which is
// less work than any compressor does on the pixels. Of real cells with up to 256 colours, planes made none smaller. Predictors with
// more neighbours (above, average, LOCO-I's median, Paeth) gain a tenth on photographs at most, and lose that on gradients. Browsers
// need some lines of code and one well-kept inflate for all of it (web/src/viewer/patches/tile.ts).
package tile

import "errors"

const (
	modeStored  = 0
	modePalette = 1
	modePlanes  = 2
	compressed  = 0x10

	maxColours = 256
	channels   = 3
	inPixel    = 4 // bytes of a BGRX pixel
)

// Errors of Decode.
var (
	ErrShort   = errors.New("tile: message ends early")
	ErrTrailer = errors.New("tile: message goes on after the last pixel")
	ErrMode    = errors.New("tile: unknown mode")
	ErrIndex   = errors.New("tile: index beyond the palette")
	ErrDeflate = errors.New("tile: malformed DEFLATE stream")
)

// bitsFor returns how many bits an index into so many colours has.
func bitsFor(colours int) int {
	switch {
	case colours <= 1:
		return 0
	case colours <= 2:
		return 1
	case colours <= 4:
		return 2
	case colours <= 16:
		return 4
	}
	return 8
}
