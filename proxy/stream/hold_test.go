package stream

import (
	"image"
	"testing"
	"time"
)

// TestHoldViewer: of what is drawn while a viewer is held nothing reaches it, by either lane; the other viewer and the recorder see all of
// it, and the one that was held does afterwards.
func TestHoldViewer(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.NewEncoder = newLumaEncoder }, func(r *rig) {
		r.remember()
		person, watcher, recorder := newLaneViewer(), newLaneViewer(), &collector{}
		for _, v := range []*laneViewer{person, watcher} {
			r.serve(r.ctx, v, 64, DropToIDR)
			r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
		}
		r.serve(r.ctx, recorder, 600, Fail)
		r.settle()
		r.hub.HoldViewer(person, true)
		r.hub.HoldViewer(person, true)
		units, items, recorded := len(person.units), len(person.items), len(recorder.got())
		late := newLaneViewer()
		r.hub.HoldViewer(late, true) // before it is there
		r.serve(r.ctx, late, 64, DropToIDR)
		r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, late, late) })
		for i := range 40 { // letters, windows and stillness
			r.paint(image.Rect(i*16, 0, i*16+8, 8), byte(100+i))
			if i%8 == 0 {
				r.paint(whole, byte(100+i))
			}
			r.pass(time.Duration(40*(i%9)) * time.Millisecond)
		}
		if u, n := len(person.units)-units, len(person.items)-items; u != 0 || n != 0 {
			t.Errorf("the held viewer got %d units, %d notes and patches", u, n)
		}
		if len(late.units) != 0 || len(late.items) != 0 {
			t.Errorf("who came while held got %d units, %d notes and patches", len(late.units), len(late.items))
		}
		if n := len(recorder.got()) - recorded; n < 10 {
			t.Errorf("the recorder got %d units", n)
		}
		before := r.hub.Stats().IDRs
		r.hub.HoldViewer(person, false)
		r.hub.HoldViewer(late, false)
		r.hub.HoldViewer(person, false)
		r.pass(2 * time.Second)
		for _, v := range []*laneViewer{person, watcher, late} {
			v.mu.Lock()
			checkSequence(t, v.units)
			v.mu.Unlock()
			v.rest(r, 0)
		}
		if n := r.hub.Stats().IDRs - before; n == 0 || n > 2 {
			t.Errorf("%d IDR pictures to let two viewers go on", n)
		}
	})
}
