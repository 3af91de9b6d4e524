package webrtcserver

import (
	"context"
	"sync"

	"github.com/pion/webrtc/v4"
)

// slot is a place in an outbox for something of which only the latest matters.
type slot int

const (
	slotSize slot = iota
	slotPong
	slotClipboard
	slotCursor // last: it matters least
	slots
)

// outbox is what waits to be sent on one data channel: a bounded queue of messages that must arrive, and slots
// whose latest content replaces what is not yet sent. A browser that reads slowly thus skips pointer shapes;
// one that does not read at all is ended.
type outbox struct {
	channel sender
	buffer  *buffer
	wake    chan struct{} // capacity 1, never closed

	mu    sync.Mutex
	queue [][]byte
	slots [slots][][]byte
	last  bool // nothing may be added; run ends when all is delivered
}

// sender is the part of *webrtc.DataChannel an outbox needs.
type sender interface {
	SendText(s string) error
	BufferedAmount() uint64
	SetBufferedAmountLowThreshold(th uint64)
	OnBufferedAmountLow(f func())
}

var _ sender = (*webrtc.DataChannel)(nil)

func newOutbox(channel sender) *outbox {
	return &outbox{channel: channel, buffer: newBuffer(channel), wake: make(chan struct{}, 1)}
}

// signal sets ch, whose capacity is one.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// push queues a message that must arrive. It reports false when the queue is full.
func (o *outbox) push(msg []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last {
		return true
	}
	if len(o.queue) == outboxQueue {
		return false
	}
	o.queue = append(o.queue, msg)
	signal(o.wake)
	return true
}

// put replaces the content of a slot by messages that are sent one after the other.
func (o *outbox) put(s slot, msgs ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last {
		return
	}
	o.slots[s] = msgs
	signal(o.wake)
}

// finish lets run end once all is delivered.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	signal(o.wake)
}

// next takes what is to be sent now. done is set when there is nothing and never will be.
func (o *outbox) next() (msgs [][]byte, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 {
		msgs, o.queue = o.queue, nil
		return msgs, false
	}
	for s := range o.slots {
		if len(o.slots[s]) > 0 {
			msgs, o.slots[s] = o.slots[s], nil
			return msgs, false
		}
	}
	return nil, o.last
}

// run sends until ctx ends, the channel fails, or all is delivered after finish, which it reports.
func (o *outbox) run(ctx context.Context) (finished bool) {
	for {
		msgs, done := o.next()
		if done {
			o.flush(ctx)
			return true
		}
		if msgs == nil {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return false
			}
		}
		for _, msg := range msgs {
			if !o.buffer.drain(ctx, highWater) || o.channel.SendText(string(msg)) != nil {
				return false
			}
		}
	}
}

// flush waits until the browser has everything, or flushTimeout.
func (o *outbox) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	o.channel.SetBufferedAmountLowThreshold(0)
	o.buffer.drain(ctx, 0)
}

// buffer is what a data channel has taken and not yet brought over.
type buffer struct {
	channel sender
	low     chan struct{} // capacity 1, never closed: less than lowWater is left
}

func newBuffer(channel sender) *buffer {
	b := &buffer{channel, make(chan struct{}, 1)}
	channel.SetBufferedAmountLowThreshold(lowWater)
	channel.OnBufferedAmountLow(func() { signal(b.low) })
	return b
}

// drain waits until at most n bytes are left. It reports false when ctx ended.
func (b *buffer) drain(ctx context.Context, n uint64) bool {
	for b.channel.BufferedAmount() > n {
		select {
		case <-b.low:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
