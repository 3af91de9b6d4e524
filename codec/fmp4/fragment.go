package fmp4

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Sizes of the boxes of a fragment, in bytes, headers included.
const (
	boxHeader  = 4 + 4                  // size, type
	fullHeader = boxHeader + 4          // version and flags
	mfhdSize   = fullHeader + 4         // sequence_number
	tfhdSize   = fullHeader + 4 + 4     // track_ID, sample_description_index
	tfdtSize   = fullHeader + 8         // baseMediaDecodeTime
	trunFixed  = fullHeader + 4 + 4 + 4 // sample_count, data_offset, first_sample_flags
	sampleSize = 4 + 4                  // sample_duration, sample_size
	trafFixed  = boxHeader + tfhdSize + tfdtSize + trunFixed
	moofFixed  = boxHeader + mfhdSize + trafFixed
)

// Flags of the full boxes: version in the top byte.
const (
	tfhdFlags = 0x020000 | 0x000002                       // default-base-is-moof, sample-description-index-present
	tfdtFlags = 1 << 24                                   // version 1: 64-bit time
	trunFlags = 0x000001 | 0x000004 | 0x000100 | 0x000200 // data-offset, first-sample-flags, sample-duration, sample-size
)

// Sample flags ([ISO/IEC 14496-12] 8.8.3.1).
const (
	flagsSync    = 0x02000000 // sample_depends_on = 2: no other
	flagsNonSync = 0x01010000 // sample_depends_on = 1: others; sample_is_non_sync_sample
)

// MaxDuration is the longest duration of one sample in ticks: 13 hours and a quarter.
const MaxDuration = math.MaxUint32

// Sample is one picture of a fragment.
type Sample struct {
	Duration uint32 // ticks
	Size     uint32 // bytes in the mdat
}

// Fragment is one moof and its mdat.
type Fragment struct {
	Sequence uint32 // counts the fragments of a recording from 1
	Start    uint64 // decode time of the first sample, ticks
	Sync     bool   // the first sample is an IDR picture
	Samples  []Sample
	Payload  []byte // the samples' bytes, one after the other
}

// End is the time at which the last sample ends, in ticks.
func (f *Fragment) End() uint64 {
	end := f.Start
	for _, s := range f.Samples {
		end += uint64(s.Duration)
	}
	return end
}

// Size is the length of the fragment in bytes.
func (f *Fragment) Size() int {
	return moofFixed + len(f.Samples)*sampleSize + boxHeader + len(f.Payload)
}

// LastDurationOffset is the offset in the fragment of the last sample's duration: 4 bytes, big endian.
func (f *Fragment) LastDurationOffset() int {
	return moofFixed + (len(f.Samples)-1)*sampleSize
}

// Append appends the fragment's bytes to dst. The sizes of the samples must add up to the payload's.
func (f *Fragment) Append(dst []byte) ([]byte, error) {
	if n := len(f.Samples); n == 0 || n > maxSamples {
		return dst, fmt.Errorf("fmp4: %d samples in a fragment, 1 to %d allowed", n, maxSamples)
	}
	var sum uint64
	for _, s := range f.Samples {
		sum += uint64(s.Size)
	}
	if sum != uint64(len(f.Payload)) || sum > math.MaxInt32 {
		return dst, fmt.Errorf("fmp4: samples of %d bytes in a payload of %d", sum, len(f.Payload))
	}
	be := binary.BigEndian
	samples := uint32(len(f.Samples) * sampleSize)
	moof := moofFixed + samples

	dst = appendBox(dst, moof, "moof")
	dst = appendFullBox(dst, mfhdSize, "mfhd", 0)
	dst = be.AppendUint32(dst, f.Sequence)
	dst = appendBox(dst, trafFixed+samples, "traf")
	dst = appendFullBox(dst, tfhdSize, "tfhd", tfhdFlags)
	dst = be.AppendUint32(dst, TrackID)
	dst = be.AppendUint32(dst, 1) // sample_description_index
	dst = appendFullBox(dst, tfdtSize, "tfdt", tfdtFlags)
	dst = be.AppendUint64(dst, f.Start)
	dst = appendFullBox(dst, trunFixed+samples, "trun", trunFlags)
	dst = be.AppendUint32(dst, uint32(len(f.Samples)))
	dst = be.AppendUint32(dst, moof+boxHeader) // data_offset, from the moof's start
	if f.Sync {
		dst = be.AppendUint32(dst, flagsSync)
	} else {
		dst = be.AppendUint32(dst, flagsNonSync)
	}
	for _, s := range f.Samples {
		dst = be.AppendUint32(dst, s.Duration)
		dst = be.AppendUint32(dst, s.Size)
	}
	dst = appendBox(dst, boxHeader+uint32(len(f.Payload)), "mdat")
	return append(dst, f.Payload...), nil
}

// PutDuration writes a sample duration as it stands in a fragment. dst must hold 4 bytes.
func PutDuration(dst []byte, ticks uint64) {
	binary.BigEndian.PutUint32(dst, uint32(min(ticks, MaxDuration)))
}

func appendBox(dst []byte, size uint32, kind string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, size), kind...)
}

func appendFullBox(dst []byte, size uint32, kind string, versionFlags uint32) []byte {
	return binary.BigEndian.AppendUint32(appendBox(dst, size, kind), versionFlags)
}
