package rdpbitmap

const (
	// maxSide is the longest side of a bitmap in pixels. EGFX surfaces have at most 32,766 ([MS-RDPEGFX]
	// 2.2.2.9), desktops 8192.
	maxSide = 32766
	// maxPixels bounds the area of a bitmap: a full desktop of 8192×4096. Run lengths make millions of pixels
	// of a few bytes, so this bounds the time of one call (a tenth of a second), and NSCodec's planes (100 MiB).
	maxPixels = 1 << 25
)
