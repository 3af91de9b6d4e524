package recording

import "time"

// Caps of the format; FORMAT.md lists them.
const (
	// MaxEventBytes bounds one line of events with its newline: a clipboard of 1 MiB, escaped. Longer text is cut.
	MaxEventBytes = 3 << 19
	// MaxSegmentBytes bounds a segment: it is closed early when the next picture would exceed it.
	MaxSegmentBytes = 64 << 20
	// maxFileBytes bounds segments and event files when they are read: the above and room for what the checks leave out.
	maxFileBytes = MaxSegmentBytes + 1<<20
	// MaxChunkBytes bounds an event file: closed at chunkBytes, and one more batch may come before that is seen.
	MaxChunkBytes = chunkBytes + maxPendingEvents
	// maxJournalLine bounds a line of the journal in bytes: 16 KiB of block digests for the largest segment, in hex.
	maxJournalLine = 32 << 10
	// maxJournalBytes bounds the journal and the manifest when they are read: 1,000,000 segments of 256 bytes a line.
	maxJournalBytes = 256 << 20
	// maxSmallFile bounds session.json and initialisation segments when they are read.
	maxSmallFile = 64 << 10
	// maxThumbnailBytes and maxThumbnails bound thumbnails.
	maxThumbnailBytes, maxThumbnails = 128 << 10, 1_000_000
	// maxSegments, maxInits and maxChunks bound the numbers in file names.
	maxSegments, maxInits, maxChunks = 1_000_000, 1_000_000, 1_000_000
)

// How the recorder works.
const (
	// flushInterval is the time between writes to the disk. A picture must be durable a second after it was encoded;
	// the rest is for the disk to take.
	flushInterval = 750 * time.Millisecond
	// touchInterval is how often the duration of a still picture is not only written but flushed: after a power
	// cut, at most this much of a stillness is missing. A killed process loses nothing that was written.
	touchInterval = 10 * time.Second
	// segmentDuration is the age at which the next picture starts a new segment.
	segmentDuration = 4 * time.Second
	// chunkAge and chunkBytes close an event file.
	chunkAge   = 30 * time.Second
	chunkBytes = 256 << 10
	// thumbnailInterval is the least time between two thumbnails.
	thumbnailInterval = 30 * time.Second
	// idleAfter is the shortest stretch without change that counts as idle.
	idleAfter = 3 * time.Second
	// idrInterval and idrMinimum: see FORMAT.md, sync segments. idrRetry is when an unanswered request is repeated.
	idrInterval = time.Minute
	idrMinimum  = 10 * time.Second
	idrRetry    = 2 * time.Second
	// idrUnits asks for an IDR after so many pictures: whoever seeks has them decoded, at a millisecond each in 1080p.
	idrUnits = 300
	// stillInterval asks for a picture when nothing has moved for so long, because a sample lasts 13 hours at most.
	stillInterval = 6 * time.Hour
	// maxPendingUnits bounds the bytes of pictures not yet written; beyond, WriteUnit waits. It is more than any IDR.
	maxPendingUnits = 16 << 20
	// flushUnits asks for a write before the interval is over, in bytes of pictures.
	flushUnits = 1 << 20
	// maxBatch bounds the pictures of one fragment; a backlog makes several.
	maxBatch = 600
	// maxPendingEvents bounds the bytes of events not yet written; beyond, the recorder fails. It is seconds of pasting.
	maxPendingEvents = 8 << 20
	// defaultSealTimeout is what Seal gives the disk.
	defaultSealTimeout = 10 * time.Second
)
