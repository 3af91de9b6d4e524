// Package clearcodec decodes ClearCodec ([MS-RDPEGFX] 2.2.4.1, 3.3.8.1), the lossless codec of the graphics pipeline for
// text and windows.
//
// # Format
//
// A bitmap is laid over what is on the surface in up to three layers, each over the one before:
//
//		flags:1 seqNumber:1 [glyphIndex:2] [residualByteCount:4 bandsByteCount:4 subcodecByteCount:4 residual bands subcodecs]
//
//	  - the residual is the whole bitmap as runs of one colour;
//	  - a band is a strip at most 52 pixels high, made of columns ("V-bars") that differ from a background colour in one
//	    stretch at most (the "short V-bar"); columns and stretches seen before are named by their place in two rings;
//	  - a subcodec region is a rectangle of raw pixels, NSCodec, or RLEX: runs and gradients over a palette.
//
// A bitmap of at most 1024 pixels may be stored as a glyph and later named by its number alone.
//
// Nothing here does I/O or starts a goroutine.
package clearcodec

import (
	"errors"
	"fmt"
)

// ErrData is wrapped by every error about data that the codec forbids or a cap refuses.
var ErrData = errors.New("malformed ClearCodec data")

const bytesPerPixel = 4

// dataError returns an error that wraps ErrData.
func dataError(format string, args ...any) error {
	return fmt.Errorf("clearcodec: "+format+": %w", append(args, ErrData)...)
}
