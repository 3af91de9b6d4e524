// Package fmp4 makes and reads the fragmented MP4 of a recording: one H.264 track, true timestamps, nothing else.
//
// A recording is an initialisation segment for each coded size and media segments made of fragments. A fragment is one
// moof and one mdat with the pictures of up to about a second:
//
//	moof 8                                   [ISO/IEC 14496-12] 8.8.4
//	  mfhd 16   sequence_number              8.8.5
//	  traf 8                                 8.8.6
//	    tfhd 20 sample_description_index     8.8.7
//	    tfdt 20 baseMediaDecodeTime, 64 bits 8.8.12
//	    trun 24 first_sample_flags, then for each sample duration and size, 8 bytes  8.8.8
//	mdat 8      samples, NAL units with 4-byte lengths ([ISO/IEC 14496-15] 5.3.3)
//
// The layout is fixed: 104 bytes and 8 a sample. So the place of the last sample's duration is known and it can be
// brought up to date in place, in a file already written, for as long as the picture stands still; and a reader
// accepts exactly what the writer makes. There are no composition offsets: the encoder makes no B-frames.
//
// Only the first sample of a segment may be a sync sample (an IDR picture).
//
// The package does no I/O. Initialisation segments are built with mp4ff.
package fmp4

import "time"

const (
	// Timescale is the number of ticks in a second of every time in this package.
	Timescale = 90000
	// TrackID is the track_ID of the only track.
	TrackID = 1
)

// Ticks converts a time since the session's start to ticks, rounded down. d must not be negative.
func Ticks(d time.Duration) uint64 {
	return uint64(d/time.Second)*Timescale + uint64(d%time.Second)*Timescale/uint64(time.Second)
}

// Duration converts ticks to a time.Duration, rounded down; 292 years at most.
func Duration(ticks uint64) time.Duration {
	return time.Duration(ticks/Timescale)*time.Second + time.Duration(ticks%Timescale)*time.Second/Timescale
}
