package h264

import "time"

// AccessUnit is one coded picture: immutable once made, shared by every sink.
type AccessUnit struct {
	// Seq numbers the units of a session from 1, without gaps, through resizes.
	Seq uint64
	// PTS is the time of the picture since the session's clock started, monotonic, µs precision.
	PTS time.Duration
	// IDR is set when decoding can start here; such units begin with SPS and PPS.
	IDR bool
	// Data is the unit in Annex B form (4-byte start codes), without access unit delimiter.
	Data []byte
	// Width and Height are the visible picture in pixels. They change only at an IDR.
	Width, Height int
	// Refine is set when the unit only sharpens a still picture: nothing new is shown.
	Refine bool
	// Changed is when the damage this unit shows was first seen, on the clock of PTS; for latency figures.
	Changed time.Duration
}
