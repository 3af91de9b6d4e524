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
	// budgetShare of the frame interval, one in so many, may go into coding before a faster preset is taken.
	budgetShare = 4
	// refineGap is the least time between two steps of refinement.
	refineGap = 100 * time.Millisecond
)

// ErrRunning is returned by a second Run.
var ErrRunning = errors.New("stream: hub was started before")

// encodeLoop is the state of Run. Only Run's goroutine touches it.
type encodeLoop struct {
	hub      *Hub
	schedule schedule
	load     load
	budget   time.Duration // CPU time a picture may take

	encoder Encoder
	size    image.Point // of encoder
	preset  h264.Preset
	dirty   bool          // damage was committed and not yet taken
	seen    time.Duration // when dirty was set, on the session's clock
	active  bool          // wanted, when last looked
	seq     uint64
	lastPTS time.Duration

	runs         runs          // of changed macroblocks, reused
	convert, cpu time.Duration // of the last picture
}

// runs is a set of macroblocks, for the converter and for the encoder.
type runs []pixel.Run

// Runs implements h264.Blocks.
func (r runs) Runs(fn func(y, x0, x1 int)) {
	for _, run := range r {
		fn(int(run.Y), int(run.X0), int(run.X1))
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
	l.dirty, l.seen = true, h.clock() // what was drawn before Run
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		l.schedule.bucket.setRate(time.Now(), int(h.target.Load()))
		var due <-chan time.Time
		if at := l.nextAt(); !at.IsZero() {
			wait := time.Until(at)
			if wait <= 0 {
				if err := l.picture(); err != nil {
					return err
				}
				if ctx.Err() == nil {
					continue
				}
			}
			timer.Reset(max(wait, 0))
			due = timer.C
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

// nextAt returns when to make the next picture, the zero time when there is nothing to do.
func (l *encodeLoop) nextAt() time.Time {
	was := l.active
	if l.active = l.wanted(); !l.active {
		return time.Time{}
	}
	if !was {
		l.seen = l.hub.clock() // what changed before could not be shown to anyone
	}
	return l.schedule.next(l.demand())
}

// wanted tells whether there is something to show and someone who takes units.
func (l *encodeLoop) wanted() bool { return !l.hub.fb.Blank() && l.hub.active() }

func (l *encodeLoop) demand() demand {
	return demand{dirty: l.dirty, idr: l.hub.wantIDR.Load()}
}

// sawDamage notes when the first damage since the last picture came.
func (l *encodeLoop) sawDamage() {
	if !l.dirty {
		l.dirty, l.seen = true, l.hub.clock()
	}
}

// last encodes what was drawn and not yet shown when the Hub stops.
func (l *encodeLoop) last() error {
	select {
	case <-l.hub.fb.Wake():
		l.sawDamage()
	default:
	}
	if l.dirty && l.wanted() {
		return l.picture()
	}
	return nil
}

// picture makes one access unit, if there is need for one, and delivers it.
func (l *encodeLoop) picture() error {
	au, err := l.code(time.Now())
	if au != nil {
		l.hub.deliver(au, func(s *Stats) {
			s.EncodeTime += l.cpu
			s.ConvertTime += l.convert
			s.QP, s.Preset = l.schedule.lastQP, l.preset
		})
	}
	return err
}

// code makes one access unit at now, nil when there is no need for one.
func (l *encodeLoop) code(now time.Time) (*h264.AccessUnit, error) {
	if err := l.snapshot(); err != nil {
		return nil, err
	}
	h := l.hub
	changed := l.runs.count()
	idr := l.schedule.idrDue(now, l.demand())
	qp, large := l.schedule.plan(now, changed, idr)
	l.dirty = false
	if qp == 0 {
		return nil, nil // a Wake left over from damage already shown
	}
	if idr {
		h.wantIDR.Store(false)
	}
	au := &h264.AccessUnit{
		PTS: max(now.Sub(h.origin), l.lastPTS+time.Microsecond), Refine: changed == 0 && !idr,
		Width: l.size.X, Height: l.size.Y,
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
	l.lastPTS, l.cpu = au.PTS, coded.CPU
	au.Seq, au.Data, au.IDR = l.seq, coded.Data, coded.IDR
	l.schedule.made(now, qp, len(au.Data), au.IDR, large)
	if au.IDR || au.Refine {
		return au, nil
	}
	return au, l.setPreset(l.load.observe(now, coded.CPU, l.budget))
}

func (l *encodeLoop) setPreset(p h264.Preset) error {
	if p == l.preset {
		return nil
	}
	l.hub.logger.Debug("encoder preset changed", "from", l.preset.String(), "to", p.String())
	l.preset = p
	return l.encoder.SetPreset(p)
}

// snapshot brings the encoder's planes up to date and leaves the macroblocks that changed in runs. A desktop of another size gets
// another encoder; it is opened outside the framebuffer's lock, so the size may have changed again since.
func (l *encodeLoop) snapshot() error {
	for {
		fresh, err := l.openEncoder(l.hub.fb.Size())
		if err != nil {
			return err
		}
		l.runs = l.runs[:0]
		l.convert = 0
		resized := false
		l.hub.fb.Snapshot(fresh, func(pix []byte, size image.Point, d *desktop.Damage) {
			if resized = size != l.size; !resized {
				err = l.take(pix, d, fresh)
			}
		})
		if err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		if !resized {
			return nil
		}
	}
}

// take converts what is damaged, or all of it. The framebuffer is locked meanwhile.
func (l *encodeLoop) take(pix []byte, d *desktop.Damage, all bool) error {
	start := time.Now()
	if all {
		for y := range d.Rows() {
			l.runs = append(l.runs, pixel.Run{Y: int32(y), X1: int32(d.Cols())})
		}
	} else {
		d.Runs(func(y, x0, x1 int) {
			l.runs = append(l.runs, pixel.Run{Y: int32(y), X0: int32(x0), X1: int32(x1)})
		})
	}
	err := pixel.Convert(l.encoder.Planes(), pixel.Source{
		Pix: pix, Stride: l.size.X * desktop.BytesPerPixel, Width: l.size.X, Height: l.size.Y,
	}, l.runs)
	l.convert = time.Since(start)
	return err
}

// openEncoder makes sure that there is an encoder for size and tells whether it is new.
func (l *encodeLoop) openEncoder(size image.Point) (fresh bool, err error) {
	if l.encoder != nil && l.size == size {
		return false, nil
	}
	if l.encoder != nil {
		if err := l.encoder.Close(); err != nil {
			return false, fmt.Errorf("stream: closing the encoder of %v: %w", l.size, err)
		}
		l.encoder = nil
	}
	c := l.hub.encoderConfig
	c.Width, c.Height, c.Preset = size.X, size.Y, l.load.preset()
	if l.encoder, err = l.hub.newEncoder(c); err != nil {
		return false, fmt.Errorf("stream: %w", err)
	}
	l.size, l.preset = size, c.Preset
	p := l.encoder.Planes()
	l.schedule.reset(p.Width / pixel.BlockSize * (p.Height / pixel.BlockSize))
	l.hub.logger.Info("encoder opened", "width", size.X, "height", size.Y)
	return true, nil
}

// clock is the session's clock.
func (h *Hub) clock() time.Duration { return time.Since(h.origin) }
