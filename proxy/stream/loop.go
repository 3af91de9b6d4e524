package stream

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

const (
	// maxFPS bounds FPSCap: H.264 level 6.2 carries 60 pictures a second of the largest desktop.
	maxFPS = 60
	// refineGap is the least time between two steps of refinement.
	refineGap = 100 * time.Millisecond
)

// ErrRunning is returned by a second Run.
var ErrRunning = errors.New("stream: hub was started before")

// encodeLoop is the state of Run. Only Run's goroutine touches it.
type encodeLoop struct {
	hub      *Hub
	schedule schedule
	policy   policy
	load     load

	encoder Encoder
	preset  h264.Preset
	picture picture
	dirty   bool          // damage was committed and not yet taken
	seen    time.Duration // when the first change since the last picture was, on the session's clock
	active  bool          // wanted, when last looked
	seq     uint64

	audience audience
	lanes    []*lane
	exact    exact
	recent   recent
	moving   *desktop.Damage // what large changes touched of late
	patches  uint32          // made so far

	runs, hit    runs          // reused
	convert, cpu time.Duration // of the last picture
}

// picture is what the encoder's planes show: the desktop as it was when damage was last taken.
type picture struct {
	size  image.Point
	epoch uint32 // rises with each encoder
	// owed are the blocks that changed since the last unit, by says when that is to be made; none and zero when there are none.
	owed *desktop.Damage
	by   time.Time
	// units is how many were made in this epoch, lastPTS the last one's.
	units   int
	lastPTS time.Duration
}

// runs is a set of macroblocks, for the converter and for the encoder.
type runs []pixel.Run

// Runs implements h264.Blocks.
func (r runs) Runs(fn func(y, x0, x1 int)) {
	for _, run := range r {
		fn(int(run.Y), int(run.X0), int(run.X1))
	}
}

// of returns the blocks of d, in r's memory.
func (r runs) of(d *desktop.Damage) runs {
	r = r[:0]
	d.Runs(func(y, x0, x1 int) { r = append(r, pixel.Run{Y: int32(y), X0: int32(x0), X1: int32(x1)}) })
	return r
}

// add appends a block that comes after all of r.
func (r runs) add(y, x int) runs {
	if n := len(r); n > 0 && r[n-1].Y == int32(y) && r[n-1].X1 == int32(x) {
		r[n-1].X1++
		return r
	}
	return append(r, pixel.Run{Y: int32(y), X0: int32(x), X1: int32(x + 1)})
}

// blocks calls fn with the number of each block of r, in a picture with so many in a row.
func (r runs) blocks(cols int, fn func(block int)) {
	for _, run := range r {
		for block := int(run.Y)*cols + int(run.X0); block < int(run.Y)*cols+int(run.X1); block++ {
			fn(block)
		}
	}
}

// count returns how many macroblocks r holds.
func (r runs) count() int {
	n := 0
	for _, run := range r {
		n += int(run.X1 - run.X0)
	}
	return n
}

// Run is the encode loop. The first change after stillness is encoded at once; changes that follow are paced to the frame rate
// cap and the target rate, and the last is always shown. While nothing changes, and while nobody takes units, it sleeps.
//
// It returns nil when ctx ends, after encoding what was still pending, or the encoder's error. It may be called once.
func (h *Hub) Run(ctx context.Context) error {
	if h.started.Swap(true) {
		return ErrRunning
	}
	defer close(h.done)
	l := &h.loop
	defer func() {
		if l.encoder != nil {
			_ = l.encoder.Close() // frees memory, cannot fail
		}
	}()
	return l.run(ctx)
}

func (l *encodeLoop) run(ctx context.Context) error {
	h := l.hub
	l.sawDamage() // what was drawn before Run
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		at, err := l.work(time.Now())
		if err != nil {
			return err
		}
		if !at.IsZero() {
			if wait := time.Until(at); wait > 0 || ctx.Err() != nil {
				timer.Reset(max(wait, 0))
				due = timer.C
			} else {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return l.last()
		case <-h.fb.Wake():
			l.sawDamage()
		case <-h.kick:
		case <-due:
		}
	}
}

// work does what is to be done now and returns when to come back; the zero time when there is nothing to wait for.
func (l *encodeLoop) work(now time.Time) (again time.Time, err error) {
	h := l.hub
	l.schedule.bucket.setRate(now, int(h.target.Load()))
	if n := h.patched.Swap(0); n > 0 {
		l.schedule.bucket.pour(now, int(n))
	}
	wish := l.look()
	if !l.active {
		return time.Time{}, nil
	}
	if !wish.IsZero() && !now.Before(wish) {
		h.wantIDR.Store(true)
		wish = time.Time{}
	}
	if l.dirty && l.picture.units > 0 && l.policy.eager(now, h.fb.Damaged()) {
		if err := l.take(now); err != nil {
			return time.Time{}, err
		}
	}
	if at := l.schedule.next(l.demand()); !at.IsZero() {
		if !now.Before(at) {
			return now, l.makeUnit(now)
		}
		again = at
	}
	return sooner(sooner(again, wish), l.sharpen(now)), nil
}

// look sees who is there, and returns when one of them wants an IDR, if any does.
func (l *encodeLoop) look() (wish time.Time) {
	was := l.active
	l.active, l.audience, wish, l.lanes = l.hub.look(l.lanes[:0])
	if l.active = l.active && !l.hub.fb.Blank(); l.active && !was {
		l.seen = l.hub.clock() // what changed before could not be shown to anyone
	}
	for _, lane := range l.lanes {
		if l.picture.units > 0 && lane.epoch != l.picture.epoch {
			l.welcome(lane)
		}
		if lane.late && lane.epoch == l.picture.epoch && lane.idle() {
			lane.tell(&l.picture, l.picture.lastPTS, desktop.NewDamage(l.picture.size))
		}
		if lane.room(laneRoom) > 0 {
			l.audience.room++
		}
	}
	return wish
}

// welcome begins the books of a lane that has just opened: what its viewer shows now are the units up to the last.
func (l *encodeLoop) welcome(lane *lane) {
	lane.begin(&l.picture)
	lane.tell(&l.picture, l.picture.lastPTS, desktop.NewDamage(l.picture.size))
}

func (l *encodeLoop) demand() demand {
	d := demand{dirty: l.dirty, idr: l.hub.wantIDR.Load()}
	if !l.dirty {
		d.by = l.picture.by
		d.dirty = !d.by.IsZero()
	}
	return d
}

// sawDamage notes when the first damage since the last picture came.
func (l *encodeLoop) sawDamage() {
	if !l.dirty && l.picture.by.IsZero() {
		l.seen = l.hub.clock()
	}
	l.dirty = true
}

// last encodes what was drawn and not yet shown when the Hub stops.
func (l *encodeLoop) last() error {
	select {
	case <-l.hub.fb.Wake():
		l.sawDamage()
	default:
	}
	l.look()
	if l.active && l.demand().dirty {
		return l.makeUnit(time.Now())
	}
	return nil
}

// makeUnit makes one access unit, if there is need for one, and delivers it.
func (l *encodeLoop) makeUnit(now time.Time) error {
	au, err := l.code(now)
	if au != nil {
		l.hub.deliver(now, au, func(s *Stats) {
			s.EncodeTime += l.cpu
			s.ConvertTime += l.convert
			s.QP, s.Preset = l.schedule.lastQP, l.preset
		})
	}
	return err
}

// code makes one access unit at now, nil when there is no need for one, and tells the lanes what it changes.
func (l *encodeLoop) code(now time.Time) (*h264.AccessUnit, error) {
	l.convert = 0
	if err := l.take(now); err != nil {
		return nil, err
	}
	h, p := l.hub, &l.picture
	l.runs = l.runs.of(p.owed)
	changed := l.runs.count()
	idr := l.schedule.idrDue(now, l.demand())
	qp, large := l.schedule.plan(now, changed, idr)
	p.by = time.Time{}
	if qp == 0 {
		return nil, nil // a Wake left over from damage already shown
	}
	if idr {
		h.wantIDR.Store(false)
	}
	au := &h264.AccessUnit{
		PTS: max(now.Sub(h.origin), p.lastPTS+time.Microsecond), Refine: changed == 0 && !idr,
		Width: p.size.X, Height: p.size.Y,
	}
	au.Changed = au.PTS
	if changed > 0 {
		au.Changed = min(l.seen, au.PTS)
	}
	coded, err := l.encoder.Encode(h264.Frame{PTS: au.PTS, QP: qp, IDR: idr, Changed: l.runs})
	if err != nil {
		return nil, fmt.Errorf("stream: picture %d: %w", l.seq+1, err)
	}
	l.seq++
	l.cpu = coded.CPU
	au.Seq, au.Data, au.IDR = l.seq, coded.Data, coded.IDR
	l.schedule.made(now, qp, len(au.Data), au.IDR, large)
	l.told(au.PTS)
	if au.IDR || au.Refine {
		return au, nil
	}
	return au, l.setPreset(l.load.observe(now, coded.CPU, l.schedule.interval))
}

// told books a unit, and tells the lanes of it.
func (l *encodeLoop) told(pts time.Duration) {
	p := &l.picture
	p.units++
	p.lastPTS = pts
	for _, lane := range l.lanes {
		if lane.epoch != p.epoch {
			lane.begin(p)
		}
		lane.tell(p, pts, p.owed)
	}
	p.owed.Clear()
}

func (l *encodeLoop) setPreset(p h264.Preset) error {
	if p == l.preset {
		return nil
	}
	l.hub.logger.Debug("encoder preset changed", "from", l.preset.String(), "to", p.String())
	l.preset = p
	return l.encoder.SetPreset(p)
}

// take brings the planes up to what was committed, and sends it as a patch if it is small. A desktop of another size gets another
// encoder; it is opened outside the framebuffer's lock, so the size may have changed again since.
func (l *encodeLoop) take(now time.Time) error {
	for {
		fresh, err := l.openEncoder(l.hub.fb.Size())
		if err != nil {
			return err
		}
		resized := false
		l.hub.fb.Snapshot(fresh, func(pix []byte, size image.Point, d *desktop.Damage) {
			if resized = size != l.picture.size; resized {
				return
			}
			if fresh {
				l.picture.owed.AddAll()
				d = l.picture.owed
			}
			err = l.absorb(now, pix, d)
		})
		if err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		if !resized {
			l.dirty = false
			return nil
		}
	}
}

// absorb takes a change: converts it, books it, and routes it. The framebuffer is locked meanwhile. What of d turns out to be no
// change is removed from it.
func (l *encodeLoop) absorb(now time.Time, pix []byte, d *desktop.Damage) error {
	start := time.Now()
	p := &l.picture
	l.runs = l.runs.of(d)
	if p.units == 0 || l.runs.count() > l.policy.small {
		l.recent.forget(l.runs)
	} else if l.recent.take(pix, d); d.Empty() {
		return nil
	}
	l.runs = l.runs.of(d)
	err := pixel.Convert(l.encoder.Planes(), pixel.Source{
		Pix: pix, Stride: p.size.X * desktop.BytesPerPixel, Width: p.size.X, Height: p.size.Y,
	}, l.runs)
	if err != nil {
		return err
	}
	l.convert += time.Since(start)
	p.owed.Union(d)
	l.exact.touch(l.runs, now.Sub(l.hub.origin))
	for _, lane := range l.lanes {
		if lane.epoch == p.epoch {
			lane.changed(d)
		}
	}
	within := l.policy.inMotion(now) && l.moving.Intersects(d)
	if !l.policy.inMotion(now) {
		l.moving.Clear()
	}
	route := l.policy.change(now, l.runs.count(), within, l.audience)
	if l.policy.inMotion(now) && !route.patch {
		l.moving.Union(d)
	}
	switch {
	case p.units == 0:
		route.video = now
	case route.patch:
		l.patch(pix)
	default:
		l.recall(pix, d, now.Sub(l.hub.origin))
	}
	p.by = sooner(p.by, route.video)
	return nil
}

// patch sends what is in runs to every lane with room: only the pixels that changed where the viewer has the rest.
func (l *encodeLoop) patch(pix []byte) {
	l.patches++
	parts, trimmed := l.recent.parts(l.runs)
	p := l.newPatch(l.patches, parts)
	p.Fill(pix)
	whole := p
	for _, lane := range l.lanes {
		switch {
		case lane.room(laneRoom) == 0:
		case lane.has(p):
			lane.send(laneItem{patch: p}, l.runs)
		default:
			if trimmed && whole == p {
				whole = l.newPatch(l.patches, wholeParts(rectangles(l.runs), p.Size))
				whole.Fill(pix)
			}
			lane.send(laneItem{patch: whole}, l.runs)
		}
	}
	l.recent.shown(l.runs, l.patches)
}

// recall restores, where viewers have kept how a cell looks of which something in d has just changed, all that has: a window has closed,
// and what it uncovers need not wait until it has been still.
func (l *encodeLoop) recall(pix []byte, d *desktop.Damage, clock time.Duration) {
	e := &l.exact
	hash := func(block int) uint64 { return e.seeBlock(pix, l.picture.size, block) }
	for cell := range e.cells {
		rs := e.still(d, cell, clock)
		if len(rs) == 0 {
			continue
		}
		for _, lane := range l.lanes {
			if lane.epoch != l.picture.epoch || !lane.looks.keeps() || lane.room(maxLaneQueue/2) == 0 { // the rest is for letters
				continue
			}
			if look, ok := lane.looks.findAll(cell, rs, hash); ok {
				lane.restore(l.newRestored(rs), look, rs, e.look, clock)
			}
		}
	}
}

// newRestored returns a patch of blocks of which viewers have the pixels.
func (l *encodeLoop) newRestored(rs runs) *Patch {
	l.patches++
	return l.newPatch(l.patches, wholeParts(rectangles(rs), l.picture.size))
}

func (l *encodeLoop) newPatch(number uint32, parts []Part) *Patch {
	return &Patch{
		Number: number, Epoch: l.picture.epoch, After: l.picture.lastPTS, Size: l.picture.size, Parts: parts,
		onCoded: func(n int) { l.hub.patched.Add(int64(n)) },
	}
}

// sharpen sends each lane that has nothing else to do a cell of what has been still, and returns when to come back; the zero time
// when there is nothing to wait for.
func (l *encodeLoop) sharpen(now time.Time) (again time.Time) {
	if l.picture.units == 0 {
		return time.Time{}
	}
	h := l.hub
	clock := now.Sub(h.origin)
	after, until := l.policy.still(now)
	for _, lane := range l.lanes {
		if lane.stale.Empty() || lane.isHeld() {
			continue
		}
		if free := l.schedule.bucket.belowAt(freePressure); now.Before(free) {
			again = sooner(again, free)
			continue
		}
		cell, rs, at := l.exact.pick(lane.stale, clock, after)
		switch {
		case cell < 0:
			again = sooner(again, sooner(until, later(h.origin.Add(at), now.Add(exactGap))))
		case lane.idle() && !l.still(lane, cell, rs, clock): // it tells when it is idle
			again = sooner(again, now.Add(exactGap))
		}
	}
	return again
}

// still has a lane show blocks of a cell as they are, those that its viewer keeps first if it does; the rest stays stale. It
// reports false when the desktop has another size by now.
func (l *encodeLoop) still(lane *lane, cell int, rs runs, clock time.Duration) bool {
	e := &l.exact
	var look Look
	p := e.kept(cell, rs)
	if p == nil || p.After < lane.belated {
		p = nil
		same := false
		l.hub.fb.View(func(pix []byte, size image.Point) {
			if same = size == l.picture.size; !same {
				return
			}
			e.see(pix, size, rs)
			if look, l.hit = lane.looks.find(cell, rs, e.look, l.hit[:0]); look.Turn > 0 {
				return
			}
			l.patches++
			p = l.newPatch(l.patches, wholeParts(rectangles(rs), size))
			p.Fill(pix)
		})
		if !same {
			return false
		}
		l.recent.forget(rs) // the patch may be newer than what was taken
		if p != nil {
			e.keep(cell, p, rs)
		}
	} else {
		look, l.hit = lane.looks.find(cell, rs, e.look, l.hit[:0])
	}
	if look.Turn > 0 {
		lane.restore(l.newRestored(l.hit), look, l.hit, e.look, clock)
		return true
	}
	lane.sendKept(p, cell, rs, e.look, clock)
	return true
}

// openEncoder makes sure that there is an encoder for size and tells whether it is new.
func (l *encodeLoop) openEncoder(size image.Point) (fresh bool, err error) {
	if l.encoder != nil && l.picture.size == size {
		return false, nil
	}
	if l.encoder != nil {
		if err := l.encoder.Close(); err != nil {
			return false, fmt.Errorf("stream: closing the encoder of %v: %w", l.picture.size, err)
		}
		l.encoder = nil
	}
	c := l.hub.encoderConfig
	c.Width, c.Height, c.Preset = size.X, size.Y, l.load.preset()
	if l.encoder, err = l.hub.newEncoder(c); err != nil {
		return false, fmt.Errorf("stream: %w", err)
	}
	l.preset = c.Preset
	l.picture = picture{size: size, epoch: l.picture.epoch + 1, owed: desktop.NewDamage(size), lastPTS: l.picture.lastPTS}
	l.exact.reset(size)
	l.recent.reset(size, l.exact.cols, l.exact.rows)
	l.moving = desktop.NewDamage(size)
	l.schedule.reset(l.picture.owed.Cols() * l.picture.owed.Rows())
	l.hub.logger.Info("encoder opened", "width", size.X, "height", size.Y)
	return true, nil
}

// clock is the session's clock.
func (h *Hub) clock() time.Duration { return time.Since(h.origin) }
