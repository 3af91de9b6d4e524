// BGRX to I420, BT.709 full range. See doc.go for the maths; reference.go is the same in Go.
#ifndef VITRINE_PIXEL_CONVERT_H
#define VITRINE_PIXEL_CONVERT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	int32_t y, x0, x1; // blocks, as pixel.Run
} vp_run;

// vp_convert converts the runs of macroblocks of a BGRX picture of width×height pixels. The caller has checked that
// the runs lie in the planes and that the buffers are large enough.
void vp_convert(const uint8_t *pix, ptrdiff_t stride, int width, int height, const vp_run *runs, size_t n,
                uint8_t *y, ptrdiff_t stride_y, uint8_t *cb, uint8_t *cr, ptrdiff_t stride_c);

#endif
