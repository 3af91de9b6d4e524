package fmp4

import (
	"math"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Reference is one entry of a file's index: consecutive segments of which the first begins with an IDR picture.
type Reference struct {
	Size     uint64 // bytes
	Duration uint64 // ticks
}

// FileHeader makes the beginning of one playable file: the media segments of a recording follow it, unchanged when there is
// one size, through Respecify when there are several.
//
// start is the decode time of the first sample, duration runs from it to the end. The index (sidx) lets players seek
// without reading the whole file; it is left out when the recording is too long for its fields, which no player minds.
func FileHeader(inits []Init, start, duration uint64, refs []Reference) ([]byte, error) {
	return encodeHeader(inits, start+duration, newSidx(start, refs))
}

// newSidx returns nil when refs do not fit.
func newSidx(start uint64, refs []Reference) *mp4.SidxBox {
	if len(refs) == 0 || len(refs) > maxReferences {
		return nil
	}
	sidx := &mp4.SidxBox{Version: 1, ReferenceID: TrackID, Timescale: Timescale, EarliestPresentationTime: start}
	for _, r := range refs {
		if r.Size > math.MaxInt32 || r.Duration > math.MaxUint32 {
			return nil
		}
		sidx.SidxRefs = append(sidx.SidxRefs, mp4.SidxRef{
			ReferencedSize: uint32(r.Size), SubSegmentDuration: uint32(r.Duration), StartsWithSAP: 1, SAPType: 1,
		})
	}
	return sidx
}
