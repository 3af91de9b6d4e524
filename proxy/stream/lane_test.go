package stream

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"maps"
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
	waits []*Patch   // arrived before what they build on

	notes map[uint32]*Note // arrived and not yet presented
	next  uint32           // number of the next note to apply
	reach time.Duration    // PTS of the last applied
	shown *h264.AccessUnit // the presented unit

	epoch uint32
	begin time.Duration // PTS of the epoch's first note
	size  image.Point
	tiles []viewTile

	looks map[int]*viewLooks // of each cell

	unitOf map[image.Point]int // the state of each block (rig.past) that the presented unit has, at least
	seen   map[image.Point]int // the state that it showed at last, at least …
	seenIn uint32              // … in which epoch …
	seenOf int                 // … over a unit of which width
}

// viewLooks are the looks of a cell that a viewer keeps.
type viewLooks struct {
	turn    uint32 // of the last that was kept or restored
	waiting map[uint32]func()
	slots   [MaxLooks]map[image.Point]*blockPixels
}

type blockPixels [desktop.BlockSize * desktop.BlockSize]byte // blue

type viewTile struct {
	pix       blockPixels
	has       uint32 // the patch that pix is of
	patch     uint32 // the same while it may be shown, else 0
	after     time.Duration
	changed   time.Duration // the newest presented unit that changed the block …
	asIn      uint32        // … and the patch it looks like there
	notBefore bool          // such a unit exists
}

var _ LookKeeper = (*laneViewer)(nil)

func newLaneViewer() *laneViewer {
	return &laneViewer{notes: map[uint32]*Note{}, next: 1, unitOf: map[image.Point]int{}}
}

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
	return v.take(ctx, laneItem{patch: p})
}

func (v *laneViewer) WriteKept(ctx context.Context, p *Patch, l Look) error {
	return v.take(ctx, laneItem{patch: p, look: l})
}

func (v *laneViewer) WriteRestored(ctx context.Context, p *Patch, l Look) error {
	return v.take(ctx, laneItem{patch: p, look: l, restored: true})
}

// take takes a patch, once the gate is open.
func (v *laneViewer) take(ctx context.Context, item laneItem) error {
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
	v.items = append(v.items, item)
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
	if v.enter(item.patch.Epoch, item.patch.Size) && item.look.Turn > 0 {
		v.inTurn(item.look, func(s map[image.Point]*blockPixels) {
			if item.restored {
				v.draw(item.patch, s)
				return
			}
			maps.Copy(s, decoded(item.patch))
		})
	}
	if item.restored {
		return
	}
	v.waits = append(v.waits, item.patch)
	for i := 0; i < len(v.waits); i++ {
		if p := v.waits[i]; v.enter(p.Epoch, p.Size) && !v.ready(p) {
			continue
		} else if p.Epoch == v.epoch {
			v.draw(p, decoded(p))
		}
		v.waits = slices.Delete(v.waits, i, i+1)
		i = -1 // others may build on it
	}
}

// ready tells whether a patch that changes what the viewer has can be drawn: each block is as its base, or newer than the patch.
func (v *laneViewer) ready(p *Patch) bool {
	for _, part := range p.Parts {
		for i, base := range part.Bases {
			t := &v.tiles[(part.Blocks.Min.Y+i/part.Blocks.Dx())*v.cols()+part.Blocks.Min.X+i%part.Blocks.Dx()]
			if t.has != base && t.has < p.Number {
				return false
			}
		}
	}
	return true
}

// enter begins a newer epoch; it reports false for an older one.
func (v *laneViewer) enter(epoch uint32, size image.Point) bool {
	if epoch > v.epoch {
		v.epoch, v.size, v.begin = epoch, size, -1
		d := desktop.NewDamage(size)
		v.tiles = make([]viewTile, d.Cols()*d.Rows())
		v.looks = map[int]*viewLooks{}
	}
	return epoch == v.epoch
}

func (v *laneViewer) cols() int { return desktop.NewDamage(v.size).Cols() }

// inTurn calls fn with the slot of a look, once those of the cell before it have had their turn.
func (v *laneViewer) inTurn(l Look, fn func(slot map[image.Point]*blockPixels)) {
	k := v.looks[l.Cell]
	if k == nil {
		k = &viewLooks{waiting: map[uint32]func(){}}
		for i := range k.slots {
			k.slots[i] = map[image.Point]*blockPixels{}
		}
		v.looks[l.Cell] = k
	}
	k.waiting[l.Turn] = func() { fn(k.slots[l.Slot]) }
	for next := k.waiting[k.turn+1]; next != nil; next = k.waiting[k.turn+1] {
		k.turn++
		delete(k.waiting, k.turn)
		next()
	}
}

// decoded returns what a patch brings: the pixels of each block that are in it.
func decoded(p *Patch) map[image.Point]*blockPixels {
	parts := make([]pixel.BGRX, len(p.Parts))
	for i, part := range p.Parts {
		parts[i] = pixel.NewBGRX(part.Pixels.Dx(), part.Pixels.Dy())
	}
	var d tile.Decoder
	if err := d.Decode(p.Coded(), parts); err != nil {
		panic(err)
	}
	blocks := map[image.Point]*blockPixels{}
	for i, part := range p.Parts {
		for y := part.Blocks.Min.Y; y < part.Blocks.Max.Y; y++ {
			for x := part.Blocks.Min.X; x < part.Blocks.Max.X; x++ {
				b := new(blockPixels)
				blocks[image.Pt(x, y)] = b
				origin := image.Pt(x, y).Mul(desktop.BlockSize)
				in := blockPlace(x, y, p.Size).Intersect(part.Pixels)
				for py := in.Min.Y; py < in.Max.Y; py++ {
					from := parts[i].Row(py - part.Pixels.Min.Y)
					for px := in.Min.X; px < in.Max.X; px++ {
						b[(py-origin.Y)*desktop.BlockSize+px-origin.X] = from[(px-part.Pixels.Min.X)*4]
					}
				}
			}
		}
	}
	return blocks
}

// draw draws a patch whose blocks have these pixels.
func (v *laneViewer) draw(p *Patch, blocks map[image.Point]*blockPixels) {
	for _, part := range p.Parts {
		for y := part.Blocks.Min.Y; y < part.Blocks.Max.Y; y++ {
			for x := part.Blocks.Min.X; x < part.Blocks.Max.X; x++ {
				t := &v.tiles[y*v.cols()+x]
				if p.Number <= t.has {
					continue
				}
				pix := blocks[image.Pt(x, y)]
				if pix == nil {
					panic(fmt.Sprintf("patch %d has no pixels of block (%d,%d)", p.Number, x, y))
				}
				in := blockPlace(x, y, p.Size).Intersect(part.Pixels).Sub(image.Pt(x, y).Mul(desktop.BlockSize))
				for py := in.Min.Y; py < in.Max.Y; py++ {
					copy(t.pix[py*desktop.BlockSize+in.Min.X:py*desktop.BlockSize+in.Max.X], pix[py*desktop.BlockSize+in.Min.X:])
				}
				t.has, t.patch = p.Number, 0
				if t.current(p.Number, p.After) {
					t.patch, t.after = p.Number, p.After
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
			picture[b] = t.pix[0]
		}
	}
	return picture
}

// present shows the n-th of the units that came.
func (v *laneViewer) present(r *rig, n int) {
	for _, au := range v.units[:n+1] {
		for b, luma := range au.Data {
			at := blockAt(b, au.Width)
			v.unitOf[at] = max(0, r.state(at, v.unitOf[at], luma))
		}
	}
	v.shown = v.units[n]
	v.units = v.units[n+1:]
	v.apply()
}

// blockAt returns the place of a block in a picture of a width.
func blockAt(block, width int) image.Point {
	cols := (width + desktop.BlockSize - 1) / desktop.BlockSize
	return image.Pt(block%cols, block/cols)
}

// check fails when a block shows something older than the presented unit has, or than it showed before.
func (v *laneViewer) check(r *rig, when string) {
	r.t.Helper()
	picture := v.compose()
	if v.seenIn != v.epoch || v.seenOf != v.shown.Width { // all tiles are void, before the video has changed its size
		v.seen, v.seenIn, v.seenOf = maps.Clone(v.unitOf), v.epoch, v.shown.Width
	}
	for b, now := range picture {
		at := blockAt(b, v.shown.Width)
		if r.state(at, v.unitOf[at], now) < 0 {
			r.t.Fatalf("%s: block %v shows %d over video that shows %d: %v from %d", when, at, now, v.shown.Data[b], r.past[at], v.unitOf[at])
		}
		state := r.state(at, v.seen[at], now)
		if state < 0 {
			r.t.Fatalf("%s: block %v shows %d, and showed something newer before: %v from %d", when, at, now, r.past[at], v.seen[at])
		}
		v.seen[at] = state
	}
}

// TestOrder drives a desktop at random, small changes and large ones, while the viewer gets units, notes and patches late and out
// of order, its link blocks, viewers are frozen, and the desktop is resized. Nothing stale is ever shown, and when all is
// still every block is exact.
func TestOrder(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 12
	}
	restored := uint64(0)
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { restored += testOrder(t, seed) })
	}
	if restored < 2*seeds {
		t.Errorf("%d patches were restored from what viewers had kept, in %d runs: too few to say anything", restored, seeds)
	}
}

// testOrder returns how many patches were restored.
func testOrder(t *testing.T, seed uint64) (restored uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	small := func(c *HubConfig) {
		c.NewEncoder = newLumaEncoder
		c.Framebuffer, _ = desktop.NewFramebuffer(image.Pt(300, 140)) // four cells
	}
	inBubble(t, small, func(r *rig) {
		r.remember()
		r.hub.loop.policy.small, r.hub.loop.policy.burst = 6, 60
		viewers := []*laneViewer{newLaneViewer(), newLaneViewer()}
		for _, v := range viewers {
			r.serve(r.ctx, v, MaxQueue, DropToIDR)
			r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
		}
		r.serve(r.ctx, &collector{}, MaxQueue, Fail)
		r.paint(image.Rectangle{Max: r.fb.Size()}, 1)
		value := byte(2)
		var under []cutting // of windows that lie over each other
		paint := func() {
			size := r.fb.Size()
			w, h := 1+rng.IntN(3), 1+rng.IntN(2)
			x, y := rng.IntN(2), rng.IntN(2) // most changes meet where others were
			switch rng.IntN(8) {
			case 0:
				w, h = 19, 9
			case 1, 2:
				x, y = rng.IntN(19), rng.IntN(9)
			}
			rect := image.Rect(x*16, y*16, (x+w)*16, (y+h)*16).Intersect(image.Rectangle{Max: size})
			switch {
			case rect.Empty() || value >= 250:
				return
			case rng.IntN(8) == 0: // draws what is there already
				if err := r.fb.Draw(rect, func([]byte, int) {}); err != nil {
					t.Fatal(err)
				}
			case rng.IntN(2) == 0:
				r.paint(rect, value)
			default: // a part of each block, the first pixel included
				part := image.Rectangle{Max: image.Pt(1+rng.IntN(16), 1+rng.IntN(16))}
				for y := rect.Min.Y; y < rect.Max.Y; y += 16 {
					for x := rect.Min.X; x < rect.Max.X; x += 16 {
						if at := part.Add(image.Pt(x, y)).Intersect(rect); !at.Empty() {
							r.draw(at, value)
						}
					}
				}
				r.fb.Commit()
			}
			value++
		}
		for step := range 400 {
			when := fmt.Sprintf("seed %d, step %d", seed, step)
			v := viewers[rng.IntN(2)]
			switch rng.IntN(12) {
			case 0, 1, 2:
				paint()
			case 3, 4, 5:
				r.pass(time.Duration(rng.IntN(120)) * time.Millisecond)
			case 6:
				if rng.IntN(10) == 0 {
					r.hub.FreezeViewers(rng.IntN(2) == 0)
				}
				if rng.IntN(5) == 0 {
					r.hub.HoldViewer(viewers[rng.IntN(len(viewers))], rng.IntN(2) == 0)
				}
				if rng.IntN(10) == 0 && value < 250 {
					width := r.fb.Size().X // no block may turn black: their numbers must rise
					_ = r.fb.Resize(image.Pt(width-rng.IntN((width-1)%16+1)+rng.IntN(2)*rng.IntN(16), 140))
					r.note()
					under = nil
				}
			case 7:
				v.toggleGate(rng)
			case 8, 9: // a window opens, or closes, over what is then most often still there
				n := len(under)
				switch {
				case n > 0 && (n > 2 || rng.IntN(2) == 0):
					r.paste(under[n-1])
					under = under[:n-1]
				case value < 240:
					at := image.Pt(rng.IntN(3), rng.IntN(3)).Mul(16)
					under = append(under, r.cut(image.Rectangle{Min: at, Max: at.Add(image.Pt(160, 80))}))
					r.paint(under[n].rect, value)
					value++
				}
				r.pass(time.Duration(rng.IntN(500)) * time.Millisecond)
			case 10:
				if rng.IntN(4) == 0 && value < 240 { // a small change in motion, and one that is taken back while it is sharpened
					r.paint(image.Rect(0, 0, 96, 96), value)
					r.pass(40 * time.Millisecond)
					r.paint(image.Rect(0, 0, 32, 16), value+1)
					r.pass(40 * time.Millisecond)
					r.waver(image.Rect(8, 8, 16, 16))
					value += 2
				}
			}
			synctest.Wait()
			v.mu.Lock()
			for n := rng.IntN(4); n > 0 && len(v.items) > 0; n-- {
				v.arrive(rng.IntN(min(len(v.items), 5)))
				if v.shown != nil {
					v.check(r, when)
				}
			}
			if n := len(v.units); n > 0 && rng.IntN(3) > 0 {
				v.present(r, rng.IntN(n))
				v.check(r, when)
			}
			v.mu.Unlock()
		}
		r.hub.FreezeViewers(false)
		for _, v := range viewers {
			r.hub.HoldViewer(v, false)
			v.open()
		}
		r.pass(3 * time.Second)
		for _, v := range viewers {
			v.rest(r, seed)
		}
		restored = r.hub.Stats().Restored
	})
	return restored
}

// cutting is a part of the picture.
type cutting struct {
	rect image.Rectangle
	pix  []byte // the whole picture
	size image.Point
}

func (r *rig) cut(rect image.Rectangle) cutting {
	pix, size := r.fb.CopyPixels()
	return cutting{rect.Intersect(image.Rectangle{Max: size}), pix, size}
}

// paste draws what was cut out, and commits.
func (r *rig) paste(c cutting) {
	r.t.Helper()
	err := r.fb.Draw(c.rect, func(pix []byte, stride int) {
		for y := c.rect.Min.Y; y < c.rect.Max.Y; y++ {
			copy(pix[y*stride+c.rect.Min.X*4:y*stride+c.rect.Max.X*4], c.pix[(y*c.size.X+c.rect.Min.X)*4:])
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.note()
	r.fb.Commit()
}

// waver draws something, and some time later what was there before, in one update.
func (r *rig) waver(rect image.Rectangle) {
	r.t.Helper()
	before := r.cut(rect)
	r.draw(rect, before.pix[(rect.Min.Y*before.size.X+rect.Min.X)*4]+1)
	r.pass(200 * time.Millisecond)
	r.paste(before)
}

// open lets the link go on.
func (v *laneViewer) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gate != nil {
		close(v.gate)
		v.gate = nil
	}
}

// rest lets all arrive, and fails unless every block is then exact.
func (v *laneViewer) rest(r *rig, seed uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.items) > 0 {
		v.arrive(0)
	}
	if n := len(v.units); n > 0 {
		v.present(r, n-1)
	}
	v.check(r, "at rest")
	pix, size := r.fb.CopyPixels()
	for b, tile := range v.tiles {
		for i, got := range tile.pix {
			x, y := b%v.cols()*desktop.BlockSize+i%desktop.BlockSize, b/v.cols()*desktop.BlockSize+i/desktop.BlockSize
			if !image.Pt(x, y).In(image.Rectangle{Max: size}) {
				continue
			}
			if want := pix[(y*size.X+x)*4]; tile.patch == 0 || got != want {
				r.t.Fatalf("seed %d: at rest block %d shows %d of patch %d at (%d,%d), want %d exactly", seed, b, got, tile.patch, x, y, want)
			}
		}
	}
}

// toggleGate blocks the link, or lets it go on.
func (v *laneViewer) toggleGate(rng *rand.Rand) {
	if rng.IntN(4) == 0 {
		v.open()
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gate == nil && rng.IntN(4) == 0 {
		v.gate = make(chan struct{})
	}
}

// TestOnlyWhatChanged: a letter is a few pixels of its block, for a viewer that has the rest; one that missed patches gets all of it,
// and what is drawn again as it was goes nowhere.
func TestOnlyWhatChanged(t *testing.T) {
	small := func(c *HubConfig) {
		c.NewEncoder = newLumaEncoder
		c.Framebuffer, _ = desktop.NewFramebuffer(image.Pt(200, 100))
	}
	inBubble(t, small, func(r *rig) {
		r.remember()
		r.hub.loop.policy.small = 6
		good, slow := newLaneViewer(), newLaneViewer()
		for _, v := range []*laneViewer{good, slow} {
			r.serve(r.ctx, v, MaxQueue, DropToIDR)
			r.wg.Go(func() { _ = r.hub.ServePatches(r.ctx, v, v) })
		}
		r.serve(r.ctx, &collector{}, MaxQueue, Fail) // goes on while viewers are frozen
		r.paint(image.Rect(0, 0, 200, 100), 1)
		r.pass(time.Second)
		value := byte(2)
		letter := func(v *laneViewer) image.Rectangle {
			v.mu.Lock()
			n := len(v.items)
			v.mu.Unlock()
			r.paint(image.Rect(36, 20, 40, 30), value)
			value++
			r.pass(50 * time.Millisecond)
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, item := range v.items[n:] {
				if item.patch != nil {
					return item.patch.Parts[0].Pixels
				}
			}
			return image.Rectangle{}
		}
		block, change := image.Rect(32, 16, 48, 32), image.Rect(36, 20, 40, 30)
		if got := letter(good); got != block {
			t.Errorf("the first letter in a block comes with %v, want %v", got, block)
		}
		if got := letter(good); got != change {
			t.Errorf("the second letter in a block comes with %v, want %v", got, change)
		}
		slow.mu.Lock()
		slow.gate = make(chan struct{})
		slow.mu.Unlock()
		for range 40 { // longer than its queue
			if got := letter(good); got != change {
				t.Fatalf("beside a slow viewer a letter comes with %v, want %v", got, change)
			}
		}
		slow.open()
		r.pass(time.Millisecond)
		if got := letter(slow); got != block {
			t.Errorf("after it missed some, a letter comes with %v, want %v", got, block)
		}
		if got := letter(slow); got != change {
			t.Errorf("the next letter comes with %v, want %v", got, change)
		}
		patches := r.hub.Stats().Patches
		value--
		if got := letter(good); got != (image.Rectangle{}) || r.hub.Stats().Patches != patches {
			t.Errorf("what was there already comes with %v", got)
		}
		r.pass(time.Second)

		r.hub.FreezeViewers(true)
		r.paint(image.Rect(33, 17, 35, 19), value)
		r.pass(90 * time.Millisecond)
		r.hub.FreezeViewers(false)
		if got := letter(good); got != block {
			t.Errorf("after a change that no patch brought a letter comes with %v, want %v", got, block)
		}
		r.pass(time.Second)

		before := value - 1
		r.paint(image.Rect(0, 0, 200, 100), value)
		r.pass(40 * time.Millisecond) // before it is sharpened
		r.draw(block, 1)
		r.draw(image.Rect(33, 17, 35, 19), before)
		r.paint(change, before) // as it was before all
		r.pass(time.Second)
		for _, v := range []*laneViewer{good, slow} {
			v.rest(r, 0)
		}
	})
}

// TestRecentIsBounded: the blocks that are remembered are the last ones, each where it is looked for.
func TestRecentIsBounded(t *testing.T) {
	size := image.Pt(640, 480)
	d := desktop.NewDamage(size)
	var r recent
	r.reset(size, d.Cols(), d.Rows())
	pix := make([]byte, size.X*size.Y*desktop.BytesPerPixel)
	for block := range d.Cols() * d.Rows() {
		d.AddRun(block/d.Cols(), block%d.Cols(), block%d.Cols()+1)
		r.take(pix, d)
		if d.Empty() {
			t.Fatalf("block %d was not remembered and counts as unchanged", block)
		}
		d.Clear()
	}
	if len(r.all) != maxRecent {
		t.Errorf("%d blocks are remembered, want %d", len(r.all), maxRecent)
	}
	known := 0
	for block, slot := range r.slot {
		if slot == 0 {
			continue
		}
		known++
		if got := r.all[slot-1].block; got != block {
			t.Fatalf("block %d is remembered as %d", block, got)
		}
	}
	if known != maxRecent {
		t.Errorf("%d blocks are found, want %d", known, maxRecent)
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
				for _, part := range item.patch.Parts {
					covered += part.Blocks.Dx() * part.Blocks.Dy()
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
