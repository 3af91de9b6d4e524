// Package demotarget is a VNC server of our own: the desktop that `vitrine demo` shows on a machine without
// any other, and the target of tests that need exact pixels, a log of the input that arrived, or a server
// that misbehaves on command.
//
// It speaks RFB 3.8 ([RFC 6143]) with the security types None and VncAuth, the encodings Raw, CopyRect and
// ZRLE, and the pseudo-encodings Cursor, DesktopSize, ExtendedDesktopSize, DesktopName, LastRect and Extended
// Clipboard ([rfbproto]). What is on the screen comes from a Scene (package scene draws a whole desktop), from
// the methods Fill, Draw and Copy, or from both.
//
// It is no server for anybody's real desktop: VncAuth is weak and nothing is encrypted.
//
// [RFC 6143]: https://www.rfc-editor.org/rfc/rfc6143
// [rfbproto]: https://github.com/rfbproto/rfbproto/blob/master/rfbproto.rst
package demotarget

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Scene is a desktop that draws itself and takes input. The server calls one method at a time.
type Scene interface {
	// Resize gives the picture a new size; the next Paint draws all of it.
	Resize(size image.Point)
	// Pointer moves the pointer; buttons is the mask of RFC 6143 7.5.5.
	Pointer(pos image.Point, buttons uint8)
	// Key presses or releases the key with an X keysym.
	Key(keysym uint32, down bool)
	// Clipboard takes text that a viewer put on the clipboard.
	Clipboard(text string)
	// Copied returns the text the scene put on the clipboard since the last call, if it did.
	Copied() (text string, ok bool)
	// Tick tells the time and returns how long nothing will move by itself; 0 is for ever.
	Tick(now time.Time) time.Duration
	// Paint brings dst, which still holds what Paint drew before, up to date and reports each change in order.
	Paint(dst *image.RGBA, changed func(Change))
	// Cursor returns the pointer's shape. The same shape is the same pointer.
	Cursor() *Cursor
}

// Change is a rectangle of the picture that changed. With Moved set its pixels were those at From before.
type Change struct {
	Rect  image.Rectangle
	Moved bool
	From  image.Point
}

// Options say what kind of server to make. The zero value is 1280×800, black, without security.
type Options struct {
	Size     image.Point
	Name     string // of the desktop
	Password string // security VncAuth instead of None when not empty; eight bytes count
	Scene    Scene  // nil: only Fill, Draw and Copy draw
	Log      *slog.Logger
}

// Server is a VNC server. Its methods may be called at any time, also while Run is not running.
type Server struct {
	password string
	log      *slog.Logger
	poke     chan struct{} // capacity 1, never closed: the scene's clock must be looked at

	mu        sync.Mutex
	name      string
	picture   *image.RGBA
	scene     Scene
	cursor    *Cursor
	clipboard string
	fault     Fault
	conns     map[*conn]struct{}
	events    eventLog
}

// New returns a server that shows its first picture. An error wraps desktop.ErrSize.
func New(o Options) (*Server, error) {
	if o.Size == (image.Point{}) {
		o.Size = image.Pt(1280, 800)
	}
	if err := desktop.CheckSize(o.Size); err != nil {
		return nil, fmt.Errorf("demotarget: %w", err)
	}
	if o.Name == "" {
		o.Name = "Vitrine demo"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		password: o.Password, log: o.Log, poke: make(chan struct{}, 1),
		name: o.Name, picture: newPicture(o.Size), scene: o.Scene,
		cursor: Arrow, conns: make(map[*conn]struct{}), events: newEventLog(),
	}
	if s.scene != nil {
		s.scene.Resize(o.Size)
		s.scene.Tick(time.Now())
		s.refresh()
	}
	return s, nil
}

// Run serves connections from l, which it closes, until ctx ends or l fails.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait() // after cancel
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	wg.Go(func() { s.tick(ctx) })
	for {
		tcp, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("demotarget: %w", err)
		}
		wg.Go(func() {
			defer tcp.Close()
			defer context.AfterFunc(ctx, func() { tcp.Close() })()
			log := s.log.With("remote", tcp.RemoteAddr().String())
			log.Info("viewer connected")
			err := s.serve(ctx, tcp)
			if ctx.Err() != nil || errors.Is(err, errHungUp) {
				err = nil
			}
			if err != nil {
				log.Warn("viewer disconnected", "error", err)
				return
			}
			log.Info("viewer disconnected")
		})
	}
}

// tick runs the scene's clock.
func (s *Server) tick(ctx context.Context) {
	if s.scene == nil {
		return
	}
	for {
		s.mu.Lock()
		pause := s.scene.Tick(time.Now())
		s.refresh()
		s.mu.Unlock()
		var due <-chan time.Time
		if pause > 0 {
			due = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-s.poke:
		}
	}
}

// refresh needs mu. It brings the picture up to date with the scene and tells the connections.
func (s *Server) refresh() {
	if s.scene == nil {
		return
	}
	s.scene.Paint(s.picture, s.changed)
	if c := s.scene.Cursor(); c != nil && c != s.cursor {
		s.cursor = c
		for conn := range s.conns {
			conn.out.cursor = true
			conn.wakeUp()
		}
	}
	if text, ok := s.scene.Copied(); ok {
		s.copied(text)
	}
}

// changed needs mu. It tells every connection what to send.
func (s *Server) changed(ch Change) {
	ch.Rect = ch.Rect.Intersect(s.picture.Rect)
	if ch.Rect.Empty() {
		return
	}
	for conn := range s.conns {
		if ch.Moved {
			conn.out.move(ch.Rect, ch.From)
		} else {
			conn.out.damage.Add(ch.Rect)
		}
		conn.wakeUp()
	}
}

// input applies an event of a viewer to the scene.
func (s *Server) input(e Event, apply func(Scene)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.add(e)
	if s.scene == nil {
		return
	}
	apply(s.scene)
	s.refresh()
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

func newPicture(size image.Point) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 0xff
	}
	return img
}
