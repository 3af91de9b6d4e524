package egfx

// Caps on what a peer may announce. Counts of rectangles, points and slots are 16 bits wide and every one of them
// takes bytes of the message, so that the message's length is their cap.
const (
	// MaxOutputSide is the largest width or height of the output in pixels ([MS-RDPEGFX] 2.2.2.14).
	MaxOutputSide = 32766
	// maxMonitors bounds the monitors of a ResetGraphics ([MS-RDPEGFX] 2.2.2.14: 16).
	maxMonitors = 16
	// maxCacheEntries bounds a CacheImportOffer ([MS-RDPEGFX] 2.2.2.16: less than 5462).
	maxCacheEntries = 5461
	// maxCapSets bounds the capability sets of one message: 10 are specified, and clients add some of their own.
	maxCapSets = 64
	// maxCapSetBytes bounds the data of one capability set; the longest specified has 16 bytes.
	maxCapSetBytes = 256

	// resetGraphicsBytes is the size of every ResetGraphics with its header ([MS-RDPEGFX] 2.2.2.14).
	resetGraphicsBytes = 340
)
