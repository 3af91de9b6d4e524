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
	held  bool       // its viewer is shown nothing: nothing is pushed

	// Owned by Run.
	epoch  uint32          // of the bitmaps
	notes  uint32          // pushed so far
	stale  *desktop.Damage // blocks not shown exactly
	untold *desktop.Damage // blocks that units changed and no note told of
	late   bool            // a note is owed
	// belated is the PTS of the last note that came late: it says of blocks that a unit up to then changed them, though it may have been
	// an earlier one. A patch made before that unit, for other viewers, would count as older than what it shows.
	belated time.Duration
	patchOf []uint32 // for each block the last patch of it that was sent, 0 when none was
	looks   looks    // that the viewer keeps
}

// laneItem is a note or a patch.
type laneItem struct {
	note  *Note
	patch *Patch
	// The lane is a LookKeeper's where it has a turn: its viewer keeps the patch in this look, or the patch is restored from there.
	look     Look
	restored bool
}

func (i laneItem) write(ctx context.Context, out PatchSink) error {
	if i.note != nil {
		return out.WriteNote(ctx, i.note)
	}
	keeper, ok := out.(LookKeeper)
	switch {
	case !ok || i.look.Turn == 0:
		return out.WritePatch(ctx, i.patch)
	case i.restored:
		return keeper.WriteRestored(ctx, i.patch, i.look)
	}
	return keeper.WriteKept(ctx, i.patch, i.look)
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

// room tells how many more items may wait before it holds limit of them; none while it is held.
func (l *lane) room(limit int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return 0
	}
	return max(0, limit-len(l.queue))
}

// shut holds the lane, or lets it go on. What is in its queue is still written.
func (l *lane) shut(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = held
}

// isHeld tells whether the viewer is shown nothing.
func (l *lane) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// push adds an item, unless the lane is held: that may have come after whoever pushes has looked, and then the item is too new.
func (l *lane) push(item laneItem) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held {
		return false
	}
	l.queue = append(l.queue, item)
	select {
	case l.signal <- struct{}{}:
	default:
	}
	return true
}

// begin starts the books for an epoch: the viewer has no patch yet that counts.
func (l *lane) begin(p *picture) {
	l.epoch = p.epoch
	l.stale, l.untold = desktop.NewDamage(p.size), desktop.NewDamage(p.size)
	l.stale.AddAll()
	l.patchOf = make([]uint32, l.stale.Cols()*l.stale.Rows())
	if _, ok := l.out.(LookKeeper); ok {
		l.looks = newLooks(p.size)
	}
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

// send pushes a patch of these blocks. There must be room. They stay stale, and it reports false, where the lane was held just now.
func (l *lane) send(item laneItem, rs runs) bool {
	if !l.push(item) {
		return false
	}
	for _, r := range rs {
		l.stale.RemoveRun(int(r.Y), int(r.X0), int(r.X1))
	}
	rs.blocks(l.stale.Cols(), func(block int) { l.patchOf[block] = item.patch.Number })
	return true
}

// sendKept is send of a patch that shows blocks of a cell as they are, which the viewer keeps if it keeps anything. hashes are of all
// blocks of the picture, now is on the session's clock.
func (l *lane) sendKept(p *Patch, cell int, rs runs, hashes []uint64, now time.Duration) {
	if !l.looks.keeps() {
		l.send(laneItem{patch: p}, rs)
		return
	}
	look := l.looks.place(cell, p.Parts, now)
	if l.send(laneItem{patch: p, look: look}, rs) {
		l.looks.sent(look, p.Parts, hashes, now)
	}
}

// restore is send of a patch whose blocks the viewer keeps in this look.
func (l *lane) restore(p *Patch, look Look, rs runs, hashes []uint64, now time.Duration) {
	if l.send(laneItem{patch: p, look: look, restored: true}, rs) {
		l.looks.sent(look, p.Parts, hashes, now)
	}
}

// tell pushes a note of what the units up to pts changed, in addition to what was not told of yet. Without room, or while the
// viewer is held, it is left to a later note.
func (l *lane) tell(p *picture, pts time.Duration, changed *desktop.Damage) {
	owed := l.late
	l.untold.Union(changed)
	if l.late = l.room(maxLaneQueue) == 0; l.late {
		return
	}
	n := &Note{Number: l.notes + 1, Epoch: p.epoch, PTS: pts, Size: p.size}
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
	if l.late = !l.push(laneItem{note: n}); l.late {
		return // it was held just now
	}
	if owed {
		l.belated = pts
	}
	l.notes++
	l.untold.Clear()
}
