#include "convert.h"

#include <string.h>

// The loops below are written for the vectoriser; one copy is compiled for each instruction set that is worth it
// and the best is taken at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define VP_CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define VP_CLONES
#endif

enum { BLOCK = 16, SHIFT = 15 };

// Coefficients over 2^15, as in reference.go.
enum { YR = 6966, YG = 23436, YB = 2366 };
enum { UR = -3754, UG = -12630, UB = 16384 };
enum { VR = 16384, VG = -14882, VB = -1502 };

// rows2 converts two rows of n pixels, n even: both luma rows and the chroma row they share.
VP_CLONES
static void rows2(const uint32_t *restrict p0, const uint32_t *restrict p1, int n,
                  uint8_t *restrict y0, uint8_t *restrict y1, uint8_t *restrict cb, uint8_t *restrict cr) {
	for (int i = 0; i < n; i++) {
		int32_t a = p0[i], b = p1[i];
		y0[i] = (YB * (a & 255) + YG * ((a >> 8) & 255) + YR * ((a >> 16) & 255) + (1 << (SHIFT - 1))) >> SHIFT;
		y1[i] = (YB * (b & 255) + YG * ((b >> 8) & 255) + YR * ((b >> 16) & 255) + (1 << (SHIFT - 1))) >> SHIFT;
	}
	for (int i = 0; i < n / 2; i++) {
		uint32_t a = p0[2 * i], b = p0[2 * i + 1], c = p1[2 * i], d = p1[2 * i + 1];
		// Blue and red stand 16 bits apart: their sums of four, 10 bits each, are taken at once.
		int32_t br = (a & 0xff00ff) + (b & 0xff00ff) + (c & 0xff00ff) + (d & 0xff00ff);
		int32_t g = ((a >> 8) & 255) + ((b >> 8) & 255) + ((c >> 8) & 255) + ((d >> 8) & 255);
		int32_t blue = br & 0xffff, red = br >> 16;
		int32_t u = (UB * blue + UG * g + UR * red + (128 << (SHIFT + 2)) + (1 << (SHIFT + 1))) >> (SHIFT + 2);
		int32_t v = (VB * blue + VG * g + VR * red + (128 << (SHIFT + 2)) + (1 << (SHIFT + 1))) >> (SHIFT + 2);
		cb[i] = u > 255 ? 255 : u; // 255.5 rounds to 256 for pure blue and pure red; never below 0
		cr[i] = v > 255 ? 255 : v;
	}
}

// gather copies one macroblock, repeating the last visible column and row beyond the picture.
static void gather(uint32_t *block, const uint8_t *pix, ptrdiff_t stride, int width, int height, int bx, int by) {
	int w = width - bx * BLOCK, h = height - by * BLOCK;
	if (w > BLOCK)
		w = BLOCK;
	if (h > BLOCK)
		h = BLOCK;
	for (int y = 0; y < BLOCK; y++, block += BLOCK) {
		int sy = y < h ? y : h - 1;
		memcpy(block, pix + (ptrdiff_t)(by * BLOCK + sy) * stride + (ptrdiff_t)bx * BLOCK * 4, (size_t)w * 4);
		for (int x = w; x < BLOCK; x++)
			block[x] = block[w - 1];
	}
}

void vp_convert(const uint8_t *pix, ptrdiff_t stride, int width, int height, const vp_run *runs, size_t n,
                uint8_t *y, ptrdiff_t stride_y, uint8_t *cb, uint8_t *cr, ptrdiff_t stride_c) {
	uint32_t block[BLOCK * BLOCK];
	int whole_cols = width / BLOCK, whole_rows = height / BLOCK;
	for (size_t r = 0; r < n; r++) {
		int by = runs[r].y, bx = runs[r].x0;
		uint8_t *yr = y + (ptrdiff_t)by * BLOCK * stride_y;
		ptrdiff_t c = (ptrdiff_t)by * (BLOCK / 2) * stride_c;
		int end = by < whole_rows ? (runs[r].x1 < whole_cols ? runs[r].x1 : whole_cols) : bx;
		if (bx < end) {
			const uint8_t *p = pix + (ptrdiff_t)by * BLOCK * stride + (ptrdiff_t)bx * BLOCK * 4;
			for (int i = 0; i < BLOCK; i += 2)
				rows2((const uint32_t *)(p + i * stride), (const uint32_t *)(p + (i + 1) * stride), (end - bx) * BLOCK,
				      yr + i * stride_y + bx * BLOCK, yr + (i + 1) * stride_y + bx * BLOCK,
				      cb + c + (i / 2) * stride_c + bx * (BLOCK / 2), cr + c + (i / 2) * stride_c + bx * (BLOCK / 2));
			bx = end;
		}
		for (; bx < runs[r].x1; bx++) {
			gather(block, pix, stride, width, height, bx, by);
			for (int i = 0; i < BLOCK; i += 2)
				rows2(block + i * BLOCK, block + (i + 1) * BLOCK, BLOCK,
				      yr + i * stride_y + bx * BLOCK, yr + (i + 1) * stride_y + bx * BLOCK,
				      cb + c + (i / 2) * stride_c + bx * (BLOCK / 2), cr + c + (i / 2) * stride_c + bx * (BLOCK / 2));
		}
	}
}
