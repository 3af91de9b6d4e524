package webrtcserver

import (
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/logging"
	"github.com/pion/rtp"
)

// Rates bound the bandwidth estimate, in bits a second.
type Rates struct {
	// Initial is assumed until the first reports come. Zero: 20 Mbit/s.
	Initial int
	// Min is the floor. Below it the picture is not legible, so there is nothing to gain. Zero: 1 Mbit/s.
	Min int
	// Max is the ceiling. Zero: 50 Mbit/s.
	Max int
}

func (r Rates) withDefaults() Rates {
	if r.Initial == 0 {
		r.Initial = 20e6
	}
	if r.Min == 0 {
		r.Min = 1e6
	}
	if r.Max == 0 {
		r.Max = 50e6
	}
	r.Min = min(r.Min, r.Max)
	r.Initial = max(min(r.Initial, r.Max), r.Min)
	return r
}

// estimator is the bandwidth to one viewer by Google congestion control (draft-ietf-rmcat-gcc-02), from the
// arrival times the browser reports.
type estimator struct {
	initial int
	bwe     atomic.Pointer[floored]
	// changed, of capacity one, gets a value when the estimate changes. Never closed.
	changed chan struct{}
}

func newEstimator(initial int) *estimator {
	return &estimator{initial: initial, changed: make(chan struct{}, 1)}
}

// rate is the estimate in bits a second.
func (e *estimator) rate() int {
	if bwe := e.bwe.Load(); bwe != nil {
		return bwe.GetTargetBitrate()
	}
	return e.initial
}

// factory makes the estimator pion feeds.
func (e *estimator) factory(r Rates, logs logging.LoggerFactory) cc.BandwidthEstimatorFactory {
	return func() (cc.BandwidthEstimator, error) {
		bwe, err := gcc.NewSendSideBWE(
			gcc.SendSideBWEInitialBitrate(r.Initial), gcc.SendSideBWEMinBitrate(r.Min),
			gcc.SendSideBWEMaxBitrate(r.Max), gcc.SendSideBWEPacer(&passThrough{}), gcc.WithLoggerFactory(logs))
		if err != nil {
			return nil, err
		}
		bwe.OnTargetBitrateChange(func(int) {
			select {
			case e.changed <- struct{}{}:
			default:
			}
		})
		f := &floored{bwe, r.Min}
		e.bwe.Store(f)
		return f, nil
	}
}

// floored keeps the estimate at or above the floor, which gcc's loss controller undercuts. The NACK responder
// asks it too, how much it may send again: starved of that, a lossy path would stand still.
type floored struct {
	*gcc.SendSideBWE
	floor int
}

var _ cc.BandwidthEstimator = (*floored)(nil)

// GetTargetBitrate implements cc.BandwidthEstimator.
func (f *floored) GetTargetBitrate() int { return max(f.SendSideBWE.GetTargetBitrate(), f.floor) }

// passThrough is a gcc.Pacer that sends at once: pacing is done before packets are made (pacer), because
// gcc's leaky bucket would hold back the small pictures that must be fast. It passes retransmissions too,
// whose SSRC was never added.
type passThrough struct {
	next atomic.Pointer[interceptor.RTPWriter]
}

var _ gcc.Pacer = (*passThrough)(nil)

// AddStream is called once: a viewer has one stream.
func (p *passThrough) AddStream(_ uint32, next interceptor.RTPWriter) { p.next.Store(&next) }

func (p *passThrough) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	next := p.next.Load()
	if next == nil {
		return 0, nil
	}
	return (*next).Write(h, payload, a)
}

// SetTargetBitrate does nothing.
func (*passThrough) SetTargetBitrate(int) {}

// Close does nothing.
func (*passThrough) Close() error { return nil }
