package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// maxLaneQueue bounds the notes and patches that wait for one lane. Notes beyond are put together into a later one.
	maxLaneQueue = 64
	// laneRoom is how many may wait before a lane counts as full: patches then go elsewhere.
	laneRoom = 8
)

// lane is the patch lane of one viewer: a bounded queue, and what the viewer is known to show exactly.
type lane struct {
	of     Sink // the viewer's units
	out    PatchSink
	signal chan struct{} // capacity 1, never closed: something was pushed
	hungry atomic.Bool   // Run waits for the queue to run empty

	mu    sync.Mutex
	queue []laneItem // at most maxLaneQueue
	busy  bool       // an item is being written

	// Owned by Run.
	epoch   uint32          // of the bitmaps
	notes   uint32          // pushed so far
	stale   *desktop.Damage // blocks not shown exactly
	untold  *desktop.Damage // blocks that units changed and no note told of
	late    bool            // a note is owed
	patchOf []uint32        // for each block the last patch of it that was sent, 0 when none was
}

// laneItem is a note or a patch.
type laneItem struct {
	note  *Note
	patch *Patch
}

func (i laneItem) write(ctx context.Context, out PatchSink) error {
	if i.note != nil {
		return out.WriteNote(ctx, i.note)
	}
	return out.WritePatch(ctx, i.patch)
}

// ServePatches serves the patch lane of the viewer whose units of takes by Serve, in the calling goroutine, until ctx ends, out
// fails, or Run has ended. While it serves, that viewer needs no picture for every small change.
func (h *Hub) ServePatches(ctx context.Context, of Sink, out PatchSink) error {
	l := &lane{of: of, out: out, signal: make(chan struct{}, 1)}
	h.addLane(l)
	defer h.removeLane(l)
	h.nudge()
	for {
		item, ok := l.pop()
		if ok {
			if err := item.write(ctx, out); err != nil {
				if cause := context.Cause(ctx); cause != nil {
					return cause
				}
				return err
			}
			h.wrote(item)
			continue
		}
		if l.hungry.Swap(false) {
			h.nudge()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.signal:
		case <-h.done:
			if !l.waits() {
				return nil
			}
		}
	}
}

// pop takes the oldest item; ok is false when there is none.
func (l *lane) pop() (item laneItem, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy = len(l.queue) > 0; !l.busy {
		return laneItem{}, false
	}
	item = l.queue[0]
	copy(l.queue, l.queue[1:])
	l.queue[len(l.queue)-1] = laneItem{}
	l.queue = l.queue[:len(l.queue)-1]
	return item, true
}

// waits tells whether there is something in the queue.
func (l *lane) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) > 0
}

// idle tells whether nothing waits and nothing is being written. Run is nudged when that is so again.
func (l *lane) idle() bool {
	l.hungry.Store(true) // before looking, lest that be missed
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) == 0 && !l.busy
}

// room tells how many more items may wait before it holds limit of them.
func (l *lane) room(limit int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, limit-len(l.queue))
}

func (l *lane) push(item laneItem) {
	l.mu.Lock()
	l.queue = append(l.queue, item)
	l.mu.Unlock()
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// begin starts the books for an epoch: the viewer has no patch yet that counts.
func (l *lane) begin(p *picture) {
	l.epoch = p.epoch
	l.stale, l.untold = desktop.NewDamage(p.size), desktop.NewDamage(p.size)
	l.stale.AddAll()
	l.patchOf = make([]uint32, l.stale.Cols()*l.stale.Rows())
}

// changed books that the target drew over blocks.
func (l *lane) changed(d *desktop.Damage) { l.stale.Union(d) }

// has tells whether the viewer was sent what a patch builds on.
func (l *lane) has(p *Patch) bool {
	cols := l.stale.Cols()
	for _, part := range p.Parts {
		for i, base := range part.Bases {
			x, y := part.Blocks.Min.X+i%part.Blocks.Dx(), part.Blocks.Min.Y+i/part.Blocks.Dx()
			if l.patchOf[y*cols+x] != base {
				return false
			}
		}
	}
	return true
}

// send pushes a patch of these blocks. There must be room.
func (l *lane) send(p *Patch, rs runs) {
	cols := l.stale.Cols()
	for _, r := range rs {
		l.stale.RemoveRun(int(r.Y), int(r.X0), int(r.X1))
		for block := int(r.Y)*cols + int(r.X0); block < int(r.Y)*cols+int(r.X1); block++ {
			l.patchOf[block] = p.Number
		}
	}
	l.push(laneItem{patch: p})
}

// tell pushes a note of what the units up to pts changed, in addition to what was not told of yet. Without room, or while the
// viewer is held, it is left to a later note.
func (l *lane) tell(p *picture, pts time.Duration, changed *desktop.Damage, held bool) {
	l.untold.Union(changed)
	if l.late = held || l.room(maxLaneQueue) == 0; l.late {
		return
	}
	l.notes++
	n := &Note{Number: l.notes, Epoch: p.epoch, PTS: pts, Size: p.size}
	cols := l.untold.Cols()
	l.untold.Runs(func(y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			patch := l.patchOf[y*cols+x]
			if l.stale.Has(x, y) {
				patch = 0 // it shows what was there before
			}
			n.addBlock(y*cols+x, patch)
		}
	})
	l.untold.Clear()
	l.push(laneItem{note: n})
}
