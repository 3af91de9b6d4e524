package fmp4

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Movie rewrites the segments of a recording into one plain MP4 that every player can seek in: Header, then the bytes
// AppendSegment makes of each segment in order, then Trailer. A fragmented file would be simpler, but without an
// index players read all of it before they seek, and with one (sidx) Chromium's demuxer starts to decode at fragments
// without an IDR picture.
//
// With several sizes, the track has a sample description for each, and the parameter sets stand before the IDR pictures
// too: players that follow sample descriptions and those that only look at the stream both show every size.
//
// Each segment becomes an mdat and a chunk. The Movie keeps 8 bytes a picture until the end.
type Movie struct {
	inits    []Init // the largest last: some players take the track's shape from the last description
	entry    []uint32
	offset   uint64 // bytes made so far
	start    uint64 // of the first sample, ticks
	end      uint64 // of the last one
	stts     mp4.SttsBox
	stsz     mp4.StszBox
	stss     mp4.StssBox
	stsc     mp4.StscBox
	offsets  mp4.Co64Box
	segments []MovieSegment
}

// NewMovie begins a movie of the given sizes.
func NewMovie(inits []Init) (*Movie, error) {
	if len(inits) == 0 {
		return nil, fmt.Errorf("%w: no picture size", ErrInit)
	}
	order := make([]int, len(inits))
	for i := range inits {
		if err := inits[i].check(); err != nil {
			return nil, err
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(inits[a].Width*inits[a].Height, inits[b].Width*inits[b].Height)
	})
	m := &Movie{entry: make([]uint32, len(inits))}
	for n, i := range order {
		m.inits = append(m.inits, inits[i])
		m.entry[i] = uint32(n + 1)
	}
	return m, nil
}

// Header returns the file's beginning. It, or Resume, must be called first.
func (m *Movie) Header() ([]byte, error) {
	return m.count(encodeBoxes(mp4.NewFtyp("isom", 0, []string{"isom", "avc1", "mp41"})))
}

func (m *Movie) count(b []byte, err error) ([]byte, error) {
	m.offset += uint64(len(b))
	return b, err
}

// AppendSegment appends to dst what becomes of the segment b, which must be whole and was coded with inits[init] of
// NewMovie. Segments come in order of time.
func (m *Movie) AppendSegment(dst, b []byte, init int) ([]byte, error) {
	if init < 0 || init >= len(m.entry) {
		return dst, fmt.Errorf("%w: size %d of %d", ErrInit, init, len(m.entry))
	}
	before := len(dst)
	dst = append(dst, 0, 0, 0, 0, 'm', 'd', 'a', 't')
	samples := uint32(0)
	for at := 0; at < len(b); {
		f, err := ParseFragment(b[at:])
		if err == nil && m.stsz.SampleNumber > 0 && f.Start < m.end {
			err = fmt.Errorf("%w: time %d before %d", ErrFormat, f.Start, m.end)
		}
		if err != nil {
			return dst[:before], &CorruptError{Offset: at, Err: err}
		}
		at += f.Size()
		if f.Sync && len(m.inits) > 1 {
			i := &m.inits[m.entry[init]-1]
			sets := appendNAL(appendNAL(nil, i.SPS), i.PPS)
			f.Samples[0].Size += uint32(len(sets))
			f.Payload = append(sets, f.Payload...)
		}
		m.addSamples(&f)
		samples += uint32(len(f.Samples))
		dst = append(dst, f.Payload...)
	}
	size := len(dst) - before
	if samples == 0 || size > math.MaxInt32 {
		return dst[:before], fmt.Errorf("%w: segment of %d samples, %d bytes", ErrFormat, samples, size)
	}
	binary.BigEndian.PutUint32(dst[before:], uint32(size))
	seg := MovieSegment{Offset: m.offset + boxHeader, Samples: samples, Entry: m.entry[init]}
	m.offset += uint64(size)
	return dst, m.enter(seg)
}

// addSamples enters a fragment's samples into the tables. A gap before it, which only a power cut leaves, lengthens
// the sample before.
func (m *Movie) addSamples(f *Fragment) {
	if m.stsz.SampleNumber == 0 {
		m.start, m.end = f.Start, f.Start
	} else if gap := f.Start - m.end; gap > 0 {
		last := len(m.stts.SampleCount) - 1
		longer := uint32(min(uint64(m.stts.SampleTimeDelta[last])+gap, math.MaxUint32))
		if m.stts.SampleCount[last]--; m.stts.SampleCount[last] == 0 {
			m.stts.SampleCount, m.stts.SampleTimeDelta = m.stts.SampleCount[:last], m.stts.SampleTimeDelta[:last]
		}
		m.addDuration(longer)
	}
	for i, s := range f.Samples {
		m.stsz.SampleNumber++
		m.stsz.SampleSize = append(m.stsz.SampleSize, s.Size)
		if i == 0 && f.Sync {
			m.stss.SampleNumber = append(m.stss.SampleNumber, m.stsz.SampleNumber)
		}
		m.addDuration(s.Duration)
	}
	m.end = f.End()
}

func (m *Movie) addDuration(d uint32) {
	if n := len(m.stts.SampleCount); n > 0 && m.stts.SampleTimeDelta[n-1] == d {
		m.stts.SampleCount[n-1]++
		return
	}
	m.stts.SampleCount = append(m.stts.SampleCount, 1)
	m.stts.SampleTimeDelta = append(m.stts.SampleTimeDelta, d)
}

// Trailer returns the file's end: the moov. The first picture is shown at its true time, nothing before it.
func (m *Movie) Trailer() ([]byte, error) {
	moov, stbl := newMoov(m.inits, m.end)
	stbl.Children = stbl.Children[:1] // the stsd
	for _, box := range []mp4.Box{&m.stts, &m.stss, &m.stsc, &m.stsz, &m.offsets} {
		stbl.AddChild(box)
	}
	moov.Trak.Mdia.Mdhd.Version, moov.Trak.Mdia.Mdhd.Duration = 1, m.end-m.start
	moov.Trak.Tkhd.Version, moov.Trak.Tkhd.Duration = 1, m.end
	if m.start > 0 {
		edits := []mp4.ElstEntry{
			{SegmentDuration: m.start, MediaTime: -1, MediaRateInteger: 1},
			{SegmentDuration: m.end - m.start, MediaRateInteger: 1},
		}
		edts := &mp4.EdtsBox{}
		edts.AddChild(&mp4.ElstBox{Version: 1, Entries: edits})
		moov.Trak.Children = slices.Insert(moov.Trak.Children, 1, mp4.Box(edts)) // after the tkhd
		moov.Trak.Edts = edts
	}
	return m.count(encodeBoxes(moov))
}

func appendNAL(dst, nal []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(nal))), nal...)
}

// encodeBoxes writes boxes one after the other.
func encodeBoxes(boxes ...mp4.Box) ([]byte, error) {
	var size uint64
	for _, b := range boxes {
		size += b.Size()
	}
	sw := bits.NewFixedSliceWriter(int(size))
	for _, b := range boxes {
		if err := b.EncodeSW(sw); err != nil {
			return nil, fmt.Errorf("fmp4: %s: %w", b.Type(), err)
		}
	}
	return sw.Bytes(), nil
}
