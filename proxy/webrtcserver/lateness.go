package webrtcserver

import "time"

const (
	// lateAllowed is how late pictures may leave before the stream gives way: more than a burst takes.
	lateAllowed = 300 * time.Millisecond
	// lateSpan is how much later they leave when it gives way by as much as it can, down to leastShare of the estimate.
	lateSpan   = 2 * time.Second
	leastShare = 0.3
)

// lateness tells how late pictures leave for a viewer. The estimate alone would let the Hub make as much as the link carries, and
// what once waits would wait for ever.
type lateness struct {
	origin time.Time // the session's time 0, as late as was never seen
	late   time.Duration
}

// observe notes that the picture of a time of the session leaves now.
func (l *lateness) observe(now time.Time, pts time.Duration) {
	if origin := now.Add(-pts); l.origin.IsZero() || origin.Before(l.origin) {
		l.origin = origin
	}
	l.late = now.Sub(l.origin.Add(pts))
}

// share is the part of the estimate that the stream may take, so that what waits gets less.
func (l *lateness) share() float64 {
	over := float64(l.late-lateAllowed) / float64(lateSpan)
	return 1 - (1-leastShare)*min(max(over, 0), 1)
}
