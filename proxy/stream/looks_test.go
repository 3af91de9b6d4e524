package stream

import (
	"image"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// TestLooks: what a window uncovers is restored from what the viewer has kept, in one small message a cell, also when something has
// scrolled in that window for long, and what has never been there is sent.
func TestLooks(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.NewEncoder = newLumaEncoder }, func(r *rig) {
		r.remember()
		v := newLaneViewer()
		r.serve(r.ctx, v, MaxQueue, DropToIDR)
		r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
		for i := range 40 { // no cell like another
			r.paint(image.Rect(i*16, 0, i*16+16, 480), byte(1+i))
		}
		r.pass(3 * time.Second)
		window := image.Rect(64, 64, 520, 400)
		under := r.cut(window)
		// step makes a change, and returns the patches and the bytes of pixels that come until all is exact.
		step := func(change func()) (patches, restored, bytes uint64) {
			before := r.hub.Stats()
			change()
			r.pass(time.Second)
			after := r.hub.Stats()
			v.rest(r, 0)
			return after.Patches - before.Patches, after.Restored - before.Restored, after.PatchBytes - before.PatchBytes
		}
		const cells = 3 * 4 // under the window
		if patches, restored, bytes := step(func() { r.paint(window, 50) }); patches < cells || restored != 0 || bytes == 0 {
			t.Errorf("a window opens: %d patches, %d restored, %d bytes", patches, restored, bytes)
		}
		if patches, restored, bytes := step(func() { r.paste(under) }); patches != cells || restored != cells || bytes != 0 {
			t.Errorf("it closes: %d patches, %d restored, %d bytes, want %d restored", patches, restored, bytes, cells)
		}
		r.paint(window, 50)
		r.pass(time.Second)
		before := r.hub.Stats().Restored
		r.paste(under)
		r.pass(time.Millisecond)
		if n := r.hub.Stats().Restored - before; n != cells {
			t.Errorf("%d cells of %d are restored before it is known to be still", n, cells)
		}
		r.pass(time.Second)
		if patches, restored, bytes := step(func() { r.paint(window, 50) }); patches != cells || restored != cells || bytes != 0 {
			t.Errorf("it opens again: %d patches, %d restored, %d bytes, want %d restored", patches, restored, bytes, cells)
		}
		step(func() {
			for i := range 60 { // each picture stands for long enough to become exact
				r.paint(window, byte(60+i))
				r.pass(600 * time.Millisecond)
			}
		})
		r.pass(time.Second)
		small := image.Rect(80, 80, 96, 96)
		r.paint(small, 200)
		r.pass(time.Second)
		if patches, restored, bytes := step(func() { r.paste(under) }); patches != cells || restored != cells || bytes != 0 {
			t.Errorf("it closes after much was scrolled through: %d patches, %d restored, %d bytes, want %d restored", patches, restored, bytes, cells)
		}
		half := image.Rect(64, 64, 288, 400)
		r.paint(window, 50)
		r.pass(time.Second)
		patches, restored, bytes := step(func() {
			r.draw(half, 210)
			r.paste(cutting{image.Rect(288, 64, 520, 400), under.pix, under.size})
		})
		if restored != 8 || patches != 8+8 || bytes == 0 { // of the middle column of cells, a part is new
			t.Errorf("it closes over something new: %d patches, %d restored, %d bytes, want 16, 8 restored", patches, restored, bytes)
		}
	})
}

// TestLooksAreBounded: what a viewer is to keep is bounded, by fewer slots for a large picture and none for a larger one.
func TestLooksAreBounded(t *testing.T) {
	for _, c := range []struct {
		size  image.Point
		slots int
	}{
		{image.Pt(1, 1), MaxLooks},
		{image.Pt(1920, 1080), MaxLooks},
		{image.Pt(3840, 2160), MaxLooks},
		{image.Pt(7680, 2160), 2},
		{image.Pt(4112, 2720), 2}, // narrow cells at the edge
		{image.Pt(7680, 2400), 0},
	} {
		k := newLooks(c.size)
		if k.slots != c.slots {
			t.Errorf("%v: %d slots, want %d", c.size, k.slots, c.slots)
		}
		if kept := k.slots * len(k.cells) * cellBlocks * desktop.BlockSize * blockStride; kept > keptBytes {
			t.Errorf("%v: %d bytes are kept", c.size, kept)
		}
	}
}

// TestWhereLooksAreKept: what stood for a while stays when something else comes; what did not makes room.
func TestWhereLooksAreKept(t *testing.T) {
	size := image.Pt(300, 140)
	k := newLooks(size)
	hashes := make([]uint64, k.cols*9)
	all, other := []Part{{Blocks: image.Rect(0, 0, 16, 8)}}, []Part{{Blocks: image.Rect(3, 1, 5, 3)}}
	next, now := uint64(0), time.Minute
	show := func(parts []Part, after time.Duration) int {
		next++
		now += after
		k.each(parts, func(block int) { hashes[block] = next })
		l := k.place(0, parts, now)
		k.sent(l, parts, hashes, now)
		return l.Slot
	}
	for i, c := range []struct {
		parts []Part
		after time.Duration
		slot  int
	}{
		{all, 0, 0},
		{all, 10 * time.Second, 1},
		{all, stood - 1, 1},
		{all, stood - 1, 1},
		{all, stood, 2},
		{all, stood, 0}, // that of the first, seen longest ago
		{other, stood, 1},
		{other, stood, 2},
		{all, stood, 1}, // most blocks have had no other since
		{other, stood - 1, 1},
	} {
		if got := show(c.parts, c.after); got != c.slot {
			t.Errorf("step %d: kept in slot %d, want %d", i, got, c.slot)
		}
	}
	if c := k.cells[0]; c.turn != 10 {
		t.Errorf("turn %d after 10 looks", c.turn)
	}
}

// TestKeptIsAsSeen: a patch that is kept for further viewers goes when one of its blocks is seen to look otherwise, though nothing was taken
// since: its hashes are no longer those of its pixels.
func TestKeptIsAsSeen(t *testing.T) {
	size := image.Pt(64, 32)
	pix := make([]byte, size.X*size.Y*desktop.BytesPerPixel)
	var e exact
	e.reset(size)
	all := runs{{Y: 0, X0: 0, X1: 4}, {Y: 1, X0: 0, X1: 4}}
	e.see(pix, size, all)
	p := &Patch{Number: 1}
	e.keep(0, p, all)
	e.see(pix, size, all)
	if e.kept(0, all) != p {
		t.Fatal("the patch is gone, though all looks as it did")
	}
	pix[len(pix)-1] = 1
	e.see(pix, size, all[1:])
	if e.kept(0, all[:1]) != nil {
		t.Error("the patch is still kept")
	}
}
