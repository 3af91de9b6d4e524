package remotefx

/*
#cgo CFLAGS: -O3 -std=gnu11
#include "transform.h"
*/
import "C"

import (
	"unsafe"

	"github.com/vitrine-psm/vitrine/codec/pixel"
)

// tilePlanes holds the numbers or the coefficients of a tile's three components, one component after the other.
type tilePlanes [components * tileCoefs]int16

// component returns the part of Y, Cb or Cr.
func (p *tilePlanes) component(i int) *[tileCoefs]int16 { return (*[tileCoefs]int16)(p[i*tileCoefs:]) }

// tileSigns holds −1, 0 or 1 for each of a tile's coefficients.
type tileSigns [components * tileCoefs]int8

func (p *tileSigns) component(i int) *[tileCoefs]int8 { return (*[tileCoefs]int8)(p[i*tileCoefs:]) }

// shifts says by how many bits each band is shifted left, in the order of the bands in the stream.
type shifts [bands]uint8

// bandSizes are the numbers in each band of the plain transform and of the extrapolating one (RFX_DWT_REDUCE_EXTRAPOLATE).
var bandSizes = [2][bands]int{
	{1024, 1024, 1024, 256, 256, 256, 64, 64, 64, 64},
	{1023, 1023, 961, 272, 272, 256, 72, 72, 64, 81},
}

func cBool(on bool) C.int {
	if on {
		return 1
	}
	return 0
}

// dequantise makes coefficients of numbers, in place. signs, unless nil, receives the numbers' signs; sum, unless nil, has
// the coefficients added to it.
func dequantise(q *[tileCoefs]int16, shift *shifts, extrapolate bool, signs *[tileCoefs]int8, sum *[tileCoefs]int16) {
	C.vrfx_dequantise((*C.int16_t)(&q[0]), (*C.uint8_t)(&shift[0]), cBool(extrapolate),
		(*C.int8_t)(unsafe.Pointer(signs)), (*C.int16_t)(unsafe.Pointer(sum)))
}

// render draws the tile into dst, of which it needs at most a tile's size and at least one pixel.
func render(dst pixel.BGRX, coefs *tilePlanes, extrapolate bool) {
	C.vrfx_render((*C.int16_t)(&coefs[0]), cBool(extrapolate),
		(*C.uint8_t)(&dst.Pix[0]), C.ptrdiff_t(dst.Stride), C.int(dst.Width), C.int(dst.Height))
}
