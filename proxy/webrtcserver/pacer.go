package webrtcserver

import (
	"context"
	"time"
)

// pacer spreads the packets of a large picture. What the link carries in a moment leaves at once, the rest at about the estimated
// bandwidth, so that it does not overflow a router's queue or the receiver's socket. Where the link is too slow for the
// stream, it thereby holds up the Hub's queue for this viewer, which then gets fewer pictures: see stream.DropToIDR.
type pacer struct {
	bucket float64 // bytes that may leave now
	last   time.Time
}

const (
	// pacingBurst is the most that may leave at once, in bytes: it fits the receive buffer of Chromium's sockets.
	pacingBurst = 48 << 10
	// pacingAhead is what may leave at once where that is less, in time the link needs for it: half of what routers hold.
	pacingAhead = 100 * time.Millisecond
	// pacingLeast is what may always leave at once, in bytes: two packets.
	pacingLeast = 2 * maxPacketBytes
	// roomy is the bandwidth, in bits a second, from which an estimate says what was tried, not what the link carries; what
	// exceeds the burst then leaves at roomyFactor times the estimate, as libwebrtc does it, else at tightFactor.
	roomy                    = 8e6
	roomyFactor, tightFactor = 2.5, 1.1
	// pacingStep is the shortest wait; shorter ones cost more than they spread.
	pacingStep = time.Millisecond
)

// wait blocks until n more bytes may leave at an estimated bandwidth of rate bits a second, which is positive.
func (p *pacer) wait(ctx context.Context, n int, rate float64) error {
	perSecond := rate * tightFactor / 8
	if rate >= roomy {
		perSecond = rate * roomyFactor / 8
	}
	burst := min(max(rate/8*pacingAhead.Seconds(), pacingLeast), pacingBurst)
	now := time.Now()
	p.bucket = min(p.bucket+now.Sub(p.last).Seconds()*perSecond, burst)
	p.last = now
	p.bucket -= float64(n)
	delay := time.Duration(-p.bucket / perSecond * float64(time.Second))
	if delay < pacingStep {
		return nil
	}
	return sleep(ctx, delay)
}

// sleep returns the cause when ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
