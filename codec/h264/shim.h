// A thin layer over libx264: one encoder, its input picture, and its last message, in C memory.
#ifndef VITRINE_H264_SHIM_H
#define VITRINE_H264_SHIM_H

#include <stdint.h>
#include <x264.h>

typedef struct {
	int width, height;             // coded size, multiples of 16
	int crop_right, crop_bottom;   // even
	int fps;                       // for the level only
	int qp_min, qp_max;
	int threads;
	int preset;
} vx_config;

typedef struct {
	x264_t *h;
	x264_param_t param;
	x264_picture_t in, out;
	uint8_t *mb_info;  // one byte per macroblock
	uint8_t *headers;  // SPS and PPS in Annex B form, owned by x264, valid until the next call
	int headers_size;
	uint8_t *data;     // the last access unit, owned by x264, valid until the next call
	int size;
	int keyframe;
	int64_t cpu_ns;    // CPU time of the calling thread in the last encode
	char message[256]; // the last warning or error of x264, empty when there was none
} vx_encoder;

// vx_open returns 0 on success; on failure e->message may tell why. Either way vx_close frees everything.
int vx_open(vx_encoder *e, const vx_config *c);

// vx_preset changes the speed from the next picture on.
int vx_preset(vx_encoder *e, int preset);

// vx_encode codes the input picture: 0 on success.
int vx_encode(vx_encoder *e, int64_t pts, int idr, int qp);

void vx_close(vx_encoder *e);

#endif
