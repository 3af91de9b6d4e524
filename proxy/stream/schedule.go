package stream

import "time"

// smallShare of the macroblocks, one in so many, is a small change: it is coded sharp at once.
const smallShare = 32

// keepQP is how much finer a large change must be than the picture before to be coded finer at all.
const keepQP = 4

// schedule decides when to encode, at which quantiser, and what for. It is the Hub's judgement without its machinery: it looks at
// no clock and touches no picture.
//
// x264 skips an unchanged macroblock only if the picture before was coded at least as finely as this one; otherwise
// it sharpens it. So the state of the whole picture is one number, the quantiser of the last access unit, and a
// refinement is a picture without changes at a lower one.
type schedule struct {
	interval    time.Duration // least time between pictures
	idrInterval time.Duration // least time between IDR pictures
	refineAfter time.Duration // how long there must be no large change
	refineGap   time.Duration // least time between two steps of refinement
	quality     quality
	bucket      bucket

	blocks    int // macroblocks of the picture
	lastQP    int // of the last picture, 0 when there was none since the encoder was made
	lastFrame time.Time
	lastIDR   time.Time
	lastLarge time.Time // last large change or IDR
	flowsFrom time.Time // since when such come close to each other
	lastFiner time.Time // last picture that sharpened the one before
}

// demand is what there is to do.
type demand struct {
	dirty bool      // something changed since the last picture
	by    time.Time // when that must be shown; the zero time for as soon as may be
	idr   bool      // an IDR picture was asked for
}

// reset forgets the picture for a new encoder.
func (s *schedule) reset(blocks int) {
	s.blocks, s.lastQP = blocks, 0
}

// next returns when to make the next picture; the zero time when there is nothing to do.
func (s *schedule) next(d demand) time.Time {
	ready := s.bucket.belowAt(1)
	if stalled := s.lastFrame.Add(maxStall); stalled.Before(ready) {
		ready = stalled
	}
	ready = later(ready, s.lastFrame.Add(s.interval))
	if s.lastQP == 0 {
		return ready
	}
	var at time.Time
	if d.dirty {
		at = later(ready, d.by)
	}
	if d.idr {
		at = sooner(at, later(ready, s.lastIDR.Add(s.idrInterval)))
	}
	if s.lastQP > s.quality.sharp {
		at = sooner(at, later(ready, s.refineAt()))
	}
	return at
}

// refineAt returns when the picture may be sharpened.
func (s *schedule) refineAt() time.Time {
	still := later(s.lastLarge.Add(s.refineAfter), s.lastFiner.Add(s.refineGap))
	return later(still, s.bucket.belowAt(freePressure))
}

// idrDue tells whether a picture made at now answers a request for an IDR.
func (s *schedule) idrDue(now time.Time, d demand) bool {
	return s.lastQP == 0 || d.idr && !now.Before(s.lastIDR.Add(s.idrInterval))
}

// plan returns the quantiser of a picture made at now with that many changed macroblocks, and whether the change is large. A
// quantiser of 0 says there is no need for the picture.
func (s *schedule) plan(now time.Time, changed int, idr bool) (qp int, large bool) {
	large = idr || changed > s.blocks/smallShare
	switch {
	case idr:
		return s.quality.forIDR(s.blocks, &s.bucket, now), true
	case large:
		qp = s.quality.forMotion(s.flows(now), &s.bucket, now)
		if qp < s.lastQP && s.lastQP-qp < keepQP {
			qp = s.lastQP // not worth looking at the whole picture again
		}
		return qp, true
	case s.lastQP <= s.quality.sharp && changed > 0:
		return s.quality.sharp, false
	case s.lastQP > s.quality.sharp && !now.Before(s.refineAt()):
		return s.quality.refined(s.lastQP), false
	case changed > 0:
		return s.lastQP, false // finer would sharpen all the rest too, before its time
	}
	return 0, false
}

// made records a picture.
func (s *schedule) made(now time.Time, qp, bytes int, idr, large bool) {
	s.bucket.pour(now, bytes)
	if qp < s.lastQP {
		s.lastFiner = now
	}
	s.lastFrame, s.lastQP = now, qp
	if idr {
		s.lastIDR = now
	}
	if large {
		if now.Sub(s.lastLarge) > flowGap {
			s.flowsFrom = now
		}
		s.lastLarge = now
	}
}

// flows tells whether a large change at now is one of many in a row.
func (s *schedule) flows(now time.Time) bool {
	return now.Sub(s.lastLarge) <= flowGap && now.Sub(s.flowsFrom) >= flowAfter
}

// sooner returns the earlier of two times, of which the zero time is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
