package rfbenc

const (
	// ReaderBytes is the buffer of a Reader, and with it the most Next can return.
	ReaderBytes = 64 << 10
	// bandBytes is the scratch of Raw: small enough to stay in the processor's cache between the socket and
	// the canvas, large enough to make reads and locks few.
	bandBytes = 256 << 10
	// bandRows is how many rows ZRLE (one row of tiles) and Tight draw per call of Draw, so that the encoder
	// need not wait for a whole large rectangle.
	bandRows = 64
	// maxJPEGPixels bounds the area of one Tight JPEG rectangle. Encoders in use send at most 65,536 pixels;
	// a progressive image costs 12 bytes of coefficients a pixel, so this is 48 MiB at worst.
	maxJPEGPixels = 1 << 22
	// maxCursorPixels bounds a cursor shape before anything is allocated for it; the caller's own cap on the
	// side of a cursor is expected to be tighter.
	maxCursorPixels = 1 << 20
)

// maxZRLEBytes is the most compressed bytes one ZRLE rectangle of the given area can need: per pixel a raw
// cpixel and a run length, and per tile its type and palette, stored uncompressed, with room for block headers
// and flushes. More than that is refused unread.
func maxZRLEBytes(w, h int) int {
	tiles := ((w + zrleTile - 1) / zrleTile) * ((h + zrleTile - 1) / zrleTile)
	raw := 4*w*h + 400*tiles
	return raw + raw/100 + 1024
}
