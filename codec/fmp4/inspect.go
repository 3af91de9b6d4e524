package fmp4

import "fmt"

// Segment is what Inspect found in a media segment.
type Segment struct {
	Whole        int    // bytes of whole fragments from the start on: what may be kept of a torn segment
	Fragments    int    // whole fragments
	Samples      int    // samples in them
	Sync         bool   // the first sample is an IDR picture
	Start        uint64 // decode time of the first sample, ticks
	LastStart    uint64 // decode time of the last sample
	End          uint64 // end of the last sample
	Sequence     uint32 // of the last fragment
	LastDuration int    // offset in the segment of the last sample's duration, 4 bytes; see PutDuration
}

// Inspect walks the fragments of a segment. It always returns what is whole from the start on; the error, a
// *CorruptError, says why it stopped before the end of b. ErrShort in it is the usual end of a segment whose writer died.
func Inspect(b []byte) (Segment, error) {
	return InspectFunc(b, nil)
}

// InspectFunc is Inspect with a function that is shown each sample's start and end in ticks.
func InspectFunc(b []byte, sample func(start, end uint64)) (Segment, error) {
	var seg Segment
	for seg.Whole < len(b) {
		f, err := ParseFragment(b[seg.Whole:])
		if err == nil && seg.Fragments > 0 {
			err = follows(&seg, &f)
		}
		if err != nil {
			return seg, &CorruptError{Offset: seg.Whole, Err: err}
		}
		if seg.Fragments == 0 {
			seg.Start, seg.Sync = f.Start, f.Sync
		}
		at := f.Start
		for _, s := range f.Samples {
			seg.LastStart = at
			at += uint64(s.Duration)
			if sample != nil {
				sample(seg.LastStart, at)
			}
		}
		seg.End = at
		seg.Sequence = f.Sequence
		seg.LastDuration = seg.Whole + f.LastDurationOffset()
		seg.Samples += len(f.Samples)
		seg.Fragments++
		seg.Whole += f.Size()
	}
	return seg, nil
}

// follows checks that f may come after what seg holds. A start before the end of the sample before it is no error: after
// a power cut the new fragment may be on the disk and the last update of that sample's duration not.
func follows(seg *Segment, f *Fragment) error {
	switch {
	case f.Sync:
		return fmt.Errorf("%w: an IDR picture inside a segment", ErrFormat)
	case f.Sequence != seg.Sequence+1:
		return fmt.Errorf("%w: sequence_number %d after %d", ErrFormat, f.Sequence, seg.Sequence)
	case f.Start <= seg.LastStart:
		return fmt.Errorf("%w: time %d after %d", ErrFormat, f.Start, seg.LastStart)
	}
	return nil
}
