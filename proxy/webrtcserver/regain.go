package webrtcserver

import (
	"math"
	"time"
)

// regainer stands behind gcc's estimate, which presumes a sender that always sends as much as it may. A desktop sends nothing most
// of the time, and then gcc goes wrong in two ways: it lowers its estimate with what arrives, and a single delay, such as a
// change of route, takes it down to a part of the little that was sent; from there it rises by 8 % a second.
//
// So the rate follows gcc down only while that sees congestion. When there has been none for a moment, what was lost is tried
// again, twice as much each second, up to half of what led to congestion.
type regainer struct {
	rate  float64   // bits a second
	goal  float64   // up to which it is tried again
	calm  time.Time // since when there is no congestion; the zero time while there is
	last  time.Time // of update
	begun bool      // update was called
}

const (
	// calmFor is how long there must be no congestion before more is tried.
	calmFor = time.Second
	// regainFactor is how much more each second.
	regainFactor = 2
)

// update takes gcc's estimate, in bits a second, and whether it sees no congestion, and returns the rate. now never goes back.
func (r *regainer) update(now time.Time, estimate float64, calm bool) float64 {
	since := now.Sub(r.last)
	if !r.begun {
		r.begun, since, r.calm = true, 0, now.Add(-calmFor)
	}
	r.last = now
	switch {
	case calm && r.calm.IsZero():
		r.calm = now
	case calm && now.Sub(r.calm) >= calmFor && r.rate < r.goal:
		r.rate = min(r.goal, r.rate*math.Pow(regainFactor, min(since.Seconds(), 1)))
	case !calm:
		if !r.calm.IsZero() && now.Sub(r.calm) >= calmFor { // otherwise it is the same congestion
			r.goal = r.rate / 2
		}
		r.calm = time.Time{}
		r.rate = min(r.rate, estimate)
	}
	r.rate = max(r.rate, estimate)
	return r.rate
}
