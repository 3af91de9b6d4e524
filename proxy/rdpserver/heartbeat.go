package rdpserver

import (
	"context"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

const (
	// beatInterval is how often a client that knows heartbeats gets one, and one that can be measured is. The client then warns its
	// person, and later connects anew, when there are none.
	beatInterval           = 5 * time.Second
	beatsWarn, beatsReturn = 4, 12
)

// rtt measures the round trip to a client ([MS-RDPBCGR] 2.2.14.1.1).
type rtt struct {
	mu       sync.Mutex
	sequence uint16
	sent     time.Time // zero: nothing is under way
	last     time.Duration
}

// beat sends heartbeats and asks for the round trip, on the message channel.
func (c *Conn) beat(ctx context.Context) {
	flags, ch := c.link.hello.EarlyCapabilities, c.link.message
	if ch == 0 || flags&(rdp.SupportHeartbeat|rdp.SupportNetCharAutodetect) == 0 {
		return
	}
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		if c.visible() {
			_ = c.out.Add(func(b []byte) []byte {
				if flags&rdp.SupportHeartbeat != 0 {
					beat := rdp.Heartbeat{Period: uint8(beatInterval / time.Second), Warn: beatsWarn, Reconnect: beatsReturn}
					b = appendOn(b, ch, beat.Append)
				}
				if flags&rdp.SupportNetCharAutodetect != 0 {
					b = appendOn(b, ch, c.asks.request().Append)
				}
				return b
			})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (r *rtt) request() *rdp.RTTRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sequence++
	r.sent = time.Now()
	return &rdp.RTTRequest{Sequence: r.sequence}
}

// answered takes what a client sends on the message channel. What is no answer to a question of ours is passed over.
func (c *Conn) answered(data []byte) error {
	flags, body, err := rdp.DecodeSecurityHeader(data)
	if err != nil || flags&rdp.SecAutodetectRsp == 0 {
		return err
	}
	sequence, ok, err := rdp.DecodeRTTResponse(body)
	if err != nil || !ok {
		return err
	}
	r := &c.asks
	r.mu.Lock()
	defer r.mu.Unlock()
	if sequence == r.sequence && !r.sent.IsZero() {
		r.last, r.sent = time.Since(r.sent), time.Time{}
	}
	return nil
}

// RTT is the last round trip measured, zero before there was one.
func (c *Conn) RTT() time.Duration {
	c.asks.mu.Lock()
	defer c.asks.mu.Unlock()
	return c.asks.last
}
