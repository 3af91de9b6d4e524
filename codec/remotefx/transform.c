#include "transform.h"

#include <string.h>

// The loops below are written for the vectoriser: all in 16 bits, counts known when compiled. One copy of each function
// is compiled for each instruction set that is worth it and the best is taken at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

// Sizes of bands. Plain transforms halve; extrapolating ones give the low side one more (33 of 64, 17 of 33, 9 of 17).
enum { MAX_LOW = 33 };

// half is v/2 rounded down, half0 rounded towards zero: what the plain and the extrapolating transform use.
INLINE int16_t half(int16_t v) { return v >> 1; }
INLINE int16_t half0(int16_t v) { return (int16_t)(v - (v >> 15)) >> 1; }

// accumulate undoes the differences within LL3.
INLINE void accumulate(int16_t *v, int n) {
	for (int i = 1; i < n; i++)
		v[i] = (int16_t)(v[i] + v[i - 1]);
}

INLINE void shift_band(int16_t *v, int n, int shift) {
	for (int i = 0; i < n; i++)
		v[i] = (int16_t)((unsigned)v[i] << shift);
}

CLONES
void vrfx_dequantise(int16_t *restrict q, const uint8_t *restrict shift, int extrapolate,
                     int8_t *restrict signs, int16_t *restrict sum) {
	static const uint16_t sizes[2][VRFX_BANDS] = {
		{1024, 1024, 1024, 256, 256, 256, 64, 64, 64, 64},
		{1023, 1023, 961, 272, 272, 256, 72, 72, 64, 81},
	};
	if (signs)
		for (int i = 0; i < VRFX_COEFS; i++)
			signs[i] = (int8_t)((q[i] > 0) - (q[i] < 0));
	const uint16_t *size = sizes[extrapolate != 0];
	int ll = size[VRFX_BANDS - 1];
	accumulate(q + VRFX_COEFS - ll, ll);
	int16_t *band = q;
	for (int b = 0; b < VRFX_BANDS; band += size[b++])
		shift_band(band, size[b], shift[b]);
	if (sum)
		for (int i = 0; i < VRFX_COEFS; i++)
			sum[i] = (int16_t)(sum[i] + q[i]);
}

// row_plain makes 2n numbers of n low and n high ones ([MS-RDPRFX] 3.1.8.2).
INLINE void row_plain(const int16_t *restrict l, const int16_t *restrict h, int16_t *restrict out, const int n) {
	int16_t even[MAX_LOW];
	even[0] = (int16_t)(l[0] - h[0]);
	for (int i = 1; i < n; i++)
		even[i] = (int16_t)(l[i] - half((int16_t)(h[i - 1] + h[i] + 1)));
	even[n] = even[n - 1];
	for (int i = 0; i < n; i++) {
		out[2 * i] = even[i];
		out[2 * i + 1] = (int16_t)(2 * h[i] + half((int16_t)(even[i] + even[i + 1])));
	}
}

// row_extra makes nl+nh numbers of nl low and nh high ones. The first and last high number count twice, like mirrored ones;
// with two more low numbers than high ones the high number past the end is zero.
INLINE void row_extra(const int16_t *restrict l, const int16_t *restrict h, int16_t *restrict out, const int nl, const int nh) {
	int16_t even[MAX_LOW];
	even[0] = (int16_t)(l[0] - h[0]);
	for (int i = 1; i < nh; i++)
		even[i] = (int16_t)(l[i] - half0((int16_t)(h[i - 1] + h[i])));
	even[nh] = (int16_t)(l[nh] - (nl == nh + 1 ? h[nh - 1] : half0(h[nh - 1])));
	for (int i = 0; i < nh; i++) {
		out[2 * i] = even[i];
		out[2 * i + 1] = (int16_t)(2 * h[i] + half0((int16_t)(even[i] + even[i + 1])));
	}
	out[2 * nh] = even[nh];
	if (nl > nh + 1)
		out[2 * nh + 1] = half0((int16_t)(even[nh] + l[nh + 1]));
}

// level undoes one level: LL, and HL LH HH one after the other at high, become side×side numbers at out.
// Rows come first, then columns, which go through memory row by row.
INLINE void level(const int16_t *restrict ll, const int16_t *restrict high, int16_t *restrict out,
                  const int nl, const int nh, const int extra) {
	const int side = nl + nh;
	const int16_t *hl = high, *lh = hl + nl * nh, *hh = lh + nh * nl;
	int16_t low[VRFX_SIDE], prev[VRFX_SIDE], next[VRFX_SIDE];
	for (int i = 0; i <= nh; i++) {
		int16_t *even = out + 2 * i * side;
		if (i < nl) {
			if (extra)
				row_extra(ll + i * nl, hl + i * nh, low, nl, nh);
			else
				row_plain(ll + i * nl, hl + i * nh, low, nh);
		}
		if (i < nh) {
			if (extra)
				row_extra(lh + i * nl, hh + i * nh, next, nl, nh);
			else
				row_plain(lh + i * nl, hh + i * nh, next, nh);
		}
		if (i == 0) {
			for (int x = 0; x < side; x++)
				even[x] = (int16_t)(low[x] - next[x]);
		} else if (i < nh) {
			if (extra)
				for (int x = 0; x < side; x++)
					even[x] = (int16_t)(low[x] - half0((int16_t)(prev[x] + next[x])));
			else
				for (int x = 0; x < side; x++)
					even[x] = (int16_t)(low[x] - half((int16_t)(prev[x] + next[x] + 1)));
		} else if (!extra) {
			for (int x = 0; x < side; x++) // past the end: mirrored
				even[x - side] = (int16_t)(2 * prev[x] + even[x - 2 * side]);
			return;
		} else if (nl == nh + 1) {
			for (int x = 0; x < side; x++)
				even[x] = (int16_t)(low[x] - prev[x]);
		} else {
			for (int x = 0; x < side; x++)
				even[x] = (int16_t)(low[x] - half0(prev[x]));
		}
		if (i > 0) {
			int16_t *odd = even - side, *before = odd - side;
			if (extra)
				for (int x = 0; x < side; x++)
					odd[x] = (int16_t)(2 * prev[x] + half0((int16_t)(before[x] + even[x])));
			else
				for (int x = 0; x < side; x++)
					odd[x] = (int16_t)(2 * prev[x] + half((int16_t)(before[x] + even[x])));
		}
		memcpy(prev, next, sizeof prev);
	}
	if (nl > nh + 1) {
		row_extra(ll + (nl - 1) * nl, hl + (nl - 1) * nh, low, nl, nh);
		int16_t *even = out + 2 * nh * side;
		for (int x = 0; x < side; x++)
			even[side + x] = half0((int16_t)(even[x] + low[x]));
	}
}

INLINE int any(const int16_t *v, int n) {
	int16_t or = 0;
	for (int i = 0; i < n; i++)
		or |= v[i];
	return or != 0;
}

// component undoes the transform of one component. A component of one colour is frequent, and quick.
INLINE void component(const int16_t *restrict c, int extra, int16_t *restrict out) {
	int16_t ll2[17 * 17], ll1[33 * 33];
	int ll = extra ? 81 : 64, flat = !any(c, VRFX_COEFS - ll);
	for (int i = VRFX_COEFS - ll; flat && i < VRFX_COEFS; i++)
		flat = c[i] == c[VRFX_COEFS - 1];
	if (flat) {
		for (int i = 0; i < VRFX_COEFS; i++)
			out[i] = c[VRFX_COEFS - 1];
	} else if (extra) {
		level(c + 4015, c + 3807, ll2, 9, 8, 1);
		level(ll2, c + 3007, ll1, 17, 16, 1);
		level(ll1, c, out, 33, 31, 1);
	} else {
		level(c + 4032, c + 3840, ll2, 8, 8, 0);
		level(ll2, c + 3072, ll1, 16, 16, 0);
		level(ll1, c, out, 32, 32, 0);
	}
}

INLINE uint16_t clamp(int16_t v) {
	v = v < 0 ? 0 : v;
	return (uint16_t)(v > 255 ? 255 : v);
}

// times is v times a coefficient over 2^14, divided by 4 and rounded down.
INLINE int16_t times(int16_t v, int16_t coefficient) { return (int16_t)((v * coefficient) >> 16); }

// Coefficients over 2^14 of the inverse colour transform.
enum { RCR = 22986, GCB = -5636, GCR = -11698, BCB = 28999 };

CLONES
void vrfx_render(const int16_t *restrict coefs, int extrapolate, uint8_t *restrict dst, ptrdiff_t stride, int width, int height) {
	int16_t planes[VRFX_COMPONENTS][VRFX_COEFS];
	for (int c = 0; c < VRFX_COMPONENTS; c++)
		component(coefs + c * VRFX_COEFS, extrapolate, planes[c]);
	for (int y = 0; y < height; y++, dst += stride) {
		const int16_t *py = planes[0] + y * VRFX_SIDE, *pb = planes[1] + y * VRFX_SIDE, *pr = planes[2] + y * VRFX_SIDE;
		uint16_t row[2 * VRFX_SIDE];
		for (int x = 0; x < VRFX_SIDE; x++) {
			int16_t luma = (int16_t)(py[x] + (128 << 5)) >> 2, cb = pb[x], cr = pr[x];
			uint16_t r = clamp((int16_t)(luma + times(cr, RCR)) >> 3);
			uint16_t g = clamp((int16_t)(luma + times(cb, GCB) + times(cr, GCR)) >> 3);
			uint16_t b = clamp((int16_t)(luma + times(cb, BCB)) >> 3);
			row[2 * x] = (uint16_t)(b | g << 8); // little-endian: B, G, R, X
			row[2 * x + 1] = (uint16_t)(r | 0xff00);
		}
		memcpy(dst, row, (size_t)width * 4);
	}
}
