package clearcodec

// What a server may make us keep is bounded by these: 52-pixel columns of four bytes, 6.8 MB of V-bars and 3.4 MB of
// short V-bars, and 16.4 MB of glyphs: 26.6 MB a Decoder at worst. All of it is allocated as it is first used.
const (
	// maxVBarPixels is the most a band is high ([MS-RDPEGFX] 2.2.4.1.1.2.1).
	maxVBarPixels = 52
	// vBarEntries is the size of the ring of V-bars ([MS-RDPEGFX] 3.3.1.10).
	vBarEntries = 32768
	// shortVBarEntries is the size of the ring of short V-bars ([MS-RDPEGFX] 3.3.1.11).
	shortVBarEntries = 16384
	// pageEntries is how many columns of a ring are allocated at a time, 208 KB.
	pageEntries = 1024
	// glyphEntries is how many glyphs there are ([MS-RDPEGFX] 3.3.1.9).
	glyphEntries = 4000
	// maxGlyphPixels bounds the area of a glyph ([MS-RDPEGFX] 2.2.4.1).
	maxGlyphPixels = 1024
	// maxPalette bounds paletteCount of RLEX ([MS-RDPEGFX] 2.2.4.1.1.3.1.1).
	maxPalette = 127
	// maxOverdraw bounds how often, on average, subcodec regions may draw the bitmap over: 25 bytes of RLEX fill any
	// rectangle, so a message of overlapping ones could keep us busy for minutes. Servers draw each pixel once.
	maxOverdraw = 4
)
