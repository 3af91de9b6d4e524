package recording

import (
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// order watches the stream of pictures: that none is missing, and when an IDR is due. The caller holds Recorder.mu.
type order struct {
	seq       uint64
	pts       time.Duration
	idrPTS    time.Duration
	idrSize   int
	sinceIDR  int           // bytes
	unitsIDR  int           // pictures since then
	asked     time.Duration // when an IDR was last asked for; below idrPTS when it came
	lastStill time.Duration // time of the last picture, or of the last request because of stillness
	any       bool
}

// next takes the next picture and tells whether to ask for an IDR.
func (o *order) next(au *h264.AccessUnit) (wantIDR bool, err error) {
	first := !o.any
	switch {
	case first && !au.IDR:
		return false, fmt.Errorf("%w: unit %d is first and no IDR picture", ErrOrder, au.Seq)
	case !first && au.Seq != o.seq+1:
		return false, fmt.Errorf("%w: unit %d follows %d", ErrOrder, au.Seq, o.seq)
	case au.PTS < o.pts:
		return false, fmt.Errorf("%w: unit %d at %v follows %v", ErrOrder, au.Seq, au.PTS, o.pts)
	case len(au.Data) == 0 || len(au.Data) > MaxSegmentBytes/4:
		return false, fmt.Errorf("%w: unit %d of %d bytes", ErrLimit, au.Seq, len(au.Data))
	}
	o.any = true
	o.lastStill = au.PTS
	o.seq, o.pts = au.Seq, au.PTS
	if au.IDR {
		o.idrPTS, o.idrSize, o.sinceIDR, o.unitsIDR, o.asked = au.PTS, len(au.Data), 0, 0, -idrRetry
		return false, nil
	}
	o.sinceIDR += len(au.Data)
	o.unitsIDR++
	age := au.PTS - o.idrPTS
	due := age >= idrInterval || age >= idrMinimum && (o.sinceIDR > 2*o.idrSize || o.unitsIDR >= idrUnits)
	if !due || au.PTS-o.asked < idrRetry {
		return false, nil
	}
	o.asked = au.PTS
	return true, nil
}

// still tells, once, that nothing has come for stillInterval.
func (o *order) still(now time.Duration) bool {
	if !o.any || now-o.lastStill < stillInterval {
		return false
	}
	o.lastStill = now
	return true
}
