package pixel

/*
#cgo CFLAGS: -O3 -std=gnu11
#include "convert.h"
*/
import "C"

import "unsafe"

// Convert writes the macroblocks of runs from src into dst. Blocks outside the runs are left alone. It returns an error,
// and writes nothing, when the sizes do not fit or a run leaves the picture. It keeps none of its arguments.
func Convert(dst *Planes, src Source, runs []Run) error {
	if err := dst.check(); err != nil {
		return err
	}
	if err := src.check(dst); err != nil {
		return err
	}
	if err := checkRuns(runs, dst); err != nil {
		return err
	}
	if len(runs) == 0 {
		return nil
	}
	// Run and vp_run have the same layout: three 32-bit integers.
	C.vp_convert((*C.uint8_t)(&src.Pix[0]), C.ptrdiff_t(src.Stride), C.int(src.Width), C.int(src.Height),
		(*C.vp_run)(unsafe.Pointer(&runs[0])), C.size_t(len(runs)),
		(*C.uint8_t)(&dst.Y[0]), C.ptrdiff_t(dst.StrideY),
		(*C.uint8_t)(&dst.Cb[0]), (*C.uint8_t)(&dst.Cr[0]), C.ptrdiff_t(dst.StrideC))
	return nil
}
