// Package outbox queues whole messages for the one goroutine that writes a connection, so that whoever reads the
// connection never waits for the other side to read.
package outbox

import (
	"fmt"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// ErrFull is returned by Add at the hard cap: the other side asks and does not read. It wraps desktop.ErrProtocol.
var ErrFull = fmt.Errorf("outbox: the target reads nothing of what it asked for: %w", desktop.ErrProtocol)

// Queue holds the bytes of whole messages. It is bounded: Push waits while the soft cap is unsent, Add never waits and
// fails when the hard cap is.
type Queue struct {
	soft, hard int // bytes

	mu      sync.Mutex
	changed sync.Cond // anything below
	buf     []byte    // unsent, beginning with a whole message
	writing bool
	closed  bool
}

// New returns an empty Queue with its caps in bytes.
func New(soft, hard int) *Queue {
	q := &Queue{soft: soft, hard: hard}
	q.changed.L = &q.mu
	return q
}

// Add queues what encode appends, at once. It returns desktop.ErrNotConnected after Close and ErrFull at the hard cap.
func (q *Queue) Add(encode func(b []byte) []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.append(encode)
}

// Push is Add for callers that can wait: for room, which the writer makes, or closes the Queue.
func (q *Queue) Push(encode func(b []byte) []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) >= q.soft && !q.closed {
		q.changed.Wait()
	}
	return q.append(encode)
}

// append needs mu.
func (q *Queue) append(encode func(b []byte) []byte) error {
	if q.closed {
		return desktop.ErrNotConnected
	}
	if len(q.buf) >= q.hard {
		return ErrFull
	}
	q.buf = encode(q.buf)
	q.changed.Broadcast()
	return nil
}

// Run hands the queue to write until Close or an error of write, which closes the Queue.
func (q *Queue) Run(write func(b []byte) error) {
	var spare []byte
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.buf) == 0 && !q.closed {
			q.changed.Wait()
		}
		if q.closed {
			return
		}
		b := q.buf
		q.buf, q.writing = spare[:0], true
		q.mu.Unlock()
		err := write(b)
		clear(b) // it may hold what a person typed
		q.mu.Lock()
		q.writing = false
		if spare = b; cap(spare) > 2*q.soft {
			spare = nil // a large clipboard text came by
		}
		if err != nil {
			q.closed = true
		}
		q.changed.Broadcast()
	}
}

// Flush waits until everything is written or the time is up.
func (q *Queue) Flush(limit time.Duration) {
	late := false
	timer := time.AfterFunc(limit, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		late = true
		q.changed.Broadcast()
	})
	defer timer.Stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for (len(q.buf) > 0 || q.writing) && !q.closed && !late {
		q.changed.Wait()
	}
}

// Close makes Run return and everything queued be forgotten.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
