// ref runs libfreerdp's own codecs (FreeRDP 2.x) for tests: it reads requests from stdin and writes answers to
// stdout until stdin ends. All numbers are little endian, 32 bits unless said otherwise.
//
//	request: length of the rest, op, repeat, canvas width, canvas height, count of items, items
//	item:    x, y, width, height, four arguments, length, bytes
//	answer:  length of the rest, status (0: done, else 1 + index of the item refused), nanoseconds of one
//	         repetition (64 bits), bytes
//
// A decoder draws the items into the canvas, BGRX and top-down, which stays from request to request while its
// size does; the answer's bytes are the canvas. zgfx answers with what came out of the last repetition. An
// encoder takes one item, a BGRX picture of width×height, and answers with the code. The contexts of all
// codecs live as long as the process or until op reset. See freerdpref.go for the ops and their arguments.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <freerdp/codec/clear.h>
#include <freerdp/codec/color.h>
#include <freerdp/codec/interleaved.h>
#include <freerdp/codec/nsc.h>
#include <freerdp/codec/planar.h>
#include <freerdp/codec/progressive.h>
#include <freerdp/codec/region.h>
#include <freerdp/codec/rfx.h>
#include <freerdp/codec/zgfx.h>
#include <freerdp/primitives.h>
#include <winpr/stream.h>

enum {
	op_reset = 0,
	dec_interleaved = 1, dec_planar, dec_nsc, dec_rfx, dec_progressive, dec_clear, dec_zgfx, dec_raw,
	enc_interleaved = 101, enc_planar, enc_nsc, enc_rfx, enc_progressive, enc_zgfx = 107,
};

enum { max_request = 256 << 20, canvas_format = PIXEL_FORMAT_BGRX32 };

typedef struct {
	uint32_t x, y, w, h, arg[4], len;
	const uint8_t *data;
} item;

static struct {
	BITMAP_INTERLEAVED_CONTEXT *interleaved;
	BITMAP_PLANAR_CONTEXT *planar;
	NSC_CONTEXT *nsc;
	RFX_CONTEXT *rfx;
	PROGRESSIVE_CONTEXT *progressive;
	CLEAR_CONTEXT *clear;
	ZGFX_CONTEXT *zgfx;
	uint64_t surfaces[1024]; // bit set of the progressive surfaces that exist
	uint32_t planar_w, planar_h;
} ctx;

static uint8_t *canvas;
static uint32_t canvas_w, canvas_h;
static uint8_t *out; // what an encoder or zgfx has answered
static size_t out_len, out_cap;

static void die(const char *why)
{
	fprintf(stderr, "ref: %s\n", why);
	exit(2);
}

static void *need(void *p)
{
	if (!p)
		die("out of memory, or a codec's context could not be made");
	return p;
}

static void put(const void *p, size_t n)
{
	if (out_len + n > out_cap)
		out = need(realloc(out, out_cap = 2 * (out_len + n)));
	if (n)
		memcpy(out + out_len, p, n);
	out_len += n;
}

static uint32_t u32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void reset(void)
{
	bitmap_interleaved_context_free(ctx.interleaved);
	freerdp_bitmap_planar_context_free(ctx.planar);
	nsc_context_free(ctx.nsc);
	rfx_context_free(ctx.rfx);
	progressive_context_free(ctx.progressive);
	clear_context_free(ctx.clear);
	zgfx_context_free(ctx.zgfx);
	memset(&ctx, 0, sizeof ctx);
	free(canvas);
	canvas = NULL;
	canvas_w = canvas_h = 0;
}

static void use_canvas(uint32_t w, uint32_t h)
{
	if (canvas && w == canvas_w && h == canvas_h)
		return;
	if (w > 16384 || h > 16384)
		die("canvas too large");
	free(canvas);
	canvas = need(calloc((size_t)w * h + 1, 4));
	canvas_w = w, canvas_h = h;
}

// prepare makes the context a decoder needs and resets what belongs to one pass over the items.
static void prepare(uint32_t op, const item *items, uint32_t n)
{
	uint32_t w = canvas_w, h = canvas_h;
	for (uint32_t i = 0; i < n; i++) {
		w = items[i].w > w ? items[i].w : w;
		h = items[i].h > h ? items[i].h : h;
	}
	switch (op) {
	case dec_interleaved:
		if (!ctx.interleaved)
			ctx.interleaved = need(bitmap_interleaved_context_new(FALSE));
		break;
	case dec_planar:
		if (!ctx.planar)
			ctx.planar = need(freerdp_bitmap_planar_context_new(0, w, h));
		if ((w > ctx.planar_w || h > ctx.planar_h) && !freerdp_bitmap_planar_context_reset(ctx.planar, w, h))
			die("planar reset");
		ctx.planar_w = w > ctx.planar_w ? w : ctx.planar_w;
		ctx.planar_h = h > ctx.planar_h ? h : ctx.planar_h;
		break;
	case dec_nsc:
		if (!ctx.nsc)
			ctx.nsc = need(nsc_context_new());
		break;
	case dec_rfx:
		if (!ctx.rfx) {
			ctx.rfx = need(rfx_context_new(FALSE));
			if (!rfx_context_reset(ctx.rfx, w, h))
				die("rfx reset");
		}
		break;
	case dec_progressive:
		if (!ctx.progressive)
			ctx.progressive = need(progressive_context_new(FALSE));
		for (uint32_t i = 0; i < n; i++) {
			uint16_t id = items[i].arg[0];
			if (ctx.surfaces[id / 64] >> id % 64 & 1)
				continue;
			if (progressive_create_surface_context(ctx.progressive, id, canvas_w, canvas_h) < 0)
				die("progressive surface");
			ctx.surfaces[id / 64] |= (uint64_t)1 << id % 64;
		}
		break;
	case dec_clear:
		if (!ctx.clear)
			ctx.clear = need(clear_context_new(FALSE));
		break;
	case dec_zgfx:
		if (!ctx.zgfx)
			ctx.zgfx = need(zgfx_context_new(FALSE));
		break;
	}
}

static uint32_t format_of(uint32_t bpp)
{
	switch (bpp) {
	case 8: return PIXEL_FORMAT_RGB8;
	case 15: return PIXEL_FORMAT_RGB15;
	case 16: return PIXEL_FORMAT_RGB16;
	case 24: return PIXEL_FORMAT_BGR24;
	default: return PIXEL_FORMAT_BGRX32;
	}
}

// palette_of takes the palette, 256 BGRX colours, off the front of an item of 8 bits a pixel.
static const gdiPalette *palette_of(item *it)
{
	static gdiPalette palette;
	if (it->arg[0] != 8)
		return NULL;
	if (it->len < 1024)
		die("no palette");
	palette.format = PIXEL_FORMAT_BGRX32;
	for (int i = 0; i < 256; i++) {
		const uint8_t *p = it->data + 4 * i;
		palette.palette[i] = FreeRDPGetColor(PIXEL_FORMAT_BGRX32, p[2], p[1], p[0], 0xFF);
	}
	it->data += 1024, it->len -= 1024;
	return &palette;
}

static int decode(uint32_t op, item it)
{
	const uint32_t step = canvas_w * 4;
	// A destination narrower than the bitmap, where a codec knows such a thing.
	const uint32_t dw = it.arg[2] ? it.arg[2] : it.w, dh = it.arg[3] ? it.arg[3] : it.h;
	if (op != dec_zgfx && ((uint64_t)it.x + dw > canvas_w || (uint64_t)it.y + dh > canvas_h))
		die("item leaves the canvas");
	const gdiPalette *palette;
	switch (op) {
	case dec_interleaved:
		palette = palette_of(&it);
		return interleaved_decompress(ctx.interleaved, it.data, it.len, it.w, it.h, it.arg[0], canvas,
			canvas_format, step, it.x, it.y, dw, dh, palette);
	case dec_planar:
		return planar_decompress(ctx.planar, it.data, it.len, it.w, it.h, canvas, canvas_format, step, it.x,
			it.y, dw, dh, it.arg[1]);
	case dec_nsc:
		return nsc_process_message(ctx.nsc, 32, it.w, it.h, it.data, it.len, canvas, canvas_format, step,
			it.x, it.y, dw, dh, it.arg[1] ? FREERDP_FLIP_VERTICAL : FREERDP_FLIP_NONE);
	case dec_rfx: {
		REGION16 region;
		region16_init(&region);
		int ok = rfx_process_message(ctx.rfx, it.data, it.len, it.x, it.y, canvas, canvas_format, step,
			canvas_h, &region);
		region16_uninit(&region);
		return ok;
	}
	case dec_progressive: {
		REGION16 region;
		region16_init(&region);
		int rc = progressive_decompress_ex(ctx.progressive, it.data, it.len, canvas, canvas_format, step,
			it.x, it.y, &region, it.arg[0], it.arg[1]);
		region16_uninit(&region);
		return rc >= 0;
	}
	case dec_clear:
		return clear_decompress(ctx.clear, it.data, it.len, it.w, it.h, canvas, canvas_format, step, it.x,
			it.y, canvas_w, canvas_h, NULL) >= 0;
	case dec_zgfx: {
		BYTE *p = NULL;
		UINT32 n = 0;
		if (zgfx_decompress(ctx.zgfx, it.data, it.len, &p, &n, 0) < 0)
			return 0;
		put(p, n);
		free(p);
		return 1;
	}
	case dec_raw:
		palette = palette_of(&it);
		return freerdp_image_copy(canvas, canvas_format, step, it.x, it.y, dw, dh, it.data,
			format_of(it.arg[0]), it.len / (it.h ? it.h : 1), 0, 0, palette,
			it.arg[1] ? FREERDP_FLIP_VERTICAL : FREERDP_FLIP_NONE);
	}
	die("no such op");
	return 0;
}

static int encode(uint32_t op, item it)
{
	const uint32_t step = it.w * 4;
	if (op != enc_zgfx && it.len != (uint64_t)step * it.h)
		die("picture of a wrong size");
	int ok = 0;
	switch (op) {
	case enc_interleaved: {
		BITMAP_INTERLEAVED_CONTEXT *c = need(bitmap_interleaved_context_new(TRUE));
		UINT32 n = 64 * 64 * 4; // the most the encoder ever writes
		uint8_t *p = need(malloc(n));
		ok = interleaved_compress(c, p, &n, it.w, it.h, it.data, PIXEL_FORMAT_BGRX32, step, 0, 0, NULL,
			it.arg[0]);
		if (ok)
			put(p, n);
		free(p);
		bitmap_interleaved_context_free(c);
		break;
	}
	case enc_planar: {
		BITMAP_PLANAR_CONTEXT *c = need(freerdp_bitmap_planar_context_new(it.arg[0], it.w, it.h));
		UINT32 n = 0;
		BYTE *p = freerdp_bitmap_compress_planar(c, it.data, it.arg[1] ? PIXEL_FORMAT_BGRA32 : PIXEL_FORMAT_BGRX32,
			it.w, it.h, step, NULL, &n);
		if ((ok = p != NULL))
			put(p, n);
		free(p);
		freerdp_bitmap_planar_context_free(c);
		break;
	}
	case enc_nsc: {
		NSC_CONTEXT *c = need(nsc_context_new());
		wStream *s = need(Stream_New(NULL, 1 << 16));
		ok = nsc_context_set_parameters(c, NSC_COLOR_FORMAT, it.arg[2] ? PIXEL_FORMAT_BGRA32 : PIXEL_FORMAT_BGRX32) &&
			nsc_context_set_parameters(c, NSC_COLOR_LOSS_LEVEL, it.arg[0]) &&
			nsc_context_set_parameters(c, NSC_ALLOW_SUBSAMPLING, it.arg[1]) &&
			nsc_context_reset(c, it.w, it.h) &&
			nsc_compose_message(c, s, it.data, it.w, it.h, step);
		if (ok)
			put(Stream_Buffer(s), Stream_GetPosition(s));
		Stream_Free(s, TRUE);
		nsc_context_free(c);
		break;
	}
	case enc_rfx: {
		RFX_CONTEXT *c = need(rfx_context_new(TRUE));
		wStream *s = need(Stream_New(NULL, 1 << 16));
		RFX_RECT rect = { 0, 0, it.w, it.h };
		c->mode = it.arg[0] == 1 ? RLGR1 : RLGR3;
		rfx_context_set_pixel_format(c, PIXEL_FORMAT_BGRX32);
		ok = rfx_context_reset(c, it.w, it.h) &&
			rfx_compose_message(c, s, &rect, 1, it.data, it.w, it.h, step);
		if (ok)
			put(Stream_Buffer(s), Stream_GetPosition(s));
		Stream_Free(s, TRUE);
		rfx_context_free(c);
		break;
	}
	case enc_progressive: {
		PROGRESSIVE_CONTEXT *c = need(progressive_context_new(TRUE));
		BYTE *p = NULL; // belongs to the context
		UINT32 n = 0;
		ok = progressive_compress_ex(c, it.data, it.len, PIXEL_FORMAT_BGRX32, it.w, it.h, step, NULL, &p, &n) >= 0;
		if (ok)
			put(p, n);
		progressive_context_free(c);
		break;
	}
	case enc_zgfx: {
		ZGFX_CONTEXT *c = need(zgfx_context_new(TRUE));
		wStream *s = need(Stream_New(NULL, 1 << 16));
		UINT32 flags = 0;
		ok = zgfx_compress_to_stream(c, s, it.data, it.len, &flags) >= 0;
		if (ok)
			put(Stream_Buffer(s), Stream_GetPosition(s));
		Stream_Free(s, TRUE);
		zgfx_context_free(c);
		break;
	}
	default:
		die("no such op");
	}
	return ok;
}

static void answer(FILE *to, uint32_t status, uint64_t ns, const void *p, size_t n)
{
	uint8_t head[16];
	uint32_t words[4] = { 12 + n, status, (uint32_t)ns, (uint32_t)(ns >> 32) };
	for (int i = 0; i < 16; i++)
		head[i] = words[i / 4] >> 8 * (i % 4);
	if (fwrite(head, 1, sizeof head, to) != sizeof head || fwrite(p, 1, n, to) != n || fflush(to))
		die("the answer could not be written");
}

static void serve(FILE *to, const uint8_t *p, size_t len)
{
	if (len < 20)
		die("short request");
	const uint32_t op = u32(p), repeat = u32(p + 4), w = u32(p + 8), h = u32(p + 12), n = u32(p + 16);
	size_t at = 20;
	if (n > len / 36)
		die("too many items");
	item *items = need(calloc(n + 1, sizeof *items));
	for (uint32_t i = 0; i < n; i++) {
		if (len - at < 36)
			die("short item");
		item *it = &items[i];
		it->x = u32(p + at), it->y = u32(p + at + 4), it->w = u32(p + at + 8), it->h = u32(p + at + 12);
		for (int k = 0; k < 4; k++)
			it->arg[k] = u32(p + at + 16 + 4 * k);
		it->len = u32(p + at + 32);
		at += 36;
		if (len - at < it->len)
			die("short bytes");
		// A copy of its own, so that memory checkers see a decoder that reads beyond its input.
		uint8_t *own = need(malloc(it->len + 1));
		memcpy(own, p + at, it->len);
		it->data = own;
		at += it->len;
	}
	out_len = 0;
	uint32_t status = 0;
	uint64_t ns = 0;
	if (op == op_reset) {
		reset();
	} else if (op >= enc_interleaved) {
		status = n == 1 && encode(op, items[0]) ? 0 : 1;
	} else {
		use_canvas(w, h);
		struct timespec a, b;
		prepare(op, items, n);
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (uint32_t r = 0; r < repeat && !status; r++) {
			out_len = 0;
			if (r && op == dec_clear) // sequence numbers begin anew, caches stay
				clear_context_reset(ctx.clear);
			for (uint32_t i = 0; i < n && !status; i++)
				if (!decode(op, items[i]))
					status = 1 + i;
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
		if (repeat)
			ns = ((b.tv_sec - a.tv_sec) * 1000000000ull + b.tv_nsec - a.tv_nsec) / repeat;
		if (op != dec_zgfx)
			put(canvas, (size_t)canvas_w * canvas_h * 4);
	}
	answer(to, status, ns, out, status && op >= enc_interleaved ? 0 : out_len);
	for (uint32_t i = 0; i < n; i++)
		free((void *)items[i].data);
	free(items);
}

int main(void)
{
	// The library may write its log to stdout: that becomes stderr, and answers go to a copy.
	int fd = dup(1);
	if (fd < 0 || dup2(2, 1) < 0)
		die("dup");
	FILE *to = need(fdopen(fd, "wb"));
	// Otherwise the library times its primitives and may choose those that round colours in another way.
	primitives_set_hints(PRIMITIVES_ONLY_CPU);
	for (;;) {
		uint8_t head[4];
		size_t n = fread(head, 1, sizeof head, stdin);
		if (n == 0)
			return 0;
		if (n != sizeof head)
			die("short length");
		uint32_t len = u32(head);
		if (len > max_request)
			die("request too large");
		uint8_t *p = need(malloc(len + 1));
		if (fread(p, 1, len, stdin) != len)
			die("short request");
		serve(to, p, len);
		free(p);
	}
}
