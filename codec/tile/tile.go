// Package tile codes small parts of the picture without loss: the pixels of the patch lane.
//
// A message is one byte that says how, and the pixels of all parts, one part after the other:
//
//	| mode | palette: count−1, then all of G, R−G, B−G | indices, rows padded to whole bytes |  up to 256 colours
//	| mode | residuals: for each row all of G, then of R−G, then of B−G                     |   more colours
//	| mode | R, G, B of each pixel                                                         |   stored
//
// A palette is sorted by G, R, B, and each of its numbers is the difference, modulo 256, to the one before, the first to 0: shades of
// one colour, as smooth text has them, are then small numbers.
//
// With compressed set in mode, all that follows the mode is DEFLATE ([RFC 1951]) of it. An index has 0, 1, 2, 4 or 8 bits,
// as few as the palette allows, the first pixel in the highest bits. Residuals are what is left, modulo 256, of what the median
// predictor of LOCO-I ([ISO/IEC 14495-1] A.4.2) expects from the pixels to the left, above, and above to the left, in the same part;
// what lies outside the part is 0.
//
// Text is a handful of colours: its indices are an eighth to a thirty-second of its pixels before anything is compressed, which is
// less work than any compressor does on the pixels. Browsers need some lines of code and one well-kept inflate for it
// (web/src/viewer/patches/tile.ts).
package tile

import "errors"

const (
	modeStored   = 0
	modePalette  = 1
	modeResidual = 2
	modeMask     = 0x0f
	compressed   = 0x10

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

// median is the predictor of LOCO-I: what a pixel is expected to be, given those to the left, above, and above to the left.
func median(left, above, corner uint8) uint8 {
	switch lo, hi := min(left, above), max(left, above); {
	case corner >= hi:
		return lo
	case corner <= lo:
		return hi
	}
	return left + above - corner
}
