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
// of them the round trip too, and probes follow for as long as something is not acknowledged. Each acknowledgement has pion try again what was
// lost twice, two round trips later (RACK's tail loss probe), unless there is another in between: so the probes leave it the time. The second
// packet also has browsers acknowledge both at once: those of single ones wait for some 20 ms, which SCTP takes for the link's length.
// On a link that loses nothing, none of this happens.
type tail struct {
	channel binarySender
	lost    func() time.Time     // when the link last lost a packet
	trip    func() time.Duration // SCTP's round trip
	sent    chan struct{}        // capacity 1, never closed: something was sent over a link that loses packets

	mu    sync.Mutex
	at    time.Time // when the last message was sent
	small [][]byte  // the last messages, if they are small: at most tailBytes
	bytes int
}

const (
	// lossyFor is how long after a loss the next is expected.
	lossyFor = 20 * time.Second
	// tailRepeat is when the last small messages are sent again, tailPeriod, with tailTrips round trips, how long after one probe the next goes.
	tailRepeat, tailPeriod = 4 * time.Millisecond, 6 * time.Millisecond
	tailTrips              = 3
	// tailSteady is how many probes go at that interval; after it they become rarer, and end after tailEnd, when SCTP's own timeout has come.
	tailSteady = 5
	tailEnd    = 1500 * time.Millisecond
	// tailMessage is the largest message that is sent again, in bytes: it fits into a packet. tailBytes is what is, in all.
	tailMessage, tailBytes = 1100, 3300
	// tailAge is how old what is sent again may be: what is older is acknowledged, or SCTP knows.
	tailAge = 60 * time.Millisecond
)

// probeMessage says nothing (PROTOCOL.md).
var probeMessage = []byte{kindProbe}

func newTail(channel binarySender, lost func() time.Time, trip func() time.Duration) *tail {
	return &tail{channel: channel, lost: lost, trip: trip, sent: make(chan struct{}, 1)}
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

// again returns the last messages if they are small, else a probe.
func (t *tail) again() [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.small) == 0 {
		return [][]byte{probeMessage}
	}
	return t.small
}

// tailWait is how long after one thing that followed the last message the next does, with so many before it.
func tailWait(followed int, trip time.Duration) time.Duration {
	if followed == 1 {
		return tailPeriod + trip/3 // what is lost counts as overtaken when it was sent a quarter of a round trip before what arrived
	}
	return time.Duration(max(1, followed-tailSteady)) * (tailPeriod + tailTrips*trip)
}

// run follows what is sent until ctx ends.
func (t *tail) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	const idle = -1
	step := idle // how often something followed; idle while the timer does not run
	var trip time.Duration
	for {
		select {
		case <-t.sent:
			if step != 0 {
				timer.Reset(tailRepeat)
			}
			step = 0
		case <-timer.C:
			quiet := t.quiet()
			if step == 0 && quiet < tailRepeat { // more was sent: the timer is not reset for each
				timer.Reset(tailRepeat - quiet)
				continue
			}
			if t.channel.BufferedAmount() == 0 || quiet > tailEnd {
				step = idle
				continue
			}
			messages := [][]byte{probeMessage}
			if step == 0 {
				messages = t.again()
				trip = t.trip()
			}
			for _, msg := range messages {
				if t.channel.Send(msg) != nil {
					return // the channel is closed
				}
			}
			step++
			timer.Reset(tailWait(step, trip))
		case <-ctx.Done():
			return
		}
	}
}

// lossClock is when a link last lost a packet.
type lossClock struct{ ns atomic.Int64 }

func (c *lossClock) lose(now time.Time) { c.ns.Store(now.UnixNano()) }

func (c *lossClock) last() time.Time { return time.Unix(0, c.ns.Load()) }
