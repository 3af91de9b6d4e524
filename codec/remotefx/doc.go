// Package remotefx decodes RemoteFX ([MS-RDPRFX]) and RemoteFX Progressive ([MS-RDPEGFX] 2.2.4.2) into pixel.BGRX.
//
// Both cut a picture into tiles of 64×64 pixels. Each of a tile's three components (Y, Cb, Cr) is 4096 coefficients of a
// wavelet transform in three levels, quantised and entropy coded:
//
//	bytes → RLGR → 4096 numbers → LL3 un-differenced, dequantised → inverse DWT 5/3 → YCbCr → BGRX
//
// The coefficients come band by band, HL1 LH1 HH1 HL2 LH2 HH2 HL3 LH3 HH3 LL3, and are fixed point with five fractional
// bits (11.5) once dequantised. All arithmetic is in 16 bits and wraps; values of real pictures stay far from that.
//
// A Decoder is for RemoteFX: tiles stand alone and only the headers of the first message are remembered. A Progressive
// keeps the coefficients of every tile of one surface, because later tiles add to them: differences to the previous
// picture (sub-band diffing) and upgrades, which add bits of precision to coefficients coarsely sent at first. For an
// upgrade each coefficient that is not zero yet takes its next bits from a raw stream, and the others share a stream
// of runs and magnitudes (SRL).
//
// What is parsed from the network is parsed in Go. The transform and the colour conversion, which take fixed sizes of
// numbers, are C for the sake of the vectoriser (transform.c).
//
// # Colour
//
// The specification gives the inverse colour transform in real numbers ([MS-RDPRFX] 3.1.8.2):
//
//	R = Y + 1.402525 Cr    G = Y − 0.343730 Cb − 0.714401 Cr    B = Y + 1.769905 Cb    (+128 each)
//
// and no rounding. Here the coefficients are 1.403, 0.344, 0.714 and 1.770 over 2¹⁴, and each product and the sum are
// rounded down, in 16 bits, as in FreeRDP's vector code, whose results these are to the bit. They differ by at most 1 from
// the real ones rounded down.
package remotefx

import (
	"errors"
	"fmt"
)

// ErrData is wrapped by every error about data that the specifications forbid or a cap refuses.
var ErrData = errors.New("malformed RemoteFX data")

// dataError returns an error that wraps ErrData.
func dataError(format string, args ...any) error {
	return fmt.Errorf("remotefx: "+format+": %w", append(args, ErrData)...)
}

const (
	tileSide      = 64 // pixels; the only size there is ([MS-RDPRFX] 2.2.2.2.4, CT_TILE_64x64)
	tileCoefs     = tileSide * tileSide
	components    = 3 // Y, Cb, Cr
	bands         = 10
	bytesPerPixel = 4
)
