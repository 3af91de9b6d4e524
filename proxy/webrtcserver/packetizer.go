package webrtcserver

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/h264"
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

// packetizer cuts access units into RTP payloads ([RFC 6184], packetization-mode 1). It keeps its buffers from
// one unit to the next.
type packetizer struct {
	nals [][]byte
	buf  []byte
}

// payloads yields the RTP payloads of an access unit in Annex B form, and whether it is the last. A payload is
// valid until the next.
//
//	small NAL units that follow each other:  | STAP-A | length | NAL unit | length | NAL unit | …
//	a large NAL unit:                        | FU indicator | FU header | fragment |   (several)
func (p *packetizer) payloads(unit []byte) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		p.nals = slices.AppendSeq(p.nals[:0], h264.SplitNALs(unit))
		defer func() { clear(p.nals) }() // they alias the unit
		for rest := p.nals; len(rest) > 0; {
			n := fitting(rest)
			last := n == len(rest)
			var more bool
			switch {
			case n > 1:
				more = yield(p.aggregate(rest[:n]), last)
			case len(rest[0]) <= maxPayloadBytes:
				more = yield(rest[0], last)
			default:
				more = p.fragment(rest[0], last, yield)
			}
			if !more {
				return
			}
			rest = rest[n:]
		}
	}
}

// fitting returns how many of the first NAL units fit one packet together, at least 1.
func fitting(nals [][]byte) int {
	size := 1
	for i, nal := range nals {
		if size += 2 + len(nal); size > maxPayloadBytes {
			return max(i, 1)
		}
	}
	return len(nals)
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
