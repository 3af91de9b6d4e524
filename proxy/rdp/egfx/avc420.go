package egfx

import (
	"encoding/binary"

	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// Quality is RDPGFX_AVC420_QUANT_QUALITY ([MS-RDPEGFX] 2.2.4.4.2): how a rectangle was coded, for statistics.
type Quality struct {
	QP          uint8 // quantiser, 0 to 63
	Progressive bool
	Quality     uint8 // 0 to 100
}

const (
	qpMask        = 0x3f
	qpProgressive = 0x80
)

// AVC420 is RFX_AVC420_BITMAP_STREAM ([MS-RDPEGFX] 2.2.4.4): an access unit of H.264, and which rectangles of its picture belong
// on the surface. The decoder needs every unit; the surface takes only those rectangles.
type AVC420 struct {
	Rects     []Rect16
	Qualities []Quality // one for each rectangle
	Data      []byte    // Annex B
}

// Append appends the stream, as the data of a WireToSurface1 with CodecAVC420. Missing Qualities are zero.
func (s *AVC420) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Rects)))
	for _, r := range s.Rects {
		b = r.append(b)
	}
	for i := range s.Rects {
		var q Quality
		if i < len(s.Qualities) {
			q = s.Qualities[i]
		}
		qp := q.QP & qpMask
		if q.Progressive {
			qp |= qpProgressive
		}
		b = append(b, qp, q.Quality)
	}
	return append(b, s.Data...)
}

// Decode reads the stream. Data lies within b.
func (s *AVC420) Decode(b []byte) error {
	const rectBytes, qualityBytes = 8, 2
	r := wire.NewReader("RFX_AVC420_METABLOCK", b)
	n := r.Uint32()
	if uint64(n)*(rectBytes+qualityBytes) > uint64(r.Len()) {
		return r.Refuse("numRegionRects %d in %d bytes", n, r.Len())
	}
	var d AVC420
	d.Rects = readRects(r, nil, int(n))
	for range n {
		qp, quality := r.Uint8(), r.Uint8()
		d.Qualities = append(d.Qualities, Quality{QP: qp & qpMask, Progressive: qp&qpProgressive != 0, Quality: quality})
	}
	d.Data = r.Rest()
	if err := r.Err(); err != nil {
		return err
	}
	*s = d
	return nil
}
