package fmp4

import (
	"encoding/binary"
	"fmt"
)

// ParseFragment reads the fragment at the start of b. Payload points into b. It returns ErrShort when b ends before
// the fragment does and ErrFormat when the bytes there are no fragment of the layout above.
func ParseFragment(b []byte) (Fragment, error) {
	r := reader{b: b}
	moof := r.box("moof")
	r.fullBox("mfhd", mfhdSize, 0)
	f := Fragment{Sequence: r.u32()}
	traf := r.box("traf")
	r.fullBox("tfhd", tfhdSize, tfhdFlags)
	r.expect("track_ID", TrackID)
	r.expect("sample_description_index", 1)
	r.fullBox("tfdt", tfdtSize, tfdtFlags)
	f.Start = uint64(r.u32())<<32 | uint64(r.u32())
	trun := r.box("trun")
	r.expect("trun flags", trunFlags)
	count := r.u32()
	if r.err != nil {
		return Fragment{}, r.err
	}
	if count == 0 || count > maxSamples {
		return Fragment{}, fmt.Errorf("%w: sample_count %d, 1 to %d allowed", ErrFormat, count, maxSamples)
	}
	samples := count * sampleSize
	if moof != moofFixed+samples || traf != trafFixed+samples || trun != trunFixed+samples {
		return Fragment{}, fmt.Errorf("%w: box sizes %d, %d, %d with %d samples", ErrFormat, moof, traf, trun, count)
	}
	r.expect("data_offset", moof+boxHeader)
	switch flags := r.u32(); flags {
	case flagsSync:
		f.Sync = true
	case flagsNonSync:
	default:
		r.fail("first_sample_flags %#x", flags)
	}
	if len(b)-r.at < int(samples) {
		r.short()
	}
	if r.err != nil {
		return Fragment{}, r.err
	}
	f.Samples = make([]Sample, count)
	var sum uint64
	for i := range f.Samples {
		f.Samples[i] = Sample{Duration: r.u32(), Size: r.u32()}
		sum += uint64(f.Samples[i].Size)
	}
	mdat := r.box("mdat")
	if r.err != nil {
		return Fragment{}, r.err
	}
	if uint64(mdat) != boxHeader+sum {
		return Fragment{}, fmt.Errorf("%w: mdat of %d bytes for samples of %d", ErrFormat, mdat, sum)
	}
	if uint64(len(b)-r.at) < sum {
		return Fragment{}, ErrShort
	}
	f.Payload = b[r.at : r.at+int(sum)]
	if err := checkNALs(f.Samples, f.Payload); err != nil {
		return Fragment{}, err
	}
	return f, nil
}

// checkNALs checks that the length fields in the samples chain: bytes that never reached the disk read as zeros, and
// a zero length is none.
func checkNALs(samples []Sample, payload []byte) error {
	for i, s := range samples {
		b := payload[:s.Size]
		payload = payload[s.Size:]
		if len(b) == 0 {
			return fmt.Errorf("%w: sample %d is empty", ErrFormat, i)
		}
		for len(b) > 0 {
			if len(b) < 5 {
				return fmt.Errorf("%w: %d bytes left over in sample %d", ErrFormat, len(b), i)
			}
			n := binary.BigEndian.Uint32(b)
			if n == 0 || uint64(n) > uint64(len(b)-4) {
				return fmt.Errorf("%w: NAL unit of %d bytes in the last %d of sample %d", ErrFormat, n, len(b)-4, i)
			}
			b = b[4+n:]
		}
	}
	return nil
}

// reader reads 32-bit fields and remembers the first error; after one, everything reads as zero.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) short() {
	if r.err == nil {
		r.err = ErrShort
	}
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
	}
}

func (r *reader) u32() uint32 {
	if r.err != nil {
		return 0
	}
	if len(r.b)-r.at < 4 {
		r.short()
		return 0
	}
	v := binary.BigEndian.Uint32(r.b[r.at:])
	r.at += 4
	return v
}

func (r *reader) expect(name string, want uint32) {
	if got := r.u32(); got != want {
		r.fail("%s %#x, want %#x", name, got, want)
	}
}

func (r *reader) box(kind string) (size uint32) {
	size = r.u32()
	r.expect(kind+" box type", binary.BigEndian.Uint32([]byte(kind)))
	return size
}

func (r *reader) fullBox(kind string, size, versionFlags uint32) {
	if got := r.box(kind); got != size {
		r.fail("%s of %d bytes, want %d", kind, got, size)
	}
	r.expect(kind+" flags", versionFlags)
}
