package vncclient

import (
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// outbox queues whole messages for one writer. It is bounded: push waits while outboxSoft bytes are unsent,
// add never waits and fails when outboxHard are.
type outbox struct {
	mu      sync.Mutex
	changed sync.Cond // anything below
	buf     []byte    // unsent, beginning with a whole message
	writing bool
	closed  bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.changed.L = &o.mu
	return o
}

// add queues what encode appends, at once. It returns desktop.ErrNotConnected after close and errOutboxFull at the cap.
func (o *outbox) add(encode func(b []byte) []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.append(encode)
}

// push is add for callers that can wait: for room, which the writer makes or gives up within writeTimeout.
func (o *outbox) push(encode func(b []byte) []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) >= outboxSoft && !o.closed {
		o.changed.Wait()
	}
	return o.append(encode)
}

// append needs mu.
func (o *outbox) append(encode func(b []byte) []byte) error {
	if o.closed {
		return desktop.ErrNotConnected
	}
	if len(o.buf) >= outboxHard {
		return errOutboxFull
	}
	o.buf = encode(o.buf)
	o.changed.Broadcast()
	return nil
}

// run hands the queue to write until close or an error of write, which closes the outbox.
func (o *outbox) run(write func(b []byte) error) {
	var spare []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.buf) == 0 && !o.closed {
			o.changed.Wait()
		}
		if o.closed {
			return
		}
		b := o.buf
		o.buf, o.writing = spare[:0], true
		o.mu.Unlock()
		err := write(b)
		o.mu.Lock()
		o.writing = false
		if spare = b; cap(spare) > 2*outboxSoft {
			spare = nil // a large clipboard text came by
		}
		if err != nil {
			o.closed = true
		}
		o.changed.Broadcast()
	}
}

// flush waits until everything is written or the time is up.
func (o *outbox) flush(limit time.Duration) {
	late := false
	timer := time.AfterFunc(limit, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		late = true
		o.changed.Broadcast()
	})
	defer timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for (len(o.buf) > 0 || o.writing) && !o.closed && !late {
		o.changed.Wait()
	}
}

// close makes run return and everything queued be forgotten.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.changed.Broadcast()
}
