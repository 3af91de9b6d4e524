/* An RDP server of FreeRDP's own parts that shows one picture through the graphics pipeline (MS-RDPEGFX), each band of
 * it by other means, to one client, and says what it hears:
 *
 * usage: egfx CERT KEY VERSION FILE
 *
 * VERSION is the capability version to choose, in hexadecimal. FILE holds 640x480 pixels of blue, green, red and anything.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <freerdp/channels/channels.h>
#include <freerdp/channels/wtsvc.h>
#include <freerdp/codec/planar.h>
#include <freerdp/codec/progressive.h>
#include <freerdp/codec/region.h>
#include <freerdp/codec/rfx.h>
#include <freerdp/freerdp.h>
#include <freerdp/peer.h>
#include <freerdp/server/rdpgfx.h>
#include <winpr/ssl.h>
#include <winpr/synch.h>
#include <winpr/wtsapi.h>

enum { WIDTH = 640, HEIGHT = 480, BAND = 96, STEP = WIDTH * 4 };

static BYTE picture[HEIGHT * STEP];
static UINT32 version;
static UINT32 frame_id;

static void check(int ok, const char *what)
{
	if (!ok) {
		printf("failed: %s\n", what);
		exit(1);
	}
}

#define CALL(x) check((x) == CHANNEL_RC_OK, #x)

static void begin(RdpgfxServerContext *gfx)
{
	RDPGFX_START_FRAME_PDU m = { .frameId = ++frame_id };
	CALL(gfx->StartFrame(gfx, &m));
}

static void end(RdpgfxServerContext *gfx)
{
	RDPGFX_END_FRAME_PDU m = { .frameId = frame_id };
	CALL(gfx->EndFrame(gfx, &m));
	printf("frame %u\n", frame_id);
}

static void create(RdpgfxServerContext *gfx, UINT16 id, UINT16 w, UINT16 h)
{
	RDPGFX_CREATE_SURFACE_PDU m = { id, w, h, GFX_PIXEL_FORMAT_XRGB_8888 };
	CALL(gfx->CreateSurface(gfx, &m));
}

static void map(RdpgfxServerContext *gfx, UINT16 id, UINT32 x, UINT32 y)
{
	RDPGFX_MAP_SURFACE_TO_OUTPUT_PDU m = { .surfaceId = id, .outputOriginX = x, .outputOriginY = y };
	CALL(gfx->MapSurfaceToOutput(gfx, &m));
}

static void draw(RdpgfxServerContext *gfx, UINT32 id, UINT32 codec, UINT32 x, UINT32 y, UINT32 w, UINT32 h, BYTE *data, UINT32 n)
{
	RDPGFX_SURFACE_COMMAND m = {
		.surfaceId = id, .codecId = codec, .contextId = 5, .format = PIXEL_FORMAT_BGRX32,
		.left = x, .top = y, .right = x + w, .bottom = y + h, .width = w, .height = h, .length = n, .data = data,
	};
	CALL(gfx->SurfaceCommand(gfx, &m));
}

/* part copies a rectangle of the picture, its last row first when it is flipped. */
static BYTE *part(UINT32 x, UINT32 y, UINT32 w, UINT32 h, int flipped)
{
	BYTE *p = malloc(4 * w * h);
	check(p != NULL, "malloc");
	for (UINT32 i = 0; i < h; i++)
		memcpy(p + 4 * w * (flipped ? h - 1 - i : i), picture + (y + i) * STEP + 4 * x, 4 * w);
	return p;
}

/* uncompressed draws the picture's rectangle at sx, sy at x, y of a surface. */
static void uncompressed(RdpgfxServerContext *gfx, UINT32 id, UINT32 x, UINT32 y, UINT32 sx, UINT32 sy, UINT32 w, UINT32 h)
{
	BYTE *p = part(sx, sy, w, h, 0);
	draw(gfx, id, RDPGFX_CODECID_UNCOMPRESSED, x, y, w, h, p, 4 * w * h);
	free(p);
}

/* planar draws a rectangle of the picture; FreeRDP's encoder begins with the last row. */
static void planar(RdpgfxServerContext *gfx, DWORD flags, UINT32 x, UINT32 y, UINT32 w, UINT32 h)
{
	BITMAP_PLANAR_CONTEXT *c = freerdp_bitmap_planar_context_new(flags, w, h);
	BYTE *p = part(x, y, w, h, 1);
	UINT32 n = 0;
	BYTE *out = freerdp_bitmap_compress_planar(c, p, PIXEL_FORMAT_BGRX32, w, h, 4 * w, NULL, &n);
	check(out != NULL, "planar");
	draw(gfx, 1, RDPGFX_CODECID_PLANAR, x, y, w, h, out, n);
	free(out);
	free(p);
	freerdp_bitmap_planar_context_free(c);
}

static void remotefx(RdpgfxServerContext *gfx, UINT32 y)
{
	RFX_CONTEXT *c = rfx_context_new(TRUE);
	RFX_RECT rect = { 0, 0, WIDTH, BAND };
	wStream *s = Stream_New(NULL, 1 << 16);
	rfx_context_set_pixel_format(c, PIXEL_FORMAT_BGRX32);
	check(rfx_context_reset(c, WIDTH, BAND) && rfx_compose_message(c, s, &rect, 1, picture + y * STEP, WIDTH, BAND, STEP), "RemoteFX");
	draw(gfx, 1, RDPGFX_CODECID_CAVIDEO, 0, y, WIDTH, BAND, Stream_Buffer(s), (UINT32)Stream_GetPosition(s));
	Stream_Free(s, TRUE);
	rfx_context_free(c);
}

static void progressive(RdpgfxServerContext *gfx, UINT32 y)
{
	PROGRESSIVE_CONTEXT *c = progressive_context_new(TRUE);
	REGION16 region;
	RECTANGLE_16 rect = { 0, y, WIDTH, y + BAND };
	BYTE *out = NULL;
	UINT32 n = 0;
	region16_init(&region);
	region16_union_rect(&region, &region, &rect);
	check(progressive_compress_ex(c, picture, sizeof(picture), PIXEL_FORMAT_BGRX32, WIDTH, HEIGHT, STEP, &region, &out, &n) >= 0,
	      "progressive RemoteFX");
	draw(gfx, 1, RDPGFX_CODECID_CAPROGRESSIVE, 0, 0, WIDTH, HEIGHT, out, n);
	region16_uninit(&region);
	progressive_context_free(c);
}

/* copies fills the left half of the last band by way of a hidden surface and of the cache. */
static void copies(RdpgfxServerContext *gfx, UINT32 y)
{
	RDPGFX_POINT16 left = { 0, y }, right = { 160, y };
	RECTANGLE_16 all = { 0, 0, 160, BAND };
	RDPGFX_SURFACE_TO_SURFACE_PDU across = { 2, 1, all, 1, &left };
	RDPGFX_SURFACE_TO_CACHE_PDU keep = { 2, 0x1122334455667788, 7, all };
	RDPGFX_CACHE_TO_SURFACE_PDU paste = { 7, 1, 1, &right };
	RDPGFX_EVICT_CACHE_ENTRY_PDU evict = { 7 };
	RDPGFX_DELETE_SURFACE_PDU delete = { 2 };
	create(gfx, 2, 160, BAND);
	uncompressed(gfx, 2, 0, 0, 0, y, 160, BAND);
	CALL(gfx->SurfaceToSurface(gfx, &across));
	uncompressed(gfx, 2, 0, 0, 160, y, 160, BAND);
	CALL(gfx->SurfaceToCache(gfx, &keep));
	CALL(gfx->DeleteSurface(gfx, &delete));
	CALL(gfx->CacheToSurface(gfx, &paste));
	CALL(gfx->EvictCacheEntry(gfx, &evict));
}

/* fills draws 16 rectangles of one colour each. */
static void fills(RdpgfxServerContext *gfx, UINT32 y)
{
	for (int i = 0; i < 16; i++) {
		UINT16 x0 = 480 + 40 * (i % 4), y0 = y + 24 * (i / 4);
		RECTANGLE_16 r = { x0, y0, x0 + 40, y0 + 24 };
		RDPGFX_SOLID_FILL_PDU m = { 1, { 8 * i, 255 - 16 * i, 16 * i, 0 }, 1, &r };
		CALL(gfx->SolidFill(gfx, &m));
	}
}

/* show plays everything. */
static void show(RdpgfxServerContext *gfx)
{
	MONITOR_DEF monitor = { 0, 0, WIDTH - 1, HEIGHT - 1, 1 };
	RDPGFX_RESET_GRAPHICS_PDU reset = { WIDTH, HEIGHT, 1, &monitor };
	RECTANGLE_16 corner = { 0, 0, 100, 60 };
	RDPGFX_POINT16 places[] = { { 300, 20 }, { 20, 10 } }; /* the last one overlaps what is copied */
	RDPGFX_SURFACE_TO_SURFACE_PDU within = { 1, 1, corner, 2, places };
	RDPGFX_DELETE_ENCODING_CONTEXT_PDU forget = { 1, 5 };

	CALL(gfx->ResetGraphics(gfx, &reset));
	create(gfx, 1, WIDTH, HEIGHT);
	map(gfx, 1, 0, 0);
	begin(gfx);
	uncompressed(gfx, 1, 0, 0, 0, 0, WIDTH, BAND);
	CALL(gfx->SurfaceToSurface(gfx, &within));
	planar(gfx, PLANAR_FORMAT_HEADER_RLE | PLANAR_FORMAT_HEADER_NA, 0, BAND, WIDTH, BAND);
	end(gfx);
	begin(gfx);
	remotefx(gfx, 2 * BAND);
	end(gfx);
	begin(gfx);
	progressive(gfx, 3 * BAND);
	end(gfx);
	CALL(gfx->DeleteEncodingContext(gfx, &forget));
	begin(gfx);
	copies(gfx, 4 * BAND);
	planar(gfx, PLANAR_FORMAT_HEADER_NA, 320, 4 * BAND, 160, BAND);
	fills(gfx, 4 * BAND);
	end(gfx);
	create(gfx, 3, 100, 50);
	map(gfx, 3, 270, 215);
	begin(gfx);
	uncompressed(gfx, 3, 0, 0, 0, 0, 100, 50);
	end(gfx);
}

static UINT on_caps(RdpgfxServerContext *gfx, const RDPGFX_CAPS_ADVERTISE_PDU *m)
{
	for (UINT16 i = 0; i < m->capsSetCount; i++) {
		RDPGFX_CAPSET *set = &m->capsSets[i];
		printf("offered %x %x\n", set->version, set->flags);
		if (set->version != version)
			continue;
		RDPGFX_CAPS_CONFIRM_PDU confirm = { set };
		CALL(gfx->CapsConfirm(gfx, &confirm));
		show(gfx);
	}
	return CHANNEL_RC_OK;
}

static UINT on_ack(RdpgfxServerContext *gfx, const RDPGFX_FRAME_ACKNOWLEDGE_PDU *m)
{
	printf("acknowledged %u, %u in all\n", m->frameId, m->totalFramesDecoded);
	return CHANNEL_RC_OK;
}

static BOOL yes(freerdp_peer *peer)
{
	return TRUE;
}

static int accept_one(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(addr);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	check(l >= 0 && bind(l, (struct sockaddr *)&addr, n) == 0 && listen(l, 1) == 0 &&
	      getsockname(l, (struct sockaddr *)&addr, &n) == 0, "listen");
	printf("port %u\n", ntohs(addr.sin_port));
	return accept(l, NULL, NULL);
}

int main(int argc, char **argv)
{
	check(argc == 5, "four arguments");
	version = strtoul(argv[3], NULL, 16);
	setvbuf(stdout, NULL, _IOLBF, 0);
	FILE *f = fopen(argv[4], "rb");
	check(f && fread(picture, sizeof(picture), 1, f) == 1, "picture");
	WTSRegisterWtsApiFunctionTable(FreeRDP_InitWtsApi());
	winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);

	freerdp_peer *peer = freerdp_peer_new(accept_one());
	check(peer != NULL, "peer");
	peer->ContextSize = sizeof(rdpContext);
	check(freerdp_peer_context_new(peer), "context");
	rdpSettings *s = peer->settings;
	s->CertificateFile = strdup(argv[1]);
	s->PrivateKeyFile = strdup(argv[2]);
	s->RdpSecurity = s->NlaSecurity = FALSE;
	s->TlsSecurity = s->SupportGraphicsPipeline = TRUE;
	s->ColorDepth = 32;
	s->DesktopWidth = WIDTH;
	s->DesktopHeight = HEIGHT;
	peer->PostConnect = peer->Activate = yes;
	check(peer->Initialize(peer), "initialize");

	HANDLE vcm = WTSOpenServerA((LPSTR)peer->context);
	check(vcm && vcm != INVALID_HANDLE_VALUE, "channels");
	HANDLE changed = WTSVirtualChannelManagerGetEventHandle(vcm);
	RdpgfxServerContext *gfx = NULL;
	for (;;) {
		HANDLE events[32] = { changed };
		DWORD n = peer->GetEventHandles(peer, &events[1], 31);
		check(n > 0, "events");
		WaitForMultipleObjects(n + 1, events, FALSE, INFINITE);
		if (!peer->CheckFileDescriptor(peer) || !WTSVirtualChannelManagerCheckFileDescriptor(vcm))
			break;
		if (gfx || !peer->activated || WTSVirtualChannelManagerGetDrdynvcState(vcm) != DRDYNVC_STATE_READY)
			continue;
		gfx = rdpgfx_server_context_new(vcm);
		check(gfx != NULL, "graphics");
		gfx->rdpcontext = peer->context;
		gfx->CapsAdvertise = on_caps;
		gfx->FrameAcknowledge = on_ack;
		check(gfx->Open(gfx), "open");
	}
	printf("the client is gone\n");
	exit(0); /* without freeing: the channel's thread may still run */
}
