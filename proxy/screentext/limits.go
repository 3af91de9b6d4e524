package screentext

import "time"

// What is handed out at once. Pictures are a byte a pixel.
const (
	// MaxRegions bounds the regions of one Take: a screen of small lines has some eighty.
	MaxRegions = 200
	// MaxPixels bounds their pixels together: half a desktop of 1920×1080. What a program reads of that takes about two seconds of a core.
	MaxPixels = 1 << 20
	// maxRegionPixels is what a region that is no line is cut to. It is well below MaxPixels, so that a Take is never empty.
	maxRegionPixels = 1 << 18
	// maxQueuedPixels and maxQueued are when nothing more is cut: one Take waits while another is being read. One patch may go beyond
	// them, by the desktop's size at most.
	maxQueuedPixels, maxQueued = MaxPixels, MaxRegions
)

// Times.
const (
	// lookInterval is the time between two looks. Each costs a millisecond or two of a desktop of 1920×1080 where something is drawn, and
	// nothing where not.
	lookInterval = 400 * time.Millisecond
	// settle is how long a patch must not change before it is read: longer than the pauses of somebody who types, or than most
	// programs take to draw a window.
	settle = 700 * time.Millisecond
	// moving is when one is read that does not stop to change.
	moving = 5 * time.Second
	// forget is how long a line that was read is not read again after it was there last.
	forget = 2 * time.Minute
)

// How the picture is taken apart, in pixels unless it says blocks.
const (
	stripBlocks = 3  // rows of blocks read with the framebuffer locked: 60 µs of a desktop of 1920 pixels
	rowGap      = 3  // blocks: what is as near in a row belongs together, as words do
	margin      = 24 // around a patch where its lines may go on above and below
	contrast    = 24 // of 255: what differs more from its ground is ink
	minLine     = 5  // height of a line of text at least: what is less is a dot, an accent or a rule
	maxDot      = 3  // how far such a thing may be away from its line
	minWidth    = 6
	tallLine    = 48 // what is taller is looked at for columns
	columnGap   = 16 // between columns of what is tall
	wideGap     = 64 // between columns of a line, which has gaps of its own
	maxDepth    = 4  // of columns in lines in columns
	// maxLines bounds the lines of one patch.
	maxLines = 1024
	// maxSeen bounds the lines that are known to have been read: some hundred screens.
	maxSeen = 16384
)
