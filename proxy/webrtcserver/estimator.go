package webrtcserver

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
)

// Rates bound the bandwidth estimate, in bits a second.
type Rates struct {
	// Initial is assumed until the first reports come. Zero: 20 Mbit/s.
	Initial int
	// Min is the floor. Zero: 100 kbit/s, the least that congestion control works with.
	Min int
	// Max is the ceiling. Zero: 50 Mbit/s.
	Max int
}

func (r Rates) withDefaults() Rates {
	if r.Initial == 0 {
		r.Initial = 20e6
	}
	if r.Min == 0 {
		r.Min = 100e3
	}
	if r.Max == 0 {
		r.Max = 50e6
	}
	r.Min = min(r.Min, r.Max)
	r.Initial = max(min(r.Initial, r.Max), r.Min)
	return r
}

// estimator is the bandwidth to one viewer by Google congestion control (draft-ietf-rmcat-gcc-02), from the
// arrival times the browser reports, with a memory: see regainer.
type estimator struct {
	current atomic.Int64 // bits a second
	unheard atomic.Int64 // packets sent after the last one that a report told of; 0 before the first report
	// changed, of capacity one, gets a value when the estimate changes. Never closed.
	changed chan struct{}
}

func newEstimator(initial int) *estimator {
	e := &estimator{changed: make(chan struct{}, 1)}
	e.current.Store(int64(initial))
	return e
}

// estimate is the bandwidth in bits a second.
func (e *estimator) estimate() int { return int(e.current.Load()) }

// rate is how fast to send, in bits a second: slower than the estimate while reports do not keep up.
func (e *estimator) rate() int {
	if e.unheard.Load() > maxUnheard {
		return e.estimate() / unheardShare
	}
	return e.estimate()
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
		return &remembering{SendSideBWE: bwe, of: e, rates: r, memory: regainer{rate: float64(r.Initial)}}, nil
	}
}

// remembering is gcc's estimator with a regainer behind it.
type remembering struct {
	*gcc.SendSideBWE
	of    *estimator
	rates Rates

	mu      sync.Mutex
	sent    uint16 // transport-wide number of the last packet
	told    uint16 // that of the last one a report told of
	hearing bool   // there was a report
	loss    lossShare
	last    int // gcc's delay controller's estimate, in bits a second
	memory  regainer
}

var _ cc.BandwidthEstimator = (*remembering)(nil)

// WriteRTCP implements cc.BandwidthEstimator: it takes the reports of the browser.
func (r *remembering) WriteRTCP(packets []rtcp.Packet, a interceptor.Attributes) error {
	if err := r.SendSideBWE.WriteRTCP(packets, a); err != nil {
		return err
	}
	reports := false
	for _, p := range packets {
		if report, ok := p.(*rtcp.TransportLayerCC); ok {
			reports = true
			r.hear(report.BaseSequenceNumber + report.PacketStatusCount - 1)
			r.mu.Lock()
			r.loss.hear(report)
			r.mu.Unlock()
		}
	}
	if !reports {
		return nil
	}
	stats := r.GetStats()
	delayed, _ := stats["delayTargetBitrate"].(int)
	estimate := float64(r.SendSideBWE.GetTargetBitrate())
	r.mu.Lock()
	// Several states may have been passed since the last report, so it is the outcome that tells.
	calm := r.loss < lossy && float64(delayed) >= fallen*float64(r.last)
	r.last = delayed
	if r.of.unheard.Load() > gccHistory {
		estimate, calm = r.memory.rate/2, false // what was sent is more than the path carries, or gcc remembers
	}
	rate := r.memory.update(time.Now(), estimate, calm)
	r.mu.Unlock()
	now := int64(max(r.rates.Min, min(int(rate), r.rates.Max)))
	if r.of.current.Swap(now) != now {
		signal(r.of.changed)
	}
	return nil
}

// AddStream implements cc.BandwidthEstimator.
func (r *remembering) AddStream(info *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	for _, extension := range info.RTPHeaderExtensions {
		if extension.URI == sdp.TransportCCURI {
			next = r.count(uint8(extension.ID), next)
		}
	}
	return r.SendSideBWE.AddStream(info, next)
}

// count notes the numbers of packets on their way to next, which are in the extension of that id.
func (r *remembering) count(id uint8, next interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if number := h.GetExtension(id); len(number) == 2 {
			r.mu.Lock()
			r.sent = binary.BigEndian.Uint16(number)
			r.book()
			r.mu.Unlock()
		}
		return next.Write(h, payload, a)
	})
}

// hear notes that a report told of packets up to one.
func (r *remembering) hear(last uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.hearing || int16(last-r.told) > 0 {
		r.hearing, r.told = true, last
	}
	r.book()
}

// book needs mu.
func (r *remembering) book() {
	if r.hearing {
		r.of.unheard.Store(int64(max(0, int16(r.sent-r.told))))
	}
}

const (
	// lossy is the share of lost packets beyond which gcc's loss controller lowers the rate.
	lossy = 0.1
	// fallen is to which share of the one before an estimate falls where there is congestion: gcc lowers it by 15 % at least.
	fallen = 0.9
	// resendShare of the estimate, one in so many, may go into packets sent again, within bounds, in bits a second: on a path that
	// is full they are what fills it, and starved of them a lossy path stands still.
	resendShare             = 4
	leastResend, mostResend = 64e3, 2e6
	// gccHistory is how many packets gcc remembers: of older ones it makes nothing of reports. On a path far slower than assumed
	// it would never learn of that. So from maxUnheard packets without a report on, one part in unheardShare is sent.
	gccHistory   = 250
	maxUnheard   = 200
	unheardShare = 4
)

// GetTargetBitrate implements cc.BandwidthEstimator. The NACK responder asks it how much it may send again.
func (r *remembering) GetTargetBitrate() int {
	return min(max(r.of.rate()/resendShare, leastResend), mostResend)
}

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
