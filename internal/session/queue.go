package session

import (
	"context"
	"image"
	"slices"
	"sync"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// queue holds what is on its way to the target. The loop alone adds to it, so room that was seen stays; one goroutine
// empties it.
type queue struct {
	wake chan struct{} // capacity 1: there is something

	mu     sync.Mutex
	items  []act
	resize *resizeRequest // the latest, nil when there is none
	freed  chan struct{}  // closed, and replaced, when an item is taken
	closed bool
}

// act is one input event. Motion may be given up.
type act struct {
	in     desktop.Input
	motion bool
}

// resizeRequest asks the target for a size and brings the answer back.
type resizeRequest struct {
	size   image.Point
	answer chan error // capacity 1
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), freed: make(chan struct{})}
}

// room tells whether an act that is no motion can be pushed. If not, freed is closed when that may have changed.
func (q *queue) room() (ok bool, freed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) < queueItems {
		return true, q.freed
	}
	// What was done counts more than where the pointer went meanwhile.
	q.items = slices.DeleteFunc(q.items, func(a act) bool { return a.motion })
	return len(q.items) < queueItems, q.freed
}

// push adds an act. A motion replaces one it follows at once, and is dropped when there is no room; anything else is
// taken, for the caller has asked for room before, or lets go of something held, of which there is little.
func (q *queue) push(a act) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a.motion {
		if n := len(q.items); n > 0 && q.items[n-1].motion {
			q.items[n-1] = a
			return
		} else if n >= queueItems {
			return
		}
	}
	q.items = append(q.items, a)
	signal(q.wake)
}

// ask replaces the size asked for.
func (q *queue) ask(r *resizeRequest) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.resize != nil {
		q.resize.answer <- nil // a later wish counts
	}
	q.resize = r
	signal(q.wake)
}

// close makes next end once everything is taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	signal(q.wake)
}

// next waits for the next act or size. Both are unset when ctx has ended, or the queue is closed and empty.
func (q *queue) next(ctx context.Context) (desktop.Input, *resizeRequest) {
	for {
		q.mu.Lock()
		if r := q.resize; r != nil {
			q.resize = nil
			q.mu.Unlock()
			return nil, r
		}
		if len(q.items) > 0 {
			in := q.items[0].in
			q.items = slices.Delete(q.items, 0, 1)
			close(q.freed)
			q.freed = make(chan struct{})
			q.mu.Unlock()
			return in, nil
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil, nil
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// signal wakes the receiver of a channel of capacity 1, once.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
