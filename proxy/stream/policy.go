package stream

import "time"

// policy decides which lane carries a change, and by when the video lane must have it too. It is the whole judgement about the two
// lanes, and looks at no clock and no picture.
//
// A small change goes out at once as a patch: it costs microseconds, is exact, and meets no jitter buffer. The video follows it
// some time later, for the recording: x264 needs some milliseconds for a picture in which one letter changed, however it is
// tuned. A large change goes by video, and so do small ones where large ones were just before: another picture is due there in a
// moment. Many small changes are a large one; burst and perSecond say how many.
type policy struct {
	small     int           // blocks that a small change has at most
	burst     int           // blocks that small changes may have together at once …
	perSecond int           // … and in the long run
	motion    time.Duration // for so long after a large change its place is in motion
	lag       time.Duration // how far the video may be behind the patches
	// A part of the picture is made exact when it has been still for so long: longer beside motion, which often comes back, and
	// whose end is soon enough to do it all at once.
	rest, restInMotion time.Duration

	lastLarge time.Time
	level     float64 // blocks of small changes of late, at the time of poured
	poured    time.Time
}

// defaultPolicy: 96 blocks take the codec 0.1 to 0.25 ms as text, 0.6 ms and 33 KB as a photo (BenchmarkAppend in codec/tile, three quarters
// of its 128 blocks); x264 takes some 3 ms for a picture in which anything changed. 1500 blocks a second of text are then 4 ms. The times
// are judgement: motion outlasts two pictures, lag leaves the recording a margin to its 250 ms.
var defaultPolicy = policy{
	small: 96, burst: 400, perSecond: 1500, motion: 100 * time.Millisecond, lag: 200 * time.Millisecond,
	rest: 125 * time.Millisecond, restInMotion: 400 * time.Millisecond,
}

// audience is who takes pictures now.
type audience struct {
	lanes int // viewers with a patch lane
	plain int // viewers without
	room  int // those of lanes that can take a patch now
}

// route is what becomes of a change.
type route struct {
	patch bool
	video time.Time // when the video lane must have it, at the latest
}

// inMotion tells whether there was a large change of late.
func (p *policy) inMotion(now time.Time) bool { return now.Sub(p.lastLarge) < p.motion }

// eager tells whether a change of that many blocks is to be looked at as soon as it comes, rather than when the next picture is due.
func (p *policy) eager(now time.Time, blocks int) bool { return blocks <= p.small || !p.inMotion(now) }

// still is how long a part of the picture must not have changed at now to be made exact, and until when that holds; the zero time
// when only another change will alter it.
func (p *policy) still(now time.Time) (after time.Duration, until time.Time) {
	if p.inMotion(now) {
		return p.restInMotion, p.lastLarge.Add(p.motion)
	}
	return p.rest, time.Time{}
}

// change routes a change of that many blocks, at now. within says that some of them lie in what is in motion.
func (p *policy) change(now time.Time, blocks int, within bool, a audience) route {
	if blocks > p.small || p.flooded(now, blocks) {
		p.lastLarge = now
		return route{video: now}
	}
	switch {
	case p.inMotion(now) && within:
		return route{video: now}
	case p.inMotion(now), a.plain > 0:
		return route{patch: a.room > 0, video: now}
	case a.lanes > 0 && a.room == 0:
		return route{video: now} // the link is full: one lane must do
	}
	return route{patch: a.room > 0, video: now.Add(p.lag)}
}

// flooded pours a small change into the leaky bucket of those of late, and tells whether it overflows.
func (p *policy) flooded(now time.Time, blocks int) bool {
	drained := now.Sub(p.poured).Seconds() * float64(p.perSecond)
	p.level, p.poured = max(0, p.level-drained)+float64(blocks), now
	over := p.level > float64(p.burst)
	p.level = min(p.level, float64(p.burst))
	return over
}
