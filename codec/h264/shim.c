#include "shim.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void keep_message(void *opaque, int level, const char *format, va_list args) {
	vx_encoder *e = opaque;
	(void)level;
	vsnprintf(e->message, sizeof e->message, format, args);
}

// set_speed sets what may change while the encoder runs. Common to all presets, and fixed: whole-pixel motion
// (subme 0). Half-pixel planes cost more than the rest of a small change and a desktop moves by whole pixels.
// It moves far, though: a scroll that the search does not find costs ten times the bits and more time than a
// wide search, which ends early once a neighbour has found it.
static void set_speed(x264_param_t *p, int preset) {
	p->analyse.i_me_method = X264_ME_DIA;
	p->analyse.i_me_range = 16;
	p->analyse.intra = 0;
	p->analyse.inter = 0;
	if (preset >= 1) { // superfast: 4×4 prediction, a wide search
		p->analyse.i_me_method = X264_ME_UMH;
		p->analyse.i_me_range = 64;
		p->analyse.intra = X264_ANALYSE_I4x4;
		p->analyse.inter = X264_ANALYSE_I4x4;
	}
	if (preset >= 2) // veryfast: partitions down to 8×8
		p->analyse.inter |= X264_ANALYSE_PSUB16x16;
}

int vx_open(vx_encoder *e, const vx_config *c) {
	x264_param_t *p = &e->param;
	x264_param_default_preset(p, "ultrafast", "zerolatency");
	p->pf_log = keep_message;
	p->p_log_private = e;
	p->i_log_level = X264_LOG_WARNING;

	p->i_width = c->width;
	p->i_height = c->height;
	p->crop_rect.i_right = c->crop_right;
	p->crop_rect.i_bottom = c->crop_bottom;
	p->i_csp = X264_CSP_I420;
	p->i_fps_num = c->fps;
	p->i_fps_den = 1;
	p->b_vfr_input = 0; // would delay by one frame; constant QP needs no times

	p->i_threads = c->threads;
	p->b_sliced_threads = c->threads > 1;
	p->i_frame_reference = 1;
	p->i_bframe = 0;
	p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
	p->i_scenecut_threshold = 0;
	p->b_cabac = 0;
	p->b_deblocking_filter = 0;
	p->b_annexb = 1;
	p->b_repeat_headers = 0; // prepended by Go, with a corrected SPS
	p->b_aud = 0;

	p->vui.i_vidformat = 5; // unspecified
	p->vui.b_fullrange = 1;
	p->vui.i_colorprim = 1;
	p->vui.i_transfer = 1;
	p->vui.i_colmatrix = 1;
	p->vui.i_chroma_loc = 1; // codec/pixel averages 2×2 pixels

	// Every picture brings its own QP. x264 clips it to the range of the QPs of I, P and B pictures under constant
	// QP: P in the middle, I at the low end, B at the high. The factors may be 10 at most, 19.9 QPs.
	p->rc.i_rc_method = X264_RC_CQP;
	float half = (float)(c->qp_max - c->qp_min) / 2;
	p->rc.i_qp_constant = (c->qp_max + c->qp_min) / 2;
	p->rc.f_ip_factor = p->rc.f_pb_factor = exp2f(half / 6);
	p->rc.i_lookahead = 0;
	p->rc.b_mb_tree = 0;

	p->analyse.b_mb_info = 1;
	p->analyse.i_weighted_pred = X264_WEIGHTP_NONE; // mb_info needs the reference as it is
	p->analyse.i_subpel_refine = 0;
	p->analyse.b_transform_8x8 = 0;
	p->analyse.b_dct_decimate = 0; // or a refinement leaves out the last small differences
	p->analyse.b_psy = 0;
	set_speed(p, c->preset);
	if (x264_param_apply_profile(p, "baseline") < 0)
		return -1;

	e->mb_info = calloc((size_t)(c->width / 16) * (size_t)(c->height / 16), 1);
	if (!e->mb_info || x264_picture_alloc(&e->in, X264_CSP_I420, c->width, c->height) < 0)
		return -1;
	e->h = x264_encoder_open(p);
	if (!e->h)
		return -1;
	x264_encoder_parameters(e->h, p);
	x264_nal_t *nal;
	int n;
	e->headers_size = x264_encoder_headers(e->h, &nal, &n);
	if (e->headers_size <= 0)
		return -1;
	e->headers = nal[0].p_payload;
	return 0;
}

int vx_preset(vx_encoder *e, int preset) {
	e->message[0] = 0;
	set_speed(&e->param, preset);
	return x264_encoder_reconfig(e->h, &e->param);
}

static int64_t thread_cpu(void) {
	struct timespec t = {0};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int vx_encode(vx_encoder *e, int64_t pts, int idr, int qp) {
	x264_nal_t *nal;
	int n;
	e->message[0] = 0;
	e->in.i_pts = pts;
	e->in.i_type = idr ? X264_TYPE_IDR : X264_TYPE_P;
	e->in.i_qpplus1 = qp + 1;
	e->in.prop.mb_info = e->mb_info;
	int64_t start = thread_cpu();
	int size = x264_encoder_encode(e->h, &nal, &n, &e->in, &e->out);
	e->cpu_ns = thread_cpu() - start;
	if (size <= 0 || n == 0)
		return -1;
	e->data = nal[0].p_payload; // the payloads of all units follow each other in memory
	e->size = size;
	e->keyframe = e->out.b_keyframe;
	return 0;
}

void vx_close(vx_encoder *e) {
	if (e->h)
		x264_encoder_close(e->h);
	e->h = NULL;
	x264_picture_clean(&e->in);
	free(e->mb_info);
	e->mb_info = NULL;
}
