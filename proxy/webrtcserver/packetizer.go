package webrtcserver

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// NAL unit types of RTP payloads ([RFC 6184] 5.2) and the fields of a NAL unit's first byte.
const (
	nalSTAPA = 24 // several small NAL units
	nalFUA   = 28 // a fragment of a large one

	nalTypeMask = 0x1f
	nalRefMask  = 0x60
	fuStart     = 0x80
	fuEnd       = 0x40
)

// packetizer cuts access units into RTP payloads ([RFC 6184], packetization-mode 1). It keeps its buffer from
// one unit to the next.
type packetizer struct{ buf []byte }

// payloads yields the RTP payloads of an access unit in Annex B form, the last of it marked. A payload is
// valid until the next.
//
//	small NAL units that follow each other:  | STAP-A | length | NAL unit | length | NAL unit | …
//	a large NAL unit:                        | FU indicator | FU header | fragment |   (several)
func (p *packetizer) payloads(unit []byte) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		var small [][]byte // NAL units that wait to go out together
		size := 1
		flush := func(last bool) bool {
			if len(small) == 0 {
				return true
			}
			payload := small[0]
			if len(small) > 1 {
				payload = p.aggregate(small)
			}
			small, size = small[:0], 1
			return yield(payload, last)
		}
		var rest []byte
		for nal, after := nextNAL(unit); nal != nil; nal, after = nextNAL(rest) {
			rest = after
			if size+2+len(nal) > maxPayloadBytes && !flush(false) {
				return
			}
			if len(nal) <= maxPayloadBytes {
				small, size = append(small, nal), size+2+len(nal)
				continue
			}
			if !p.fragment(nal, len(rest) == 0, yield) {
				return
			}
		}
		flush(true)
	}
}

// aggregate makes a single-time aggregation packet ([RFC 6184] 5.7.1).
func (p *packetizer) aggregate(nals [][]byte) []byte {
	p.buf = append(p.buf[:0], nalSTAPA)
	for _, nal := range nals {
		p.buf[0] = max(p.buf[0]&nalRefMask, nal[0]&nalRefMask) | nalSTAPA
		p.buf = binary.BigEndian.AppendUint16(p.buf, uint16(len(nal)))
		p.buf = append(p.buf, nal...)
	}
	return p.buf
}

// fragment cuts a NAL unit into fragmentation units ([RFC 6184] 5.8). It reports whether yield wants more.
func (p *packetizer) fragment(nal []byte, last bool, yield func([]byte, bool) bool) bool {
	indicator, header := nal[0]&^nalTypeMask|nalFUA, nal[0]&nalTypeMask|fuStart
	for rest := nal[1:]; len(rest) > 0; header &^= fuStart {
		n := min(len(rest), maxPayloadBytes-2)
		if n == len(rest) {
			header |= fuEnd
		}
		p.buf = append(append(p.buf[:0], indicator, header), rest[:n]...)
		rest = rest[n:]
		if !yield(p.buf, last && len(rest) == 0) {
			return false
		}
	}
	return true
}

// startCode precedes each NAL unit in Annex B form, often with one more zero byte before it.
var startCode = []byte{0, 0, 1}

// nextNAL returns the first NAL unit of an Annex B stream and what follows it, nil when there is none.
func nextNAL(stream []byte) (nal, rest []byte) {
	start := bytes.Index(stream, startCode)
	if start < 0 {
		return nil, nil
	}
	nal = stream[start+len(startCode):]
	if end := bytes.Index(nal, startCode); end >= 0 {
		nal, rest = nal[:end], nal[end:]
	}
	// Zero bytes before the next start code are not part of the NAL unit, which never ends with one.
	nal = bytes.TrimRight(nal, "\x00")
	if len(nal) == 0 && len(rest) > 0 {
		return nextNAL(rest)
	}
	if len(nal) == 0 {
		return nil, nil
	}
	return nal, rest
}
