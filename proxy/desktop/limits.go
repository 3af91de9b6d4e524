package desktop

// Caps on what a target may announce. A hostile target is answered with an error, never with memory.
const (
	// MaxWidth bounds the desktop's width in pixels: 8K, and what H.264 level 6.2 carries.
	MaxWidth = 8192
	// MaxHeight bounds the desktop's height in pixels, likewise.
	MaxHeight = 8192
	// MaxPixels bounds the area: 3840×2400 with room for two such monitors side by side, 74 MB of BGRX.
	MaxPixels = 2 * 3840 * 2400
	// MinSide is the smallest side in pixels an encoder and a person can use.
	MinSide = 16
	// MaxCursorSide is the largest pointer shape side in pixels; RDP large pointers are 384×384.
	MaxCursorSide = 384
	// MaxClipboardBytes bounds one clipboard text, in UTF-8 bytes, in either direction.
	MaxClipboardBytes = 1 << 20
	// MaxNameBytes bounds the desktop name a target announces.
	MaxNameBytes = 1024
)
