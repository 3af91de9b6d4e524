package stream

import (
	"bytes"
	"context"
	"errors"
	"image"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// fakeEncoder codes a picture as the luma of its top left pixel and notes what it was asked.
type fakeEncoder struct {
	log    *encodeLog
	planes *pixel.Planes
	first  bool
}

type encodeLog struct {
	mu      sync.Mutex
	frames  []fakeFrame
	presets []h264.Preset
	opened  []image.Point
	closed  int
	size    int           // bytes of a P picture, 100 when zero
	idrSize int           // of an IDR picture, 1000 when zero
	cpu     time.Duration // claimed for each picture
	fail    error
}

type fakeFrame struct {
	at      time.Time
	qp      int
	idr     bool
	changed int
	luma    byte
}

func (l *encodeLog) open(c h264.Config) (Encoder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = append(l.opened, image.Pt(c.Width, c.Height))
	return &fakeEncoder{log: l, planes: pixel.NewPlanes(c.Width, c.Height), first: true}, nil
}

func (l *encodeLog) all() []fakeFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]fakeFrame(nil), l.frames...)
}

func (e *fakeEncoder) Planes() *pixel.Planes { return e.planes }

func (e *fakeEncoder) Encode(f h264.Frame) (h264.Coded, error) {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	if e.log.fail != nil {
		return h264.Coded{}, e.log.fail
	}
	n := 0
	f.Changed.Runs(func(_, x0, x1 int) { n += x1 - x0 })
	idr := f.IDR || e.first
	e.first = false
	e.log.frames = append(e.log.frames, fakeFrame{at: time.Now(), qp: f.QP, idr: idr, changed: n, luma: e.planes.Y[0]})
	size := max(e.log.size, 100)
	if idr {
		size = max(e.log.idrSize, 1000)
	}
	data := make([]byte, size)
	data[0] = e.planes.Y[0]
	return h264.Coded{Data: data, IDR: idr, CPU: e.log.cpu}, nil
}

func (e *fakeEncoder) SetPreset(p h264.Preset) error {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	e.log.presets = append(e.log.presets, p)
	return nil
}

func (e *fakeEncoder) Close() error {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	e.log.closed++
	return nil
}

// collector is a Sink that keeps what it gets. While gate is set it blocks.
type collector struct {
	mu    sync.Mutex
	units []*h264.AccessUnit
	gate  chan struct{}
	err   error
}

func (c *collector) WriteUnit(ctx context.Context, au *h264.AccessUnit) error {
	c.mu.Lock()
	gate, err := c.gate, c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.units = append(c.units, au)
	return nil
}

func (c *collector) got() []*h264.AccessUnit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*h264.AccessUnit(nil), c.units...)
}

// rig is a Hub on a fake encoder inside a synctest bubble.
type rig struct {
	t   *testing.T
	fb  *desktop.Framebuffer
	hub *Hub
	log *encodeLog
	wg  sync.WaitGroup

	// past is what the first pixel of each block has shown, one state after the other; nil unless it is to be remembered.
	past map[image.Point][]byte

	ctx    context.Context
	cancel context.CancelCauseFunc
	runErr error
}

// remember remembers from now on what blocks have shown.
func (r *rig) remember() {
	r.past = map[image.Point][]byte{}
	r.note()
}

// note notes what blocks show now.
func (r *rig) note() {
	if r.past == nil {
		return
	}
	r.fb.View(func(pix []byte, size image.Point) {
		for y := 0; y < size.Y; y += desktop.BlockSize {
			for x := 0; x < size.X; x += desktop.BlockSize {
				at := image.Pt(x, y).Div(desktop.BlockSize)
				now, states := pix[(y*size.X+x)*desktop.BytesPerPixel], r.past[at]
				if n := len(states); n == 0 || states[n-1] != now {
					r.past[at] = append(states, now)
				}
			}
		}
	})
}

// state returns the first state of a block, not before another, in which it showed this; -1 for none.
func (r *rig) state(at image.Point, from int, shows byte) int {
	if i := bytes.IndexByte(r.past[at][from:], shows); i >= 0 {
		return from + i
	}
	return -1
}

var errTestOver = errors.New("test over")

// inBubble runs fn with a Hub on a black 640×480 desktop whose Run has started, and stops everything afterwards.
func inBubble(t *testing.T, change func(*HubConfig), fn func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		fb, err := desktop.NewFramebuffer(image.Pt(640, 480))
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, fb: fb, log: &encodeLog{}}
		c := HubConfig{Framebuffer: fb, NewEncoder: r.log.open}
		if change != nil {
			change(&c)
		}
		if r.hub, err = NewHub(c); err != nil {
			t.Fatal(err)
		}
		r.paint(whole, 0)
		r.fb = c.Framebuffer
		r.ctx, r.cancel = context.WithCancelCause(t.Context())
		r.wg.Go(func() { r.runErr = r.hub.Run(r.ctx) })
		fn(r)
		r.stop()
	})
}

func (r *rig) stop() {
	r.cancel(errTestOver)
	r.wg.Wait()
}

// serve serves a sink until the test ends and returns a function that waits for Serve's error.
func (r *rig) serve(ctx context.Context, s Sink, queue int, full Overflow) func() error {
	var err error
	done := make(chan struct{})
	r.wg.Go(func() {
		defer close(done)
		err = r.hub.Serve(ctx, s, queue, full)
	})
	synctest.Wait()
	return func() error { <-done; return err }
}

// paint fills a rectangle with a grey and commits.
func (r *rig) paint(rect image.Rectangle, grey byte) {
	r.t.Helper()
	r.draw(rect, grey)
	r.fb.Commit()
}

// draw is paint without an end of the update.
func (r *rig) draw(rect image.Rectangle, grey byte) {
	r.t.Helper()
	err := r.fb.Draw(rect, func(pix []byte, stride int) {
		for y := rect.Min.Y; y < rect.Max.Y; y++ {
			row := pix[y*stride+rect.Min.X*4 : y*stride+rect.Max.X*4]
			for i := range row {
				row[i] = grey
			}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.note()
}

// pass lets everything settle, then d go by.
func (r *rig) pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// settle passes the first picture and its refinement.
func (r *rig) settle() { r.pass(5 * time.Second) }

var (
	tiny  = image.Rect(0, 0, 8, 8)
	whole = image.Rect(0, 0, 640, 480)
)
