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
// It belongs to the goroutine that reads RTCP.
type pictureLoss struct {
	highest  uint16    // of the receiver reports: the highest sequence number received
	reported bool      // there was a report
	nack     time.Time // when packets were last asked for
	ignored  time.Time // when a report was last ignored
}

const (
	// stillFor is how long nothing was sent before a picture loss can be a mere supposition. libwebrtc
	// supposes after three seconds.
	stillFor = 2500 * time.Millisecond
	// insisting is how soon a browser that has no picture at all repeats itself: libwebrtc every 200 ms.
	insisting = 2 * time.Second
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
		return true
	case *rtcp.PictureLossIndication:
		if l.supposed(sent, now) {
			l.ignored = now
			return false
		}
		return true
	}
	return false
}

// supposed reports whether a picture loss is not a real one.
func (l *pictureLoss) supposed(sent sentState, now time.Time) bool {
	arrived := l.reported && int16(l.highest-sent.last) >= 0
	return !sent.sending && now.Sub(sent.done) >= stillFor && arrived && l.nack.Before(sent.began) &&
		now.Sub(l.ignored) >= insisting
}
