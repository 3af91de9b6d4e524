package gfx

import (
	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// MaxMessageBytes bounds a message of the graphics channel, for dvc.Client.Register: the most it may unpack to, and
// what packing adds when nothing can be compressed (seven bytes, and six for each segment of up to 64 KB).
const MaxMessageBytes = zgfx.MaxMessageBytes + zgfx.MaxMessageBytes/4096

// Caps on what a target may make us hold or do.
const (
	// maxSurfaces bounds the surfaces that exist at once. Desktops have one for each monitor and a few off screen.
	maxSurfaces = 1024
	// maxSurfacePixels bounds the area of all surfaces together: the largest desktop twice, because on a change of size
	// the new surfaces may be there before the old ones are gone. 147 MB of BGRX.
	maxSurfacePixels = 2 * desktop.MaxPixels
	// maxProgressivePixels bounds the area of the surfaces that have RemoteFX Progressive state, which is up to nine
	// bytes a pixel: the largest desktop. 166 MB.
	maxProgressivePixels = desktop.MaxPixels
	// maxTargetSide bounds the sides a surface is scaled to, in pixels: the largest output ([MS-RDPEGFX] 2.2.2.14).
	maxTargetSide = 32766

	// smallCacheSlots and largeCacheSlots bound the slots of the bitmap cache ([MS-RDPEGFX] 3.3.1.4).
	smallCacheSlots = 4096
	largeCacheSlots = 25600
	// smallCacheBytes and largeCacheBytes bound its memory. The specification says 16 MB and 100 MB and not how a bitmap
	// counts: servers may not count in bytes of BGRX, and half a cache more is cheaper than sessions that end over it.
	smallCacheBytes = 24 << 20
	largeCacheBytes = 150 << 20

	// maxPaintedPixels bounds what one message may paint, copy, create and show, in pixels: a frame paints little more
	// than the screen, but few bytes can ask for any number of fills of everything. Under two seconds of work.
	maxPaintedPixels = 64 * desktop.MaxPixels
	// keepBytes is the largest buffer for unpacked messages that is kept for the next one, in bytes.
	keepBytes = 4 << 20
)
