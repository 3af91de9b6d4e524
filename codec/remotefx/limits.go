package remotefx

const (
	// maxRects is how many rectangles a region may have. The field has 16 bits; servers send the few rectangles of a
	// frame's damage, and every tile is held against every rectangle.
	maxRects = 4096
	// maxSurfaceTiles bounds the tiles of a progressive surface: 7680×4320 pixels are 8160. A tile's state is 24 KiB, and
	// 36 KiB once it was sent coarsely, so this is 288 MiB at worst, and only for tiles that were sent.
	maxSurfaceTiles = 8192
	// maxUpgradeBits is how many bits one upgrade may add to a coefficient: coefficients have 16.
	maxUpgradeBits = 15
)

// The counts of quantisers (numQuant, numProgQuant) have 8 bits and their tables lie within the message, from which they
// are read without a copy; a tile's count (numTiles) is only compared with what was found. None needs a cap.
