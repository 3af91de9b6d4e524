package webrtcserver

import (
	"context"
	"time"
)

// pacer spreads the packets of a very large picture. A picture of a few packets leaves at once; what exceeds
// the burst leaves at pacingFactor times the estimated bandwidth, so that an IDR neither overflows the
// receiver's socket nor a router's queue.
type pacer struct {
	bucket float64 // bytes that may leave now
	last   time.Time
}

const (
	// pacingBurst is what may leave at once, in bytes: it fits the receive buffer of Chromium's sockets.
	pacingBurst = 48 << 10
	// pacingFactor is how much faster than the estimate a burst may leave, as libwebrtc does it.
	pacingFactor = 2.5
	// pacingFloor is the slowest a burst leaves, in bits a second.
	pacingFloor = 20e6
	// pacingStep is the shortest wait; shorter ones cost more than they spread.
	pacingStep = time.Millisecond
)

// wait blocks until n more bytes may leave at an estimated bandwidth of rate bits a second.
func (p *pacer) wait(ctx context.Context, n int, rate float64) error {
	perSecond := max(rate*pacingFactor, pacingFloor) / 8
	now := time.Now()
	p.bucket = min(p.bucket+now.Sub(p.last).Seconds()*perSecond, pacingBurst)
	p.last = now
	p.bucket -= float64(n)
	delay := time.Duration(-p.bucket / perSecond * float64(time.Second))
	if delay < pacingStep {
		return nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
