package h264

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
)

// NALType is nal_unit_type ([ISO/IEC 14496-10] table 7-1).
type NALType uint8

// The NAL unit types this project meets.
const (
	NALSlice NALType = 1 // coded slice of a non-IDR picture
	NALIDR   NALType = 5 // coded slice of an IDR picture
	NALSEI   NALType = 6
	NALSPS   NALType = 7
	NALPPS   NALType = 8
	NALAUD   NALType = 9
)

// TypeOf returns the type of a NAL unit without start code; zero (unspecified) when nal is empty.
func TypeOf(nal []byte) NALType {
	if len(nal) == 0 {
		return 0
	}
	return NALType(nal[0] & 0x1f)
}

// ErrNoParameterSets is returned when an access unit that should start a stream holds no SPS or no PPS.
var ErrNoParameterSets = errors.New("h264: no parameter sets in the access unit")

var startCode = []byte{0, 0, 1}

// SplitNALs yields the NAL units of a byte stream ([ISO/IEC 14496-10] annex B), without start codes and without
// the zero bytes that may precede one. The slices alias annexB. What stands before the first start code is skipped,
// and so are empty units.
func SplitNALs(annexB []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		_, rest, more := bytes.Cut(annexB, startCode)
		for more {
			var nal []byte
			nal, rest, more = bytes.Cut(rest, startCode)
			// trailing_zero_8bits and the zero_byte of a 4-byte start code; a NAL unit never ends in zero (7.4.1).
			if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 && !yield(nal) {
				return
			}
		}
	}
}

// ParameterSets returns the first SPS and the first PPS of an access unit in Annex B form, without start codes.
// The slices alias idr. It returns ErrNoParameterSets when either is missing.
func ParameterSets(idr []byte) (sps, pps []byte, err error) {
	for nal := range SplitNALs(idr) {
		switch TypeOf(nal) {
		case NALSPS:
			if sps == nil {
				sps = nal
			}
		case NALPPS:
			if pps == nil {
				pps = nal
			}
		case NALIDR, NALSlice: // parameter sets come before the slices that use them
			if sps == nil || pps == nil {
				return nil, nil, fmt.Errorf("%w: SPS %t, PPS %t before the first slice", ErrNoParameterSets, sps != nil, pps != nil)
			}
			return sps, pps, nil
		}
	}
	if sps == nil || pps == nil {
		return nil, nil, fmt.Errorf("%w: SPS %t, PPS %t", ErrNoParameterSets, sps != nil, pps != nil)
	}
	return sps, pps, nil
}

// AppendAVCC appends the NAL units of annexB to dst, each preceded by its length in 4 bytes, big-endian
// ([ISO/IEC 14496-15] 5.3.3 with lengthSizeMinusOne 3), and returns the extended slice. Parameter sets, SEI and
// access unit delimiters are left out: in MP4 the first live in the sample description (avc1) and the others say
// nothing a player needs.
func AppendAVCC(dst, annexB []byte) []byte {
	for nal := range SplitNALs(annexB) {
		switch TypeOf(nal) {
		case NALSPS, NALPPS, NALSEI, NALAUD:
			continue
		}
		n := len(nal)
		dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		dst = append(dst, nal...)
	}
	return dst
}
