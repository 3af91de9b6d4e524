package stream

import (
	"context"
	"sync"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// queue is the bounded queue between the Hub and one sink. The Hub pushes, Serve pops.
type queue struct {
	full   Overflow
	fail   context.CancelCauseFunc // ends the WriteUnit in progress when full is Fail
	signal chan struct{}           // capacity 1, never closed: something changed

	mu        sync.Mutex
	units     []*h264.AccessUnit // ring
	head, n   int
	waiting   bool // for the next IDR
	failed    bool
	delivered uint64
	dropped   uint64
}

func newQueue(size int, full Overflow, fail context.CancelCauseFunc) *queue {
	return &queue{full: full, fail: fail, signal: make(chan struct{}, 1), units: make([]*h264.AccessUnit, size), waiting: true}
}

// push adds a unit. It reports whether the queue now waits for an IDR because of this push.
func (q *queue) push(au *h264.AccessUnit) (overflowed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed || q.waiting && !au.IDR {
		return false
	}
	if q.n == len(q.units) {
		if q.full == Fail {
			q.failed = true
			q.fail(ErrOverflow)
			q.notify()
			return false
		}
		q.dropped += uint64(q.n)
		q.drop()
		if !au.IDR {
			q.dropped++
			q.waiting = true
			return true
		}
	}
	q.waiting = false
	q.units[(q.head+q.n)%len(q.units)] = au
	q.n++
	q.notify()
	return false
}

// hold makes the queue wait for the next IDR, keeping what it has.
func (q *queue) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = true
}

// pop takes the oldest unit, nil when there is none. It returns ErrOverflow once the queue has failed.
func (q *queue) pop() (*h264.AccessUnit, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed {
		return nil, ErrOverflow
	}
	if q.n == 0 {
		return nil, nil
	}
	au := q.units[q.head]
	q.units[q.head] = nil
	q.head = (q.head + 1) % len(q.units)
	q.n--
	q.delivered++
	return au, nil
}

// drop empties the ring. It needs mu.
func (q *queue) drop() {
	clear(q.units)
	q.head, q.n = 0, 0
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n == 0 && !q.failed
}

func (q *queue) notify() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (q *queue) stats() SinkStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return SinkStats{Overflow: q.full, Queued: q.n, Delivered: q.delivered, Dropped: q.dropped, WaitingForIDR: q.waiting}
}
