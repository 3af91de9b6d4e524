package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/codec/pixel"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Encoder is what the Hub needs of *h264.Encoder.
type Encoder interface {
	Planes() *pixel.Planes
	Encode(h264.Frame) (h264.Coded, error)
	SetPreset(h264.Preset) error
	Close() error
}

// HubConfig is what a Hub is made of. Only Framebuffer has no default.
type HubConfig struct {
	// Framebuffer is the picture. The Hub is the one receiver of its Wake.
	Framebuffer *desktop.Framebuffer
	// Logger receives a line for every encoder opened; none when nil.
	Logger *slog.Logger
	// Origin is the zero of the session's clock; the time of NewHub when zero.
	Origin time.Time
	// FPSCap is the highest frame rate; 30 when zero, at most 60.
	FPSCap int
	// MaxBitrate is the rate aimed at while SetTarget asks for no less, in bits per second; 16 million when zero.
	MaxBitrate int
	// SharpQP codes still pictures and small changes, MotionQP large changes (two more, once they flow), IntraQP IDR pictures; CoarsestQP is the floor when
	// the rate is short. 14, 30, 18 and 38 when zero; SharpQP ≤ IntraQP ≤ CoarsestQP and SharpQP ≤ MotionQP ≤ CoarsestQP.
	SharpQP, MotionQP, IntraQP, CoarsestQP int
	// RefineAfter is how long the picture must be without large changes before it is sharpened; 250 ms when zero.
	RefineAfter time.Duration
	// IDRInterval is the least time between two IDR pictures; 300 ms when zero.
	IDRInterval time.Duration
	// NewEncoder opens an encoder; h264.NewEncoder when nil.
	NewEncoder func(h264.Config) (Encoder, error)
}

func (c *HubConfig) setDefaults() error {
	if c.Framebuffer == nil {
		return errors.New("stream: no framebuffer")
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&c.FPSCap, 30}, {&c.MaxBitrate, 16_000_000}, {&c.SharpQP, 14}, {&c.MotionQP, 30}, {&c.IntraQP, 18}, {&c.CoarsestQP, 38}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if c.RefineAfter == 0 {
		c.RefineAfter = 250 * time.Millisecond
	}
	if c.IDRInterval == 0 {
		c.IDRInterval = 300 * time.Millisecond
	}
	if c.Origin.IsZero() {
		c.Origin = time.Now()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.NewEncoder == nil {
		c.NewEncoder = func(c h264.Config) (Encoder, error) { return h264.NewEncoder(c) }
	}
	switch {
	case c.FPSCap < 1 || c.FPSCap > maxFPS:
		return fmt.Errorf("stream: frame rate cap %d, need 1 to %d", c.FPSCap, maxFPS)
	case c.MaxBitrate < minTarget:
		return fmt.Errorf("stream: bit rate %d below %d", c.MaxBitrate, minTarget)
	case c.SharpQP < h264.MinQP || c.CoarsestQP > h264.MaxQP || c.SharpQP > min(c.MotionQP, c.IntraQP) || c.CoarsestQP < max(c.MotionQP, c.IntraQP):
		return fmt.Errorf("stream: quantisers sharp %d, motion %d, intra %d, coarsest %d are out of order or outside %d to %d",
			c.SharpQP, c.MotionQP, c.IntraQP, c.CoarsestQP, h264.MinQP, h264.MaxQP)
	case c.RefineAfter < 0 || c.IDRInterval < 0:
		return fmt.Errorf("stream: negative times: refine after %v, IDR interval %v", c.RefineAfter, c.IDRInterval)
	}
	return nil
}

// Hub encodes one framebuffer once and hands the units to every sink. Run is the encode loop; each sink is served by a Serve of
// its own. All methods are safe for concurrent use.
type Hub struct {
	fb            *desktop.Framebuffer
	logger        *slog.Logger
	origin        time.Time
	maxBitrate    int
	newEncoder    func(h264.Config) (Encoder, error)
	encoderConfig h264.Config

	kick    chan struct{} // capacity 1, never closed: idr, target or active changed
	done    chan struct{} // closed when Run has returned
	started atomic.Bool
	wantIDR atomic.Bool
	target  atomic.Int64 // bits per second
	patched atomic.Int64 // bytes of patches coded and not yet poured into the bucket

	mu     sync.Mutex
	sinks  []*queue // in order of joining
	lanes  []*lane  // in order of joining
	frozen bool
	held   map[Sink]bool // viewers that are held, each by itself
	stats  Stats         // without Sinks, FPS, BitsPerSecond
	recent window

	// Owned by Run.
	loop encodeLoop
}

// NewHub returns a Hub for the framebuffer. It starts nothing.
func NewHub(c HubConfig) (*Hub, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	h := &Hub{
		fb: c.Framebuffer, logger: c.Logger.With("component", "hub"), origin: c.Origin, maxBitrate: c.MaxBitrate, newEncoder: c.NewEncoder,
		encoderConfig: h264.Config{FPSCap: c.FPSCap, Logger: c.Logger},
		held:          map[Sink]bool{},
		kick:          make(chan struct{}, 1),
		done:          make(chan struct{}),
	}
	h.target.Store(int64(c.MaxBitrate))
	h.loop = encodeLoop{
		hub: h,
		schedule: schedule{
			interval: time.Second / time.Duration(c.FPSCap), idrInterval: c.IDRInterval, refineAfter: c.RefineAfter, refineGap: refineGap,
			quality: quality{sharp: c.SharpQP, motion: c.MotionQP, intra: c.IntraQP, coarsest: c.CoarsestQP},
			bucket:  bucket{rate: float64(c.MaxBitrate)},
		},
		policy: defaultPolicy,
	}
	return h, nil
}

// Serve hands units to s, from the next IDR on, in the calling goroutine. It returns the error of s, ErrOverflow when full is Fail
// and s fell queue units behind, the cause of ctx, or nil when Run has ended and s has everything. When s must be
// given up its WriteUnit is told by the context it was called with.
//
// A sink with DropToIDR is a viewer, one with Fail a recorder: FreezeViewers tells them apart by that.
func (h *Hub) Serve(ctx context.Context, s Sink, queue int, full Overflow) error {
	if queue < 1 || queue > MaxQueue {
		return fmt.Errorf("stream: queue of %d units, need 1 to %d", queue, MaxQueue)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := newQueue(s, queue, full, cancel)
	if err := h.add(q); err != nil {
		return err
	}
	defer h.remove(q)
	h.RequestIDR()
	for {
		au, err := q.pop()
		if err != nil {
			return err
		}
		if au != nil {
			if err := s.WriteUnit(ctx, au); err != nil {
				if cause := context.Cause(ctx); cause != nil {
					return cause
				}
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-q.signal:
		case <-h.done:
			// Nothing is pushed after done is closed: what is in the queue now is the rest.
			if q.empty() {
				return nil
			}
		}
	}
}

func (h *Hub) add(q *queue) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sinks) >= MaxSinks {
		return fmt.Errorf("stream: %d sinks, at most %d", len(h.sinks)+1, MaxSinks)
	}
	h.sinks = append(h.sinks, q)
	return nil
}

func (h *Hub) remove(q *queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sinks = slices.DeleteFunc(h.sinks, func(o *queue) bool { return o == q })
	delete(h.held, q.sink)
}

// RequestIDR asks for an IDR picture, even when the picture is still. Requests are coalesced, and answered at most once per
// IDRInterval. It never blocks.
func (h *Hub) RequestIDR() {
	h.wantIDR.Store(true)
	h.nudge()
}

// SetTarget sets the rate to aim at, in bits per second, as congestion control sees it: pictures get coarser, down to a floor of
// legible text, and then fewer. It is clipped to the configured MaxBitrate; 0 means that.
func (h *Hub) SetTarget(bitsPerSecond int) {
	if bitsPerSecond <= 0 || bitsPerSecond > h.maxBitrate {
		bitsPerSecond = h.maxBitrate
	}
	h.target.Store(int64(max(bitsPerSecond, minTarget)))
	h.nudge()
}

// FreezeViewers stops, or lets go on, the units of every sink with DropToIDR, now and to come; recorders go on. Units
// already queued are still delivered. When viewers go on, an IDR is asked for.
func (h *Hub) FreezeViewers(still bool) {
	h.mu.Lock()
	changed := h.frozen != still
	h.frozen = still
	if changed && still {
		for _, q := range h.sinks {
			if q.full == DropToIDR {
				q.hold()
			}
		}
	}
	for _, l := range h.lanes {
		l.shut(!h.shows(l.of))
	}
	h.mu.Unlock()
	if changed && !still {
		h.RequestIDR()
	}
}

// HoldViewer stops, or lets go on, the units and patches of one viewer, which may be registered by Serve before or after; it is forgotten
// when Serve returns. What was
// drawn after a call that holds has returned never reaches it; what was queued before is still delivered. A viewer that goes on begins
// with an IDR.
func (h *Hub) HoldViewer(s Sink, still bool) {
	h.mu.Lock()
	changed := h.held[s] != still
	if still {
		h.held[s] = true
	} else {
		delete(h.held, s)
	}
	for _, q := range h.sinks {
		if q.sink == s && changed && still {
			q.hold()
		}
	}
	for _, l := range h.lanes {
		l.shut(!h.shows(l.of))
	}
	h.mu.Unlock()
	if changed && !still {
		h.RequestIDR()
	}
}

// shows tells whether a viewer is shown anything at the moment. It needs mu.
func (h *Hub) shows(s Sink) bool { return !h.frozen && !h.held[s] }

// Stats returns the figures of now.
func (h *Hub) Stats() Stats {
	now := time.Since(h.origin)
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Target = int(h.target.Load())
	s.FPS, s.BitsPerSecond = h.recent.sum(now)
	s.Sinks = make([]SinkStats, len(h.sinks))
	for i, q := range h.sinks {
		s.Sinks[i] = q.stats()
	}
	return s
}

func (h *Hub) addLane(l *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.shut(!h.shows(l.of))
	h.lanes = append(h.lanes, l)
}

func (h *Hub) removeLane(l *lane) {
	h.mu.Lock()
	h.lanes = slices.DeleteFunc(h.lanes, func(o *lane) bool { return o == l })
	h.mu.Unlock()
	h.nudge() // its viewer needs every picture now
}

// wrote books what a lane has sent.
func (h *Hub) wrote(item laneItem) {
	if item.patch == nil {
		return
	}
	n := 0
	if !item.restored {
		n = len(item.patch.Coded())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats.Patches++
	h.stats.PatchBytes += uint64(n)
	if item.restored {
		h.stats.Restored++
	}
}

func (h *Hub) nudge() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// look tells whether anyone takes units, counts the viewers of each kind, appends the lanes to lanes, and says when a viewer that
// fell behind wants an IDR, the zero time for never. Lanes of viewers that are held do not count.
func (h *Hub) look(lanes []*lane) (active bool, a audience, idr time.Time, _ []*lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.sinks {
		if !h.takes(q) {
			continue
		}
		active = true
		if at := q.idrWish(); !at.IsZero() && (idr.IsZero() || at.Before(idr)) {
			idr = at
		}
		if q.full == DropToIDR && !slices.ContainsFunc(h.lanes, func(l *lane) bool { return l.of == q.sink }) {
			a.plain++
		}
	}
	for _, l := range h.lanes {
		if h.shows(l.of) {
			a.lanes++
		}
	}
	return active, a, idr, append(lanes, h.lanes...)
}

// takes needs mu.
func (h *Hub) takes(q *queue) bool { return q.full != DropToIDR || h.shows(q.sink) }

// deliver hands a unit to every sink and books it.
func (h *Hub) deliver(now time.Time, au *h264.AccessUnit, book func(*Stats)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.sinks {
		if h.takes(q) {
			q.push(now, au)
		}
	}
	s := &h.stats
	s.Size.X, s.Size.Y = au.Width, au.Height
	s.Frames++
	s.Bytes += uint64(len(au.Data))
	s.LastUnit = au.PTS
	if au.IDR {
		s.IDRs++
	}
	if au.Refine {
		s.Refines++
	}
	book(s)
	h.recent.add(au.PTS, len(au.Data))
}
