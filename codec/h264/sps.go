package h264

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrSPS is wrapped by every error of ParseSPS.
var ErrSPS = errors.New("h264: bad sequence parameter set")

// SPS is what this project needs of a sequence parameter set ([ISO/IEC 14496-10] 7.3.2.1.1).
type SPS struct {
	// Profile is profile_idc, Constraints the byte of constraint_set flags after it, Level level_idc (40 is 4.0).
	Profile, Constraints, Level uint8
	// CodedWidth and CodedHeight are the coded picture in pixels, multiples of 16.
	CodedWidth, CodedHeight int
	// Width and Height are what remains after cropping: the visible picture in pixels.
	Width, Height int
	// MaxRefFrames is max_num_ref_frames.
	MaxRefFrames int
	// FullRange and the three colour descriptions come from the VUI (annex E); 2 is "unspecified".
	FullRange                   bool
	Primaries, Transfer, Matrix uint8

	frameMBsOnly, separatePlanes bool
	chromaFormat                 uint32
	cropL, cropR, cropT, cropB   uint32 // in crop units
	widthInMBs, heightInMapUnits uint32
	fixedRateBit                 int // place of fixed_frame_rate_flag in bits of the unescaped payload, 0 when absent
}

// ProfileLevelID returns the profile-level-id of RFC 6184 8.1: six hexadecimal digits, as in "42c02a". The same
// digits follow "avc1." in a codecs parameter (RFC 6381 3.3).
func (s *SPS) ProfileLevelID() string {
	return fmt.Sprintf("%02x%02x%02x", s.Profile, s.Constraints, s.Level)
}

// ParseSPS reads a sequence parameter set: a NAL unit without start code. Interlaced and non-4:2:0 pictures are
// read; scaling matrices and sizes above MaxCodedSide are refused. The VUI is read as far as its timing.
func ParseSPS(nal []byte) (*SPS, error) {
	if TypeOf(nal) != NALSPS {
		return nil, fmt.Errorf("%w: nal_unit_type %d, need %d", ErrSPS, TypeOf(nal), NALSPS)
	}
	if len(nal) < 4 || len(nal) > maxSPSBytes {
		return nil, fmt.Errorf("%w: %d bytes, need 4 to %d", ErrSPS, len(nal), maxSPSBytes)
	}
	s := &SPS{Profile: nal[1], Constraints: nal[2], Level: nal[3], Primaries: 2, Transfer: 2, Matrix: 2}
	r := &bitReader{data: unescape(nal[4:])}
	if err := s.parse(r); err != nil {
		return nil, err
	}
	if r.overrun {
		return nil, fmt.Errorf("%w: ends early at %d bytes", ErrSPS, len(nal))
	}
	if err := s.size(); err != nil {
		return nil, err
	}
	return s, nil
}

// hasChromaFormat lists the profiles whose SPS carries chroma_format_idc and bit depths.
func hasChromaFormat(profile uint8) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

func (s *SPS) parse(r *bitReader) error {
	r.ue() // seq_parameter_set_id
	s.chromaFormat = 1
	if hasChromaFormat(s.Profile) {
		s.chromaFormat = r.ue()
		if s.chromaFormat > 3 {
			return fmt.Errorf("%w: chroma_format_idc %d exceeds 3", ErrSPS, s.chromaFormat)
		}
		if s.chromaFormat == 3 {
			s.separatePlanes = r.flag()
		}
		r.ue()   // bit_depth_luma_minus8
		r.ue()   // bit_depth_chroma_minus8
		r.flag() // qpprime_y_zero_transform_bypass_flag
		if r.flag() {
			return fmt.Errorf("%w: scaling matrices are not supported", ErrSPS)
		}
	}
	r.ue() // log2_max_frame_num_minus4
	switch poc := r.ue(); poc {
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.flag() // delta_pic_order_always_zero_flag
		r.ue()   // offset_for_non_ref_pic, se(v)
		r.ue()   // offset_for_top_to_bottom_field, se(v)
		n := r.ue()
		if n > 255 {
			return fmt.Errorf("%w: num_ref_frames_in_pic_order_cnt_cycle %d exceeds 255", ErrSPS, n)
		}
		for range n {
			r.ue()
		}
	case 2:
	default:
		return fmt.Errorf("%w: pic_order_cnt_type %d exceeds 2", ErrSPS, poc)
	}
	refs := r.ue()
	if refs > 16 {
		return fmt.Errorf("%w: max_num_ref_frames %d exceeds 16", ErrSPS, refs)
	}
	s.MaxRefFrames = int(refs)
	r.flag() // gaps_in_frame_num_value_allowed_flag
	s.widthInMBs, s.heightInMapUnits = r.ue()+1, r.ue()+1
	s.frameMBsOnly = r.flag()
	if !s.frameMBsOnly {
		r.flag() // mb_adaptive_frame_field_flag
	}
	r.flag() // direct_8x8_inference_flag
	if r.flag() {
		s.cropL, s.cropR, s.cropT, s.cropB = r.ue(), r.ue(), r.ue(), r.ue()
	}
	if r.flag() {
		s.parseVUI(r)
	}
	return nil
}

// parseVUI reads vui_parameters (E.1.1) as far as the timing.
func (s *SPS) parseVUI(r *bitReader) {
	const extendedSAR = 255
	if r.flag() && r.bits(8) == extendedSAR {
		r.bits(16)
		r.bits(16)
	}
	if r.flag() { // overscan_info_present_flag
		r.flag()
	}
	if r.flag() { // video_signal_type_present_flag
		r.bits(3) // video_format
		s.FullRange = r.flag()
		if r.flag() { // colour_description_present_flag
			s.Primaries, s.Transfer, s.Matrix = uint8(r.bits(8)), uint8(r.bits(8)), uint8(r.bits(8))
		}
	}
	if r.flag() { // chroma_loc_info_present_flag
		r.ue()
		r.ue()
	}
	if r.flag() { // timing_info_present_flag
		r.bits(32) // num_units_in_tick
		r.bits(32) // time_scale
		s.fixedRateBit = r.pos
		r.flag()
	}
}

// variableFrameRate returns a copy of an SPS with fixed_frame_rate_flag (E.2.1) unset. A zero more may need more escapes, so
// the copy may be longer; beyond the cap it is refused.
func variableFrameRate(nal []byte) ([]byte, error) {
	s, err := ParseSPS(nal)
	if err != nil {
		return nil, err
	}
	payload := unescape(nal[4:])
	if at := s.fixedRateBit; at > 0 {
		payload[at/8] &^= 0x80 >> (at % 8)
	}
	changed := appendEscaped(append([]byte(nil), nal[:4]...), payload)
	if len(changed) > maxSPSBytes {
		return nil, fmt.Errorf("%w: %d bytes when rewritten, at most %d", ErrSPS, len(changed), maxSPSBytes)
	}
	return changed, nil
}

// size derives the picture sizes (7.4.2.1.1) with the caps of this package.
func (s *SPS) size() error {
	fields := uint32(2)
	if s.frameMBsOnly {
		fields = 1
	}
	if s.widthInMBs > MaxCodedSide/16 || s.heightInMapUnits > MaxCodedSide/16/fields {
		return fmt.Errorf("%w: %d×%d macroblocks exceed %d pixels a side", ErrSPS, s.widthInMBs, s.heightInMapUnits, MaxCodedSide)
	}
	s.CodedWidth, s.CodedHeight = int(s.widthInMBs)*16, int(s.heightInMapUnits*fields)*16
	unitX, unitY := uint32(1), fields
	if !s.separatePlanes {
		if s.chromaFormat == 1 || s.chromaFormat == 2 {
			unitX = 2
		}
		if s.chromaFormat == 1 {
			unitY *= 2
		}
	}
	cropX := uint64(unitX) * (uint64(s.cropL) + uint64(s.cropR))
	cropY := uint64(unitY) * (uint64(s.cropT) + uint64(s.cropB))
	if cropX >= uint64(s.CodedWidth) || cropY >= uint64(s.CodedHeight) {
		return fmt.Errorf("%w: cropping %d×%d of %d×%d pixels leaves nothing", ErrSPS, cropX, cropY, s.CodedWidth, s.CodedHeight)
	}
	s.Width, s.Height = s.CodedWidth-int(cropX), s.CodedHeight-int(cropY)
	return nil
}

// unescape removes emulation_prevention_three_byte (7.4.1).
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// appendEscaped appends payload with emulation_prevention_three_byte where it is needed (7.4.1).
func appendEscaped(dst, payload []byte) []byte {
	zeros := 0
	for _, c := range payload {
		if zeros >= 2 && c <= 3 {
			dst = append(dst, 3)
			zeros = 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		dst = append(dst, c)
	}
	return dst
}

// bitReader reads most significant bit first. Past the end it returns zeros and sets overrun.
type bitReader struct {
	data    []byte
	pos     int // bits
	overrun bool
}

func (r *bitReader) bits(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if r.pos >= len(r.data)*8 {
			r.overrun = true
			continue
		}
		v |= uint32(r.data[r.pos/8]>>(7-r.pos%8)) & 1
		r.pos++
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) == 1 }

// ue reads ue(v), an Exp-Golomb code (9.1). Signed codes have the same length, so ue skips them too.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; r.overrun || zeros > 31 {
			r.overrun = true
			return 0
		}
	}
	// 2^zeros - 1 + the next zeros bits, at most 2^32 - 2: sums with small constants are taken after the caps.
	v := uint64(1)<<zeros - 1 + uint64(r.bits(zeros))
	if bits.Len64(v) > 31 {
		r.overrun = true
		return 0
	}
	return uint32(v)
}
