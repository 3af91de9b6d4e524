package webrtcserver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tail has losses at the end of what was sent on the patches' channel noticed soon.
//
// SCTP learns of a lost packet by what arrives behind it. Behind the last one of a change there is nothing, and its timeout is a
// second at least, for whatever link. So where packets were lost of late, the last small messages are sent twice, which saves most
// of them the round trip too, and a few probes follow for as long as something is not acknowledged. On a link that loses nothing, none of
// this happens.
type tail struct {
	channel binarySender
	lost    func() time.Time // when the link last lost a packet
	sent    chan struct{}    // capacity 1, never closed: something was sent over a link that loses packets

	mu    sync.Mutex
	at    time.Time // when the last message was sent
	small [][]byte  // the last messages, if they are small: at most tailBytes
	bytes int
}

// tailSteps are the times after the last message at which something follows it, while it is not acknowledged. Where
// repeat is set, small messages are sent again.
var tailSteps = []struct {
	after  time.Duration
	repeat bool
}{
	{20 * time.Millisecond, true},
	{40 * time.Millisecond, false},
	{80 * time.Millisecond, false},
	{160 * time.Millisecond, true},
	{320 * time.Millisecond, false},
}

const (
	// lossyFor is how long after a loss the next is expected.
	lossyFor = 20 * time.Second
	// tailMessage is the largest message that is sent again, in bytes: it fits into a packet. tailBytes is what is, in all.
	tailMessage, tailBytes = 1100, 3300
	// tailAge is how old what is sent again may be: what is older is acknowledged, or SCTP knows.
	tailAge = 60 * time.Millisecond
)

// probeMessage says nothing (PROTOCOL.md).
var probeMessage = []byte{kindProbe}

func newTail(channel binarySender, lost func() time.Time) *tail {
	return &tail{channel: channel, lost: lost, sent: make(chan struct{}, 1)}
}

// note books a message that was sent now.
func (t *tail) note(msg []byte) {
	now := time.Now()
	if now.Sub(t.lost()) > lossyFor {
		return
	}
	t.mu.Lock()
	if now.Sub(t.at) > tailAge {
		t.small, t.bytes = nil, 0
	}
	t.at = now
	if len(msg) <= tailMessage {
		t.small, t.bytes = append(t.small, append([]byte(nil), msg...)), t.bytes+len(msg)
		for t.bytes > tailBytes {
			t.bytes -= len(t.small[0])
			t.small = t.small[1:]
		}
	}
	t.mu.Unlock()
	signal(t.sent)
}

// quiet is how long ago the last message was sent.
func (t *tail) quiet() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Since(t.at)
}

// messages are what follows the last message at a step.
func (t *tail) messages(repeat bool) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !repeat || len(t.small) == 0 {
		return [][]byte{probeMessage}
	}
	return t.small
}

// run follows what is sent until ctx ends.
func (t *tail) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	next := len(tailSteps) // the step the timer runs for; len(tailSteps) when it does not run
	for {
		select {
		case <-t.sent:
			if next == len(tailSteps) {
				timer.Reset(tailSteps[0].after)
			}
			next = 0
		case <-timer.C:
			step := tailSteps[next]
			if wait := step.after - t.quiet(); wait > 0 { // more was sent: the timer is not reset for each
				timer.Reset(wait)
				continue
			}
			if t.channel.BufferedAmount() == 0 {
				next = len(tailSteps) // all is there
				continue
			}
			for _, msg := range t.messages(step.repeat) {
				if t.channel.Send(msg) != nil {
					return // the channel is closed
				}
			}
			if next++; next < len(tailSteps) {
				timer.Reset(tailSteps[next].after - t.quiet())
			}
		case <-ctx.Done():
			return
		}
	}
}

// lossClock is when a link last lost a packet.
type lossClock struct{ ns atomic.Int64 }

func (c *lossClock) lose(now time.Time) { c.ns.Store(now.UnixNano()) }

func (c *lossClock) last() time.Time { return time.Unix(0, c.ns.Load()) }
