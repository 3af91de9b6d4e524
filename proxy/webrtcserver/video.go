package webrtcserver

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// probeAfter is how long after the last picture each probe for lost packets goes out. The first comes soon,
// for a person is looking; the last covers the loss of the others.
var probeAfter = []time.Duration{
	30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second,
}

// sink is the viewer's end of the Hub.
type sink struct {
	v    *viewer
	size image.Point     // last told to the browser
	sent chan<- struct{} // capacity 1: a picture went out
	late bool            // pictures leave late
}

var _ stream.Sink = (*sink)(nil)

// WriteUnit implements stream.Sink.
func (k *sink) WriteUnit(ctx context.Context, au *h264.AccessUnit) error {
	if size := image.Pt(au.Width, au.Height); size != k.size {
		k.size = size
		k.v.s.reply(k.v, slotSize, encode(sizeReply{T: "size", Width: size.X, Height: size.Y}))
	}
	err := k.v.track.write(ctx, au)
	signal(k.sent)
	state := k.v.track.state()
	if late := state.late.share() < 1; late || k.late {
		k.late = late
		signal(k.v.bwe.changed)
	}
	return err
}

// bandwidth is what the stream may take of the link, in bits a second.
func (v *viewer) bandwidth() int {
	state := v.track.state()
	return int(float64(v.bwe.estimate()) * state.late.share())
}

// video sends pictures until ctx ends or there are no more. The latter is the session's end, which the viewer
// is told of by SetState.
func (v *viewer) video(ctx context.Context) {
	err := v.s.cfg.Video.Serve(ctx, v.sink, viewerUnits, stream.DropToIDR)
	if err == nil {
		return
	}
	// Sending fails first when the browser has gone: the connection's own word for it is on its way.
	select {
	case <-ctx.Done():
	case <-time.After(flushTimeout):
		v.end(fmt.Errorf("%w: %w", errVideo, err))
	}
}

// probe sends probes after each picture until the next.
func (v *viewer) probe(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	next := len(probeAfter) // the probe the timer runs for; len(probeAfter) when it does not run
	for {
		select {
		case <-v.sent:
			if next == len(probeAfter) {
				timer.Reset(probeAfter[0])
			}
			next = 0
		case <-timer.C:
			// A picture may have gone out since: the timer is not reset for each.
			if wait := probeAfter[next] - v.track.quiet(); wait > 0 {
				timer.Reset(wait)
				continue
			}
			if err := v.track.probe(); err != nil {
				v.log.Debug("probe not sent", "error", err)
			}
			if next++; next < len(probeAfter) {
				timer.Reset(probeAfter[next] - v.track.quiet())
			}
		case <-ctx.Done():
			return
		}
	}
}

// requestIDR asks for an IDR on behalf of the viewer, within its share: an IDR goes to all viewers and into the
// recording. A browser that needs one and does not get it repeats itself.
func (v *viewer) requestIDR() {
	if !v.s.hides(v) && v.idrs.Allow() {
		v.s.cfg.Video.RequestIDR()
	}
}

// readRTCP takes the browser's reports until the connection is closed. Pion's interceptors answer NACKs and
// estimate bandwidth on the way; what remains for us are the requests for an IDR.
func (v *viewer) readRTCP(sender *webrtc.RTPSender) {
	var loss pictureLoss
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if _, asked := p.(*rtcp.TransportLayerNack); asked {
				v.losses.lose(time.Now())
			}
			if loss.hear(p, v.track.state(), time.Now()) {
				v.requestIDR()
			}
		}
	}
}
