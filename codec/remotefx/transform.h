#ifndef VITRINE_REMOTEFX_TRANSFORM_H
#define VITRINE_REMOTEFX_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

enum { VRFX_SIDE = 64, VRFX_COEFS = 4096, VRFX_BANDS = 10, VRFX_COMPONENTS = 3 };

// vrfx_dequantise makes coefficients of a component's numbers, in place: LL3's differences are summed up and each band
// is shifted left by its entry of shift, bands in the order of the stream. signs, when not null, receives −1, 0 or 1 for
// each number; sum, when not null, has the coefficients added to it.
void vrfx_dequantise(int16_t *q, const uint8_t *shift, int extrapolate, int8_t *signs, int16_t *sum);

// vrfx_render turns three components of coefficients into width×height BGRX pixels at dst, of the 64×64 there are.
void vrfx_render(const int16_t *coefs, int extrapolate, uint8_t *dst, ptrdiff_t stride, int width, int height);

#endif
