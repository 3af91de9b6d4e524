package rdpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"image"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// room is a session without its walls: a framebuffer somebody draws in, its Hub, and a listener for clients.
type room struct {
	t    testing.TB
	fb   *desktop.Framebuffer
	hub  *stream.Hub
	cert tls.Certificate
	addr string

	mu     sync.Mutex
	inputs []desktop.Input
	sizes  []image.Point
	conns  []*Conn
	ends   []error
	opened int // encoders
}

// recorder is a sink that is always there, as in a session.
type recorder struct{}

func (recorder) WriteUnit(context.Context, *h264.AccessUnit) error { return nil }

// newRoom starts one of a size. admit, if set, takes accepted clients in place of showing them the desktop.
func newRoom(t testing.TB, size image.Point, admit func(ctx context.Context, c *Client)) *room {
	t.Helper()
	r := &room{t: t}
	var err error
	r.fb, err = desktop.NewFramebuffer(size)
	require.NoError(t, err)
	r.hub, err = stream.NewHub(stream.HubConfig{Framebuffer: r.fb, MaxBitrate: 60_000_000, NewEncoder: func(c h264.Config) (stream.Encoder, error) {
		r.mu.Lock()
		r.opened++
		r.mu.Unlock()
		return h264.NewEncoder(c)
	}})
	require.NoError(t, err)
	r.cert = certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	wg.Go(func() { _ = r.hub.Run(ctx) })
	wg.Go(func() { _ = r.hub.Serve(ctx, recorder{}, 64, stream.DropToIDR) })
	if admit == nil {
		admit = r.show
	}
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				c, err := Accept(ctx, conn, AcceptConfig{Certificate: r.cert, Logger: logger(t)})
				if err != nil {
					r.ended(err)
					return
				}
				admit(ctx, c)
			})
		}
	})
	return r
}

func logger(t testing.TB) *slog.Logger {
	if os.Getenv("DOOR_LOG") != "" {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

var certificate = func() func(t testing.TB) tls.Certificate {
	var once sync.Once
	var cert tls.Certificate
	return func(t testing.TB) tls.Certificate {
		once.Do(func() { cert = rsaCertificate(t) })
		return cert
	}
}()

func (r *room) ended(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, err)
}

// show shows a client the desktop.
func (r *room) show(ctx context.Context, c *Client) {
	conn, err := c.Activate(ctx, r.fb.Size())
	if err != nil {
		r.ended(err)
		return
	}
	r.mu.Lock()
	r.conns = append(r.conns, conn)
	r.mu.Unlock()
	err = conn.Serve(ctx, Desktop{Framebuffer: r.fb, Video: r.hub, Handler: r, Clipboard: true})
	if !errors.Is(err, io.EOF) {
		_ = conn.Disconnect(context.WithoutCancel(ctx), 0)
	}
	r.ended(err)
}

// Input implements Handler.
func (r *room) Input(in desktop.Input) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inputs = append(r.inputs, in)
	return nil
}

// Resize implements Handler.
func (r *room) Resize(size image.Point) error {
	r.mu.Lock()
	r.sizes = append(r.sizes, size)
	r.mu.Unlock()
	return nil
}

// Refused implements Handler.
func (r *room) Refused(string, string) {}

func (r *room) took() []desktop.Input {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.inputs)
}

// draw puts a picture into a rectangle of the desktop.
func (r *room) draw(at image.Point, img *image.RGBA) {
	r.t.Helper()
	rect := image.Rectangle{Min: at, Max: at.Add(img.Bounds().Size())}
	require.NoError(r.t, r.fb.Draw(rect, func(pix []byte, stride int) {
		for y := range rect.Dy() {
			to := pix[(rect.Min.Y+y)*stride+rect.Min.X*4:]
			for x := range rect.Dx() {
				p := img.Pix[img.PixOffset(x, y):]
				to[4*x], to[4*x+1], to[4*x+2] = p[2], p[1], p[0]
			}
		}
	}))
	r.fb.Commit()
}

// picture is the desktop as it is.
func (r *room) picture() *image.RGBA {
	pix, size := r.fb.CopyPixels()
	img := image.NewRGBA(image.Rectangle{Max: size})
	for i := 0; i < len(pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = pix[i+2], pix[i+1], pix[i], 0xff
	}
	return img
}

// client is a real xfreerdp on a screen of its own.
type client struct {
	t      testing.TB
	screen *testbed.X
	cmd    *exec.Cmd
	done   chan struct{}
	out    *output
}

type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, b...)
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}

// xfreerdp starts a client on a new screen of a size, with the keyboard.
func xfreerdp(t testing.TB, addr string, size image.Point, args ...string) *client {
	t.Helper()
	screen := testbed.StartXvfb(t, size)
	testbed.OpenBox(t, screen.Display)
	return xfreerdpOn(t, screen, addr, size, args...)
}

func xfreerdpOn(t testing.TB, screen *testbed.X, addr string, size image.Point, args ...string) *client {
	t.Helper()
	name := "xfreerdp"
	if _, err := exec.LookPath("xfreerdp3"); err == nil {
		name = "xfreerdp3"
	}
	testbed.Require(t, name)
	c := &client{t: t, screen: screen, done: make(chan struct{}), out: &output{}}
	c.cmd = exec.Command(name, append([]string{
		"/v:" + addr, "/u:alice", "/p:S", "/cert:ignore", "/sec:tls", "-decorations",
		"/size:" + strconv.Itoa(size.X) + "x" + strconv.Itoa(size.Y),
	}, args...)...)
	c.cmd.Env = append(os.Environ(), "DISPLAY="+screen.Display, "HOME="+t.TempDir())
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	require.NoError(t, c.cmd.Start())
	go func() {
		_ = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		<-c.done
		if t.Failed() {
			t.Logf("xfreerdp: %s", c.out)
		}
	})
	return c
}

// exit waits for the client's end and returns its code.
func (c *client) exit() int {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(20 * time.Second):
		c.t.Fatal("the client does not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

// shows waits until the client's window looks like the desktop, but for a tolerance in each colour.
func (c *client) shows(r *room, tolerance int) {
	c.t.Helper()
	n := -1
	ok := eventually(10*time.Second, func() bool {
		n = differ(c.screen.Screenshot(c.t), r.picture(), tolerance)
		return n == 0
	})
	if !ok {
		c.t.Fatalf("%d pixels differ", n)
	}
}

func eventually(timeout time.Duration, ok func() bool) bool {
	for end := time.Now().Add(timeout); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// differ counts the pixels that differ by more than a tolerance in a colour.
func differ(a, b *image.RGBA, tolerance int) int {
	if a.Bounds() != b.Bounds() {
		return a.Bounds().Dx() * a.Bounds().Dy()
	}
	n := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for c := range 3 {
			if d := int(a.Pix[i+c]) - int(b.Pix[i+c]); d > tolerance || -d > tolerance {
				n++
				break
			}
		}
	}
	return n
}

// noisy is a picture that no coder likes: gradients, stripes of one pixel, noise.
func noisy(size image.Point) *image.RGBA {
	rng := rand.New(rand.NewPCG(7, 8))
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			p := img.Pix[img.PixOffset(x, y):]
			switch (x/100 + y/100) % 3 {
			case 0:
				p[0], p[1], p[2] = byte(x), byte(y), byte(x+y)
			case 1:
				p[0], p[1], p[2] = byte(x%2*255), byte(y%2*255), 0x40
			default:
				p[0], p[1], p[2] = byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())
			}
			p[3] = 0xff
		}
	}
	return img
}
