package rdpserver

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// peer is this project's own client: what it shows can be looked at without a screen.
type peer struct {
	desktop.Nobody
	t      testing.TB
	client *rdpclient.Client
	fb     *desktop.Framebuffer
	done   chan struct{}
	err    error // once done is closed

	mu    sync.Mutex
	texts []string
}

// ClipboardFromTarget implements desktop.Observer.
func (p *peer) ClipboardFromTarget(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, text)
}

func (p *peer) heard(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.texts) > 0 && p.texts[len(p.texts)-1] == text
}

// join lets a peer in.
func (r *room) join(cfg rdpclient.Config) *peer {
	r.t.Helper()
	p := &peer{t: r.t, done: make(chan struct{})}
	cfg.TLS, cfg.Observer, cfg.ReconnectFor = trust.Policy{TrustFirst: true}, p, -1
	if cfg.Security == 0 {
		cfg.Security = rdpclient.SecurityTLS
	}
	cfg.Clipboard.FromTarget, cfg.Clipboard.ToTarget = true, true
	var err error
	p.client, err = rdpclient.New(cfg)
	require.NoError(r.t, err)
	p.fb, err = desktop.NewFramebuffer(image.Pt(200, 200))
	require.NoError(r.t, err)
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(p.done)
		p.err = p.client.Run(ctx, conn, p.fb)
	}()
	r.t.Cleanup(func() {
		cancel()
		<-p.done
		if r.t.Failed() {
			r.t.Logf("the peer ended: %v", p.err)
		}
	})
	return p
}

func (p *peer) picture() *image.RGBA { return (&room{fb: p.fb}).picture() }

// shows waits until the peer has the desktop's picture, but for a tolerance, or another one.
func (p *peer) shows(r *room, tolerance int) {
	p.t.Helper()
	n := -1
	if !eventually(10*time.Second, func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("the peer ended: %v", p.err)
		default:
		}
		n = differ(p.picture(), r.picture(), tolerance)
		return n == 0
	}) {
		p.t.Fatalf("%d pixels differ", n)
	}
}

// TestPictures shows exact pictures in every way that needs no H.264, through changes and other sizes.
func TestPictures(t *testing.T) {
	for _, c := range []struct {
		name      string
		graphics  rdpclient.Graphics
		depth     int
		tolerance int
	}{
		{"planar in the pipeline", rdpclient.GraphicsPipeline, 32, 0},
		{"planar bitmaps", rdpclient.GraphicsBitmaps, 32, 0},
		{"interleaved, 24 bits", rdpclient.GraphicsBitmaps, 24, 0},
		{"interleaved, 16 bits", rdpclient.GraphicsBitmaps, 16, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := image.Pt(404, 303)
			r := newRoom(t, size, nil)
			r.draw(image.Point{}, noisy(size))
			p := r.join(rdpclient.Config{Graphics: c.graphics, ColorDepth: c.depth, Size: size})
			p.shows(r, c.tolerance)
			r.draw(image.Pt(37, 41), noisy(image.Pt(5, 200)))
			r.draw(image.Pt(350, 290), noisy(image.Pt(54, 13)))
			p.shows(r, c.tolerance)
			for _, next := range []image.Point{{300, 200}, {640, 401}} {
				require.NoError(t, r.fb.Resize(next))
				r.draw(image.Pt(10, 10), noisy(image.Pt(100, 100)))
				p.shows(r, c.tolerance)
			}
		})
	}
}

// stamp is an overlay that paints a rectangle red, as a watermark is one.
type stamp struct{ at image.Rectangle }

func (s stamp) Draw(pix []byte, stride int, r image.Rectangle) {
	in := s.at.Intersect(r)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			copy(pix[y*stride+x*4:], []byte{0, 0, 255})
		}
	}
}

// TestOverlay shows what lies over the picture for everybody, and what the target draws below it.
func TestOverlay(t *testing.T) {
	size := image.Pt(320, 240)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	p := r.join(rdpclient.Config{Size: size})
	p.shows(r, 0)
	at := image.Rect(30, 40, 130, 100)
	r.fb.SetOverlay(stamp{at}, nil)
	stamped := func() bool {
		want := r.picture()
		draw.Draw(want, at, image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
		return differ(p.picture(), want, 0) == 0
	}
	require.True(t, eventually(5*time.Second, stamped))
	r.draw(image.Pt(20, 30), soft(image.Pt(200, 150), 1))
	require.True(t, eventually(5*time.Second, stamped))
}

// TestPointer shows shapes of every size, again from the cache, hidden, and the client's own.
func TestPointer(t *testing.T) {
	size := image.Pt(320, 240)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	p := r.join(rdpclient.Config{Size: size})
	p.shows(r, 0)
	shape := func(side int) *image.NRGBA {
		img := image.NewNRGBA(image.Rect(0, 0, side, side+1))
		for i := range side * side {
			img.SetNRGBA(i%side, i/side, color.NRGBA{byte(i), byte(i / 3), 0x80, byte(i * 7)})
		}
		return img
	}
	for _, side := range []int{1, 13, 32, 96, 200, 13, 32} {
		want := shape(side)
		require.NoError(t, r.fb.SetCursor(want, image.Pt(side/2, side/3), false))
		require.True(t, eventually(5*time.Second, func() bool {
			got := p.fb.Cursor()
			return got.Shape != nil && got.Shape.Bounds() == want.Bounds() && got.Hotspot == image.Pt(side/2, side/3) && alike(got.Shape, want)
		}), "%d pixels", side)
	}
	require.NoError(t, r.fb.SetCursor(nil, image.Point{}, true))
	require.True(t, eventually(5*time.Second, func() bool { return p.fb.Cursor().Hidden }))
	require.NoError(t, r.fb.SetCursor(nil, image.Point{}, false))
	require.True(t, eventually(5*time.Second, func() bool { c := p.fb.Cursor(); return !c.Hidden && c.Shape == nil }))
}

// alike compares what can be seen of two pointers.
func alike(a, b *image.NRGBA) bool {
	for i := 0; i < len(a.Pix); i += 4 {
		if a.Pix[i+3] != b.Pix[i+3] || a.Pix[i+3] != 0 && [3]byte(a.Pix[i:]) != [3]byte(b.Pix[i:]) {
			return false
		}
	}
	return true
}

// TestClipboardAndSize exchanges texts, and asks for another size of the desktop.
func TestClipboardAndSize(t *testing.T) {
	size := image.Pt(400, 300)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	p := r.join(rdpclient.Config{Size: size})
	p.shows(r, 0)
	long := strings.Repeat("Größe 😀\n", 20_000)
	for _, text := range []string{"one", long, "two"} {
		require.NoError(t, p.client.Send(desktop.ClipboardText{Text: text}))
		require.True(t, eventually(5*time.Second, func() bool {
			in := r.took()
			return len(in) > 0 && in[len(in)-1] == desktop.Input(desktop.ClipboardText{Text: text})
		}))
		r.mu.Lock()
		conn := r.conns[0]
		r.mu.Unlock()
		require.NoError(t, conn.SendClipboard(text+"!"))
		require.True(t, eventually(5*time.Second, func() bool { return p.heard(text + "!") }))
	}
	require.True(t, eventually(5*time.Second, func() bool { return p.client.Resize(image.Pt(500, 400)) == nil }))
	require.True(t, eventually(5*time.Second, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.sizes) > 0 && r.sizes[len(r.sizes)-1] == image.Pt(500, 400)
	}))
}

// house is a session behind a Server.
type house struct {
	*room
	server *Server

	mu     sync.Mutex
	events []string
	role   Role
	person Person
}

func (h *house) note(parts ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, strings.Join(parts, " "))
}

func (h *house) noted(want string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.events, want)
}

type houseHandler struct{ h *house }

// scancodes are the places of the keys that are pressed here.
var scancodes = map[desktop.Keysym]desktop.Scancode{
	keyboard.Return: 0x1c, keyboard.BackSpace: 0x0e, keyboard.Escape: 0x01, 'n': 0x31, 'o': 0x18, 'k': 0x25,
}

func (n houseHandler) Input(v Viewer, in desktop.Input) error {
	if k, ok := in.(desktop.KeyEvent); ok && k.Down {
		n.h.note("key", v.Person.Name)
	}
	return n.h.Input(in)
}
func (n houseHandler) Resize(Viewer, image.Point) error { return nil }
func (n houseHandler) ViewerJoined(v Viewer)            { n.h.note("joined", v.Person.Name, string(v.Role)) }
func (n houseHandler) ViewerLeft(v Viewer, _ string)    { n.h.note("left", v.Person.Name) }
func (n houseHandler) RoleChanged(v Viewer)             { n.h.note("role", v.Person.Name, string(v.Role)) }
func (n houseHandler) Acknowledged(v Viewer, id string) { n.h.note("read", v.Person.Name, id) }
func (n houseHandler) Answered(v Viewer, question, reason string, refuse bool) error {
	n.h.note("answered", v.Person.Name, question, reason, strconv.FormatBool(refuse))
	if reason == "no" {
		return errors.New("That is no reason.")
	}
	return nil
}
func (n houseHandler) Refused(_ Viewer, what, _ string) { n.h.note("refused", what) }

// newHouse runs a Server; arrivals are the person and role of the moment.
func newHouse(t *testing.T, size image.Point) *house {
	t.Helper()
	h := &house{role: RoleControl, person: Person{"o", "ann"}}
	ready := make(chan struct{})
	n := 0
	h.room = newRoom(t, size, func(ctx context.Context, c *Client) {
		<-ready
		state, conn, err := c.Detach()
		if err != nil {
			return
		}
		h.mu.Lock()
		n++
		v := Viewer{ID: "v" + strconv.Itoa(n), Person: h.person, Role: h.role}
		h.mu.Unlock()
		if err := h.server.Admit(ctx, Arrival{Viewer: v, Conn: conn, State: state}); err != nil {
			h.note("not admitted", v.Person.Name)
		}
	})
	var err error
	h.server, err = NewServer(ServerConfig{
		Framebuffer: h.fb, Video: h.hub, Handler: houseHandler{h}, Logger: logger(t), Owner: "o", Resizable: true, MaxViewers: 2,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.server.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	close(ready)
	return h
}

func (h *house) as(id, name string, role Role) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.person, h.role = Person{id, name}, role
}

func (h *house) waits(want string) {
	h.t.Helper()
	require.True(h.t, eventually(5*time.Second, func() bool { return h.noted(want) }), want)
}

// TestSupervision freezes, tells, takes over and ends a session with two native clients.
func TestSupervision(t *testing.T) {
	size := image.Pt(404, 303)
	h := newHouse(t, size)
	h.draw(image.Point{}, noisy(size))
	ann := h.join(rdpclient.Config{Size: size, Graphics: rdpclient.GraphicsBitmaps})
	ann.shows(h.room, 0)
	h.waits("joined ann control")
	h.as("b", "bob", RoleView)
	bob := h.join(rdpclient.Config{Size: size})
	bob.shows(h.room, 0)
	h.waits("joined bob view")

	// A third finds no room, and another person no control.
	h.as("c", "cid", RoleControl)
	cid := h.join(rdpclient.Config{Size: size})
	<-cid.done
	require.Error(t, cid.err)
	h.waits("not admitted cid")

	// A message lies over the picture of the session's own person until it is clicked.
	h.server.ShowMessage(Message{ID: "m1", From: "bob", Text: "Please stop."})
	banner := image.Rect(0, 0, size.X, 16)
	rest := image.Rect(0, 200, size.X, size.Y)
	covered := func(p *peer) bool {
		return differ(crop(p.picture(), banner), crop(h.picture(), banner), 0) > 16*size.X/2
	}
	require.True(t, eventually(5*time.Second, func() bool { return covered(ann) }))
	require.Zero(t, differ(crop(ann.picture(), rest), crop(h.picture(), rest), 0))
	bob.shows(h.room, 0)
	h.draw(image.Pt(0, 0), noisy(image.Pt(404, 30))) // what is drawn below does not show
	bob.shows(h.room, 0)
	require.True(t, covered(ann))
	click := func(at image.Point) {
		require.NoError(t, ann.client.Send(desktop.PointerEvent{Pos: at, Buttons: desktop.ButtonLeft}))
		require.NoError(t, ann.client.Send(desktop.PointerEvent{Pos: at}))
	}
	click(image.Pt(30, 5))
	h.waits("read ann m1")
	ann.shows(h.room, 0)
	for _, in := range h.took() {
		if p, ok := in.(desktop.PointerEvent); ok && p.Buttons != 0 {
			t.Errorf("the desktop was told of the click on the banner: %v", p)
		}
	}

	// Frozen: ann sees a still that tells nothing, and what changes does not reach her.
	h.server.SetFreeze(&Freeze{Text: "Wait.", Still: h.fb.Blurred()})
	h.server.SetState(SessionFrozen, 0, "Frozen.")
	all := image.Rectangle{Max: size}
	require.True(t, eventually(5*time.Second, func() bool { return differ(ann.picture(), h.picture(), 8) > size.X*size.Y*9/10 }))
	before := ann.picture()
	h.draw(image.Pt(0, 100), noisy(image.Pt(404, 150)))
	require.True(t, eventually(5*time.Second, func() bool { // bob is told of it by a banner and goes on watching
		return differ(crop(bob.picture(), rest), crop(h.picture(), rest), 0) == 0 && covered(bob)
	}))
	require.Zero(t, differ(crop(ann.picture(), all), before, 0))

	// Asked why, ann writes a reason over the still; bob sees nothing of that.
	h.server.SetQuestion(&Question{ID: "q1", Viewer: "v1", Text: "Why?", Held: true})
	prompt := promptRect(size)
	differs := func() int { return differ(crop(ann.picture(), prompt), crop(before, prompt), 0) }
	require.True(t, eventually(5*time.Second, func() bool { return differs() > prompt.Dx()*prompt.Dy()/2 }))
	empty := ann.picture()
	keys := func(pressed ...desktop.Keysym) {
		for _, k := range pressed {
			require.NoError(t, ann.client.Send(desktop.KeyEvent{Keysym: k, Scancode: scancodes[k], Down: true}))
			require.NoError(t, ann.client.Send(desktop.KeyEvent{Keysym: k, Scancode: scancodes[k]}))
		}
	}
	keys(keyboard.Return, 'n', 'o')
	require.True(t, eventually(5*time.Second, func() bool { return differ(crop(ann.picture(), prompt), crop(empty, prompt), 0) > 0 }))
	keys(keyboard.Return)
	h.waits("answered ann q1 no false")
	keys(keyboard.BackSpace, 'k', keyboard.Return)
	h.waits("answered ann q1 nk false")
	keys(keyboard.Escape)
	h.waits("answered ann q1  true")
	require.False(t, h.noted("answered ann q1  false"), "an empty reason was sent")
	require.False(t, h.noted("key ann"))
	h.server.SetQuestion(nil)
	require.True(t, eventually(5*time.Second, func() bool { return differs() == 0 }))
	require.Zero(t, differ(crop(bob.picture(), rest), crop(h.picture(), rest), 0))

	// Taken over by bob: his keys pass now, and hers do not.
	require.NoError(t, ann.client.Send(desktop.KeyEvent{Keysym: 'a', Scancode: 0x1e, Down: true}))
	h.server.SetTakenOver(TakenOver{Viewer: "v2", By: "bob"})
	require.NoError(t, bob.client.Send(desktop.KeyEvent{Keysym: 'b', Scancode: 0x30, Down: true}))
	h.waits("key bob")
	require.False(t, h.noted("key ann"))
	h.server.SetTakenOver(TakenOver{})
	h.server.SetFreeze(nil)
	h.server.SetState(SessionActive, 0, "")
	ann.shows(h.room, 0)
	bob.shows(h.room, 0)

	// The end has a reason.
	h.server.SetState(SessionEnded, rdp.ErrorInfoIdleTimeout, "Idle for too long.")
	<-ann.done
	<-bob.done
	require.ErrorContains(t, ann.err, rdp.ErrorInfoIdleTimeout.String())
	h.waits("left ann")
	h.waits("left bob")
	require.True(t, errors.Is(ann.err, desktop.ErrEnded), "%v", ann.err)
}
