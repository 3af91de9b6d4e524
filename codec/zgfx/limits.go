package zgfx

const (
	// MaxMessageBytes bounds what one message may unpack to: a whole desktop of the largest area a target may have
	// (desktop.MaxPixels, 18,432,000 pixels of four bytes) sent without any codec, and room for the commands around it.
	MaxMessageBytes = 72 << 20
	// HistoryBytes is how far back a match may reach ([MS-RDPEGFX] 3.1.9.1). The specification's number.
	HistoryBytes = 2_500_000
	// maxSegmentBytes bounds what one segment unpacks to. The specification says 65,535; FreeRDP, against which servers
	// are tested, takes one more.
	maxSegmentBytes = 1 << 16
	// plainSegmentBytes is the size of the segments we send: the specification's most.
	plainSegmentBytes = 1<<16 - 1
	// minSegmentBytes is the smallest segment: its header and one byte. It bounds segmentCount by what was received.
	minSegmentBytes = segmentHeaderBytes + 1
	// maxLengthOnes is the most ones before the zero in a match's length: 15 give 65,536 and more.
	maxLengthOnes = 15
)
