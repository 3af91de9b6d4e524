package stream

import (
	"context"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// queue is the bounded queue between the Hub and one sink. The Hub pushes, Serve pops.
type queue struct {
	sink   Sink
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

	behind   bool          // waiting because it overflowed
	patience time.Duration // how long it then waits before it asks for an IDR
	idrAt    time.Time     // when it does
	resumed  time.Time     // when it last began with an IDR
}

const (
	// steadyAfter is how long a sink must have kept up before it may ask for an IDR at once when it falls behind.
	steadyAfter = 10 * time.Second
	// leastPatience is how long it waits otherwise, the first time; then twice as long each time, up to mostPatience. An IDR is
	// a burden for all viewers, and one that cannot carry the stream needs another at once.
	leastPatience, mostPatience = time.Second, 8 * time.Second
)

func newQueue(s Sink, size int, full Overflow, fail context.CancelCauseFunc) *queue {
	return &queue{sink: s, full: full, fail: fail, signal: make(chan struct{}, 1), units: make([]*h264.AccessUnit, size), waiting: true}
}

// push adds a unit, at now.
func (q *queue) push(now time.Time, au *h264.AccessUnit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed || q.waiting && !au.IDR {
		return
	}
	if q.n == len(q.units) {
		if q.full == Fail {
			q.failed = true
			q.fail(ErrOverflow)
			q.notify()
			return
		}
		q.dropped += uint64(q.n)
		q.drop()
		if !au.IDR {
			q.dropped++
			q.fellBehind(now)
			return
		}
	}
	if q.waiting {
		q.waiting, q.behind, q.resumed = false, false, now
	}
	q.units[(q.head+q.n)%len(q.units)] = au
	q.n++
	q.notify()
}

// fellBehind makes the queue wait for an IDR. It needs mu.
func (q *queue) fellBehind(now time.Time) {
	q.waiting, q.behind = true, true
	if now.Sub(q.resumed) >= steadyAfter {
		q.patience = 0
	} else {
		q.patience = min(max(2*q.patience, leastPatience), mostPatience)
	}
	q.idrAt = now.Add(q.patience)
}

// idrWish returns when a sink that fell behind wants an IDR, the zero time when it wants none.
func (q *queue) idrWish() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.waiting || !q.behind {
		return time.Time{}
	}
	return q.idrAt
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
