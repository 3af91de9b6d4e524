package fmp4

import (
	"errors"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"
)

// MovieState is a Movie on the way, for whoever goes on with it in another life of the program: all that was made until then is in a
// file, and this is what is known of it.
type MovieState struct {
	Offset    uint64 // bytes made
	Start     uint64 // ticks
	End       uint64
	Durations []uint32 // in ticks, and of how many samples in a row
	Runs      []uint32
	Sizes     []uint32 // of the samples, bytes
	Sync      []uint32 // samples that are IDR pictures, counted from 1
	Segments  []MovieSegment
}

// MovieSegment is one segment of a MovieState.
type MovieSegment struct {
	Offset  uint64 // of its bytes
	Samples uint32
	Entry   uint32 // sample description, counted from 1
}

var errState = errors.New("fmp4: this is no state of such a movie")

// State is how far the movie is. It shares nothing with it.
func (m *Movie) State() MovieState {
	return MovieState{
		Offset: m.offset, Start: m.start, End: m.end,
		Durations: slices.Clone(m.stts.SampleTimeDelta), Runs: slices.Clone(m.stts.SampleCount),
		Sizes: slices.Clone(m.stsz.SampleSize), Sync: slices.Clone(m.stss.SampleNumber), Segments: slices.Clone(m.segments),
	}
}

// Written is how many bytes were made.
func (m *Movie) Written() uint64 { return m.offset }

// Resume goes on with a movie of the same sizes that has come as far as s. It takes the place of Header.
func (m *Movie) Resume(s MovieState) error {
	samples := uint64(0)
	for _, seg := range s.Segments {
		if seg.Entry == 0 || int(seg.Entry) > len(m.inits) || seg.Samples == 0 || seg.Offset >= s.Offset {
			return errState
		}
		samples += uint64(seg.Samples)
	}
	timed := uint64(0)
	for _, n := range s.Runs {
		timed += uint64(n)
	}
	if samples != uint64(len(s.Sizes)) || samples != timed || len(s.Durations) != len(s.Runs) || s.End < s.Start {
		return errState
	}
	m.offset, m.start, m.end = s.Offset, s.Start, s.End
	m.stts = mp4.SttsBox{SampleCount: slices.Clone(s.Runs), SampleTimeDelta: slices.Clone(s.Durations)}
	m.stsz = mp4.StszBox{SampleNumber: uint32(samples), SampleSize: slices.Clone(s.Sizes)}
	m.stss = mp4.StssBox{SampleNumber: slices.Clone(s.Sync)}
	m.stsc, m.offsets, m.segments = mp4.StscBox{}, mp4.Co64Box{}, nil
	for _, seg := range s.Segments {
		if err := m.enter(seg); err != nil {
			return err
		}
	}
	return nil
}

// enter puts a segment into the tables of chunks.
func (m *Movie) enter(seg MovieSegment) error {
	m.segments = append(m.segments, seg)
	m.offsets.ChunkOffset = append(m.offsets.ChunkOffset, seg.Offset)
	return m.stsc.AddEntry(uint32(len(m.segments)), seg.Samples, seg.Entry)
}
