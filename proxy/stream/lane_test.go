package stream

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/codec/tile"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// lumaEncoder codes a picture as the luma of the first pixel of each macroblock.
type lumaEncoder struct{ fakeEncoder }

func (e *lumaEncoder) Encode(f h264.Frame) (h264.Coded, error) {
	idr := f.IDR || e.first
	e.first = false
	var data []byte
	for y := 0; y < e.planes.Height; y += desktop.BlockSize {
		for x := 0; x < e.planes.Width; x += desktop.BlockSize {
			data = append(data, e.planes.Y[y*e.planes.StrideY+x])
		}
	}
	return h264.Coded{Data: data, IDR: idr}, nil
}

func newLumaEncoder(c h264.Config) (Encoder, error) {
	return &lumaEncoder{fakeEncoder{log: &encodeLog{}, planes: pixel.NewPlanes(c.Width, c.Height), first: true}}, nil
}

// laneViewer is a viewer with a patch lane, as PROTOCOL.md of webrtcserver wants it: units, notes and patches wait until the test
// lets them arrive, in any order. A block's picture is one number, which rises with each change.
type laneViewer struct {
	mu    sync.Mutex
	gate  chan struct{} // patches wait for it while set
	units []*h264.AccessUnit
	items []laneItem // notes and patches under way

	notes map[uint32]*Note // arrived and not yet presented
	next  uint32           // number of the next note to apply
	reach time.Duration    // PTS of the last applied
	shown *h264.AccessUnit // the presented unit

	epoch uint32
	begin time.Duration // PTS of the epoch's first note
	size  image.Point
	tiles []viewTile

	seen   []byte // what each block showed at last …
	seenIn uint32 // … in which epoch
}

type viewTile struct {
	value     byte
	patch     uint32
	after     time.Duration
	changed   time.Duration // the newest presented unit that changed the block …
	asIn      uint32        // … and the patch it looks like there
	notBefore bool          // such a unit exists
}

func newLaneViewer() *laneViewer { return &laneViewer{notes: map[uint32]*Note{}, next: 1} }

func (v *laneViewer) WriteUnit(_ context.Context, au *h264.AccessUnit) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.units = append(v.units, au)
	return nil
}

func (v *laneViewer) WriteNote(_ context.Context, n *Note) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.items = append(v.items, laneItem{note: n})
	return nil
}

func (v *laneViewer) WritePatch(ctx context.Context, p *Patch) error {
	v.mu.Lock()
	gate := v.gate
	v.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.items = append(v.items, laneItem{patch: p})
	return nil
}

// arrive lets the i-th item come in.
func (v *laneViewer) arrive(i int) {
	item := v.items[i]
	v.items = slices.Delete(v.items, i, i+1)
	if item.note != nil {
		v.notes[item.note.Number] = item.note
		v.apply()
		return
	}
	p := item.patch
	if v.enter(p.Epoch, p.Size) {
		v.draw(p)
	}
}

// enter begins a newer epoch; it reports false for an older one.
func (v *laneViewer) enter(epoch uint32, size image.Point) bool {
	if epoch > v.epoch {
		v.epoch, v.size, v.begin = epoch, size, -1
		d := desktop.NewDamage(size)
		v.tiles = make([]viewTile, d.Cols()*d.Rows())
	}
	return epoch == v.epoch
}

func (v *laneViewer) cols() int { return desktop.NewDamage(v.size).Cols() }

func (v *laneViewer) draw(p *Patch) {
	parts := make([]pixel.BGRX, len(p.Rects))
	for i, r := range p.Rects {
		at := p.pixels(r)
		parts[i] = pixel.NewBGRX(at.Dx(), at.Dy())
	}
	var d tile.Decoder
	if err := d.Decode(p.Coded(), parts); err != nil {
		panic(err)
	}
	for i, r := range p.Rects {
		for y := range r.Dy() {
			for x := range r.Dx() {
				t := &v.tiles[(r.Min.Y+y)*v.cols()+r.Min.X+x]
				if p.Number > t.patch && t.current(p.Number, p.After) {
					t.value, t.patch, t.after = parts[i].Row(y * desktop.BlockSize)[x*desktop.BlockSize*4], p.Number, p.After
				}
			}
		}
	}
}

// current tells whether a patch is not older than what the presented units show.
func (t *viewTile) current(patch uint32, after time.Duration) bool {
	return !t.notBefore || after >= t.changed || t.asIn > 0 && patch >= t.asIn
}

// apply takes the notes of presented units, in order.
func (v *laneViewer) apply() {
	for {
		n := v.notes[v.next]
		if n == nil || v.shown == nil || n.PTS > v.shown.PTS {
			return
		}
		delete(v.notes, v.next)
		v.next++
		v.reach = n.PTS
		if !v.enter(n.Epoch, n.Size) {
			continue
		}
		if v.begin < 0 {
			v.begin = n.PTS
		}
		for _, g := range n.Groups {
			for _, r := range g.Runs {
				for b := r.Start; b < r.Start+r.Len; b++ {
					t := &v.tiles[b]
					t.changed, t.asIn, t.notBefore = n.PTS, g.Patch, true
					if t.patch > 0 && !t.current(t.patch, t.after) {
						t.patch = 0
					}
				}
			}
		}
	}
}

// covered tells whether the notes of all presented units have been applied.
func (v *laneViewer) covered() bool { return v.reach >= v.shown.PTS }

// compose returns what the viewer shows, nil before the first unit.
func (v *laneViewer) compose() []byte {
	if v.shown == nil {
		return nil
	}
	picture := bytes.Clone(v.shown.Data)
	if v.size != image.Pt(v.shown.Width, v.shown.Height) || v.begin < 0 || v.shown.PTS < v.begin {
		return picture
	}
	doubt := !v.covered()
	for b, t := range v.tiles {
		if t.patch > 0 && (!doubt || t.after >= v.shown.PTS) {
			picture[b] = t.value
		}
	}
	return picture
}

// present shows the n-th of the units that came.
func (v *laneViewer) present(n int) {
	v.shown = v.units[n]
	v.units = v.units[n+1:]
	v.apply()
}

// check fails when a block shows something older than the presented unit has, or than it showed before.
func (v *laneViewer) check(t *testing.T, when string) {
	t.Helper()
	picture := v.compose()
	if v.seenIn != v.epoch || len(picture) != len(v.seen) { // all tiles are void, before the video has changed its size
		v.seen, v.seenIn = bytes.Clone(v.shown.Data), v.epoch
	}
	for b, now := range picture {
		if now < v.shown.Data[b] {
			t.Fatalf("%s: block %d shows %d over video that shows %d", when, b, now, v.shown.Data[b])
		}
		if now < v.seen[b] {
			t.Fatalf("%s: block %d shows %d, and showed %d before", when, b, now, v.seen[b])
		}
	}
	v.seen = picture
}

// TestOrder drives a desktop at random, small changes and large ones, while the viewer gets units, notes and patches late and out
// of order, its link blocks, viewers are frozen, and the desktop is resized. Nothing stale is ever shown, and when all is
// still every block is exact.
func TestOrder(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 12
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testOrder(t, seed) })
	}
}

func testOrder(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	small := func(c *HubConfig) {
		c.NewEncoder = newLumaEncoder
		c.Framebuffer, _ = desktop.NewFramebuffer(image.Pt(200, 100))
	}
	inBubble(t, small, func(r *rig) {
		r.hub.loop.policy.small, r.hub.loop.policy.burst = 6, 60
		v := newLaneViewer()
		r.serve(r.ctx, v, MaxQueue, DropToIDR)
		r.serve(r.ctx, &collector{}, MaxQueue, Fail)
		ctx, stop := context.WithCancel(r.ctx)
		r.wg.Go(func() { _ = r.hub.ServePatches(ctx, v, v) })
		defer stop()
		r.paint(image.Rect(0, 0, 200, 100), 1)
		value := byte(2)
		paint := func() {
			size := r.fb.Size()
			w, h := 1+rng.IntN(3), 1+rng.IntN(2)
			if rng.IntN(4) == 0 {
				w, h = 13, 7
			}
			x, y := rng.IntN(13), rng.IntN(7)
			rect := image.Rect(x*16, y*16, (x+w)*16, (y+h)*16).Intersect(image.Rectangle{Max: size})
			if !rect.Empty() && value < 250 {
				r.paint(rect, value)
				value++
			}
		}
		for step := range 400 {
			when := fmt.Sprintf("seed %d, step %d", seed, step)
			switch rng.IntN(12) {
			case 0, 1, 2:
				paint()
			case 3, 4, 5:
				r.pass(time.Duration(rng.IntN(120)) * time.Millisecond)
			case 6:
				if rng.IntN(10) == 0 {
					r.hub.FreezeViewers(rng.IntN(2) == 0)
				}
				if rng.IntN(10) == 0 && value < 250 {
					_ = r.fb.Resize(image.Pt(150+rng.IntN(60), 100))
				}
			case 7:
				v.toggleGate(rng)
			}
			synctest.Wait()
			v.mu.Lock()
			for n := rng.IntN(4); n > 0 && len(v.items) > 0; n-- {
				v.arrive(rng.IntN(min(len(v.items), 5)))
				if v.shown != nil {
					v.check(t, when)
				}
			}
			if n := len(v.units); n > 0 && rng.IntN(3) > 0 {
				v.present(rng.IntN(n))
				v.check(t, when)
			}
			v.mu.Unlock()
		}
		r.hub.FreezeViewers(false)
		v.mu.Lock()
		if v.gate != nil {
			close(v.gate)
			v.gate = nil
		}
		v.mu.Unlock()
		r.pass(3 * time.Second)
		v.mu.Lock()
		defer v.mu.Unlock()
		for len(v.items) > 0 {
			v.arrive(0)
		}
		if n := len(v.units); n > 0 {
			v.present(n - 1)
		}
		v.check(t, "at rest")
		pix, size := r.fb.CopyPixels()
		for b, tile := range v.tiles {
			x, y := b%v.cols()*desktop.BlockSize, b/v.cols()*desktop.BlockSize
			if want := pix[(y*size.X+x)*4]; tile.patch == 0 || tile.value != want {
				t.Fatalf("seed %d: at rest block %d shows %d of patch %d, want %d exactly", seed, b, tile.value, tile.patch, want)
			}
		}
	})
}

// toggleGate blocks the link, or lets it go on.
func (v *laneViewer) toggleGate(rng *rand.Rand) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.gate != nil:
		close(v.gate)
		v.gate = nil
	case rng.IntN(4) == 0:
		v.gate = make(chan struct{})
	}
}

// TestLaneOpensLate: a viewer whose lane opens over a picture that is still and sharp gets all of it exactly.
func TestLaneOpensLate(t *testing.T) {
	inBubble(t, func(c *HubConfig) { c.NewEncoder = newLumaEncoder }, func(r *rig) {
		v := newLaneViewer()
		r.serve(r.ctx, v, 8, DropToIDR)
		r.settle()
		units := len(v.units)
		r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
		r.pass(time.Second)
		covered := 0
		for _, item := range v.items {
			if item.patch != nil {
				for _, rect := range item.patch.Rects {
					covered += rect.Dx() * rect.Dy()
				}
			}
		}
		if covered != 40*30 {
			t.Errorf("%d blocks of %d are exact", covered, 40*30)
		}
		if n := len(v.units) - units; n != 0 {
			t.Errorf("%d units for that", n)
		}
		if s := r.hub.Stats(); s.Patches == 0 || s.PatchBytes == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}
