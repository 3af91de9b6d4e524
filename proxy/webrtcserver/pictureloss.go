package webrtcserver

import (
	"time"

	"github.com/pion/rtcp"
)

// pictureLoss tells the picture losses a browser reports from those it only supposes.
//
// libwebrtc asks for a key frame when it had nothing to decode for three seconds, though nothing is missing.
// Answered, a desktop that stands still would cost an IDR every three seconds, for ever. So a report that comes
// out of stillness is ignored when all we sent has arrived: the browser's receiver reports cover the last
// packet, and it did not ask for any packet again.
//
// A browser whose link cannot carry the stream loses every picture, and would have an IDR made once a second for everybody and for
// the recording. So one that asks again soon waits ever longer for it, and while an IDR is on its way to it there is no other:
// what it tells of then is older.
//
// It belongs to the goroutine that reads RTCP.
type pictureLoss struct {
	highest  uint16        // of the receiver reports: the highest sequence number received
	reported bool          // there was a report
	nack     time.Time     // when packets were last asked for
	ignored  time.Time     // when a report was last ignored
	granted  time.Time     // when an IDR was last asked for
	patience time.Duration // how long after that it is not asked for again
}

const (
	// stillFor is how long nothing was sent before a picture loss can be a mere supposition. libwebrtc
	// supposes after three seconds.
	stillFor = 2500 * time.Millisecond
	// insisting is how soon a browser that has no picture at all repeats itself: libwebrtc every 200 ms.
	insisting = 2 * time.Second
	// leastPatience is how long after an IDR was asked for it is not asked for again; then twice as long each time, up to
	// mostPatience, until there was no need for longer than steadyAfter.
	leastPatience, mostPatience = 500 * time.Millisecond, 8 * time.Second
	steadyAfter                 = 10 * time.Second
	// idrSettles is how long after an IDR was sent a loss that is reported may be an older one: a round trip.
	idrSettles = 300 * time.Millisecond
)

// hear takes one RTCP packet about a track, and reports whether an IDR is needed.
func (l *pictureLoss) hear(p rtcp.Packet, sent sentState, now time.Time) bool {
	switch p := p.(type) {
	case *rtcp.ReceiverReport:
		for _, r := range p.Reports {
			if r.SSRC == sent.ssrc {
				l.highest, l.reported = uint16(r.LastSequenceNumber), true
			}
		}
	case *rtcp.TransportLayerNack:
		l.nack = now
	case *rtcp.FullIntraRequest:
		return l.grant(sent, now)
	case *rtcp.PictureLossIndication:
		if l.supposed(sent, now) {
			l.ignored = now
			return false
		}
		return l.grant(sent, now)
	}
	return false
}

// grant decides whether a loss that is real has an IDR made.
func (l *pictureLoss) grant(sent sentState, now time.Time) bool {
	since := now.Sub(l.granted)
	if sent.sendingIDR || now.Sub(sent.idr) < idrSettles || since < l.patience {
		return false
	}
	if since >= steadyAfter {
		l.patience = 0
	}
	l.granted, l.patience = now, min(max(2*l.patience, leastPatience), mostPatience)
	return true
}

// supposed reports whether a picture loss is not a real one.
func (l *pictureLoss) supposed(sent sentState, now time.Time) bool {
	arrived := l.reported && int16(l.highest-sent.last) >= 0
	return !sent.sending && now.Sub(sent.done) >= stillFor && arrived && l.nack.Before(sent.began) &&
		now.Sub(l.ignored) >= insisting
}
