package h264

// Caps of this package.
const (
	// MaxCodedSide bounds one side of a picture in pixels: level 6.2 carries 8192×4352 and its transpose
	// (A.3.1: 139264 macroblocks, a side at most sqrt(8·139264)·16 = 16880; the framebuffer stays at 8192).
	MaxCodedSide = 8192
	// maxSPSBytes bounds a sequence parameter set: those without scaling matrices take under 100 bytes.
	maxSPSBytes = 1024
	// maxFPS bounds the frame rate: no browser shows more.
	maxFPS = 240
	// maxThreads bounds the slices of one picture.
	maxThreads = 16
)
