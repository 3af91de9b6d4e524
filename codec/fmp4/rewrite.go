package fmp4

import (
	"bytes"
	"encoding/binary"
)

// Respecify appends the segment b to dst as it must be in a file with several sizes (see FileHeader): its fragments name entry
// index (from 1) of the sample descriptions, and when it begins with an IDR picture, that is preceded by the parameter
// sets of init, for players that take a change of size from the stream only. b must be whole.
func Respecify(dst, b []byte, index uint32, init *Init) ([]byte, error) {
	for at := 0; at < len(b); {
		f, err := ParseFragment(b[at:])
		if err != nil {
			return dst, &CorruptError{Offset: at, Err: err}
		}
		at += f.Size()
		if f.Sync {
			sets := appendNAL(appendNAL(nil, init.SPS), init.PPS)
			f.Samples[0].Size += uint32(len(sets))
			f.Payload = append(sets, bytes.Clone(f.Payload)...)
		}
		start := len(dst)
		if dst, err = f.Append(dst); err != nil {
			return dst, err
		}
		binary.BigEndian.PutUint32(dst[start+stsdIndexAt:], index)
	}
	return dst, nil
}

// RespecifyGrowth is the bytes by which Respecify lengthens a segment that begins with an IDR picture.
func RespecifyGrowth(init *Init) int { return 4 + len(init.SPS) + 4 + len(init.PPS) }

func appendNAL(dst, nal []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(nal))), nal...)
}
