package rdpserver

import (
	"cmp"
	"context"
	"image"
	"image/color"
	"image/draw"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/ntlm"
)

// bars are colours in the corner of soft pictures.
var bars = []color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}}

// mean is the colour of an area.
func mean(img *image.RGBA, r image.Rectangle) color.RGBA {
	var sum [3]int
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			for c := range sum {
				sum[c] += int(img.Pix[img.PixOffset(x, y)+c])
			}
		}
	}
	n := r.Dx() * r.Dy()
	return color.RGBA{byte((sum[0] + n/2) / n), byte((sum[1] + n/2) / n), byte((sum[2] + n/2) / n), 255}
}

func away(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// soft is a picture as films have them, at a moment.
func soft(size image.Point, moment int) *image.RGBA {
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			wave := math.Sin(float64(x+7*moment)/67) * math.Cos(float64(y-3*moment)/53)
			img.SetRGBA(x, y, color.RGBA{byte(128 + 100*wave), byte(96 + 60*wave), byte(160 - 80*wave), 255})
		}
	}
	for i, c := range bars {
		draw.Draw(img, image.Rect(i*40, 0, i*40+40, 40), image.NewUniform(c), image.Point{}, draw.Src)
	}
	return img
}

// psnr compares a part of two pictures, in decibels.
func psnr(a, b *image.RGBA, r image.Rectangle) float64 {
	sum, n := 0.0, 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p, q := a.Pix[a.PixOffset(x, y):], b.Pix[b.PixOffset(x, y):]
			for c := range 3 {
				d := float64(p[c]) - float64(q[c])
				sum += d * d
				n++
			}
		}
	}
	if sum == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(255*255*float64(n)/sum)
}

// TestClients is one session with a recorder and three clients, one of each kind, through motion, a stopped client, another size and a
// late guest.
func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	size := image.Pt(1024, 768)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	video := xfreerdp(t, r.addr, size, "/gfx:AVC420")
	plain := xfreerdp(t, r.addr, size)
	video.shows(r, 0)
	plain.shows(r, 0)

	// Something moves; the client is stopped in the midst of it. Whatever a screenshot of the other shows is one of the pictures drawn so far, or, on a
	// busy machine, pieces of two: so several are taken, and the one in the middle counts.
	moving := image.Rect(200, 150, 600, 450)
	require.NoError(t, plain.signal(syscall.SIGSTOP))
	film := make([]*image.RGBA, 40)
	for moment := range film {
		film[moment] = soft(moving.Size(), moment)
	}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		for _, picture := range film {
			r.draw(moving.Min, picture)
			time.Sleep(33 * time.Millisecond)
		}
	}()
	type shot struct {
		picture *image.RGBA
		db      float64 // beside the picture it is most like
	}
	var shots []shot
	for over := false; !over; {
		select {
		case <-shown:
			over = true
		default:
		}
		now := shot{picture: crop(video.screen.Screenshot(t), moving)}
		for _, picture := range film {
			now.db = max(now.db, psnr(now.picture, picture, image.Rectangle{Max: moving.Size()}))
		}
		if now.db > 20 { // not of before the film
			shots = append(shots, now)
		}
	}
	require.NotEmpty(t, shots, "nothing moves")
	slices.SortFunc(shots, func(a, b shot) int { return cmp.Compare(a.db, b.db) })
	median := shots[len(shots)/2]
	t.Logf("%.1f dB while something moves, of %d pictures from %.1f to %.1f", median.db, len(shots), shots[0].db, shots[len(shots)-1].db)
	if median.db < 38 {
		t.Errorf("%.1f dB while something moves", median.db)
	}
	for i, want := range bars {
		if got := mean(median.picture, image.Rect(i*40+8, 8, i*40+32, 32)); max(away(got.R, want.R), away(got.G, want.G), away(got.B, want.B)) > 4 {
			t.Errorf("%v is shown as %v", want, got)
		}
	}
	video.shows(r, 0) // and exact soon after, while another client is stopped
	require.NoError(t, plain.signal(syscall.SIGCONT))
	plain.shows(r, 0)

	// The one with video is stopped.
	require.NoError(t, video.signal(syscall.SIGSTOP))
	for moment := range 30 {
		r.draw(moving.Min, soft(moving.Size(), moment))
		time.Sleep(33 * time.Millisecond)
	}
	plain.shows(r, 0)
	require.NoError(t, video.signal(syscall.SIGCONT))
	video.shows(r, 0)

	// Late guests; the picture that one of them begins with costs the others nothing of their exactness.
	planar := xfreerdp(t, r.addr, size, "/gfx")
	planar.shows(r, 0)
	late := xfreerdp(t, r.addr, size, "/gfx:AVC444")
	late.shows(r, 0)
	time.Sleep(500 * time.Millisecond)
	video.shows(r, 0)

	r.mu.Lock()
	opened := r.opened
	r.mu.Unlock()
	if opened != 1 {
		t.Errorf("%d encoders for one session", opened)
	}

	// The desktop gets another size.
	smaller := image.Pt(900, 700)
	require.NoError(t, r.fb.Resize(smaller))
	r.draw(image.Point{}, noisy(smaller))
	for _, c := range []*client{video, plain, planar, late} {
		c.showsPart(r, image.Rectangle{Max: smaller})
	}
}

// TestInput types and clicks in a client's window, sideways and with every kind of key.
func TestInput(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	t.Parallel()
	size := image.Pt(800, 600)
	r := newRoom(t, size, nil)
	r.draw(image.Point{}, noisy(size))
	c := xfreerdp(t, r.addr, size, "/kbd:0x409", "/network:auto")
	c.shows(r, 0)
	r.mu.Lock()
	conn := r.conns[0]
	r.mu.Unlock()
	require.True(t, eventually(5*time.Second, func() bool { return conn.RTT() > 0 }), "the round trip was not measured")
	testbed.Run(t, c.screen.Display, "xdotool", "mousemove", "100", "120")
	require.True(t, eventually(5*time.Second, func() bool {
		return slices.Contains(r.took(), desktop.Input(desktop.PointerEvent{Pos: image.Pt(100, 120)}))
	}))
	r.mu.Lock()
	r.inputs = nil
	r.mu.Unlock()
	testbed.Run(t, c.screen.Display, "xdotool", "click", "1", "mousemove", "101", "121", "click", "3", "click", "2", "click", "4", "click", "5", "click", "6", "click", "7",
		"key", "a", "key", "shift+b", "key", "Up", "key", "KP_Enter", "key", "ctrl+Delete", "key", "Pause", "key", "F12", "key", "Super_L")
	press := func(at image.Point, b desktop.Buttons) []desktop.Input {
		return []desktop.Input{desktop.PointerEvent{Pos: at, Buttons: b}, desktop.PointerEvent{Pos: at}}
	}
	stroke := func(k desktop.Keysym, s desktop.Scancode) []desktop.Input {
		return []desktop.Input{desktop.KeyEvent{Keysym: k, Scancode: s, Down: true}, desktop.KeyEvent{Keysym: k, Scancode: s}}
	}
	with := func(mod, in []desktop.Input) []desktop.Input { // xdotool lets go in the order of pressing
		return []desktop.Input{mod[0], in[0], mod[1], in[1]}
	}
	at := image.Pt(101, 121)
	wheel := func(x, y int) []desktop.Input { return []desktop.Input{desktop.WheelEvent{Pos: at, DX: x, DY: y}} }
	want := slices.Concat(
		press(image.Pt(100, 120), desktop.ButtonLeft), []desktop.Input{desktop.PointerEvent{Pos: at}}, press(at, desktop.ButtonRight), press(at, desktop.ButtonMiddle),
		wheel(0, -1), wheel(0, 1), wheel(-1, 0), wheel(1, 0),
		stroke('a', 0x1e), with(stroke(keyboard.ShiftL, 0x2a), stroke('B', 0x30)), stroke(keyboard.Up, 0xe048), stroke(keyboard.KPEnter, 0xe01c),
		with(stroke(keyboard.ControlL, 0x1d), stroke(keyboard.Delete, 0xe053)), stroke(keyboard.Pause, 0xe11d), stroke(0xffc9, 0x58), stroke(keyboard.SuperL, 0xe05b),
	)
	eventually(5*time.Second, func() bool { return len(r.took()) >= len(want) })
	require.Equal(t, want, r.took())
}

// TestEnds tells clients why, and looks at what they exit with.
func TestEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	size := image.Pt(640, 480)
	for _, c := range []struct {
		name   string
		reason rdp.ErrorInfo
		refuse bool
		args   []string
		want   int
	}{
		{"refused", rdp.ErrorInfoServerDenied, true, nil, 7},
		{"no privilege", rdp.ErrorInfoInsufficientPrivilege, true, []string{"/gfx:AVC420"}, 9},
		{"idle", rdp.ErrorInfoIdleTimeout, false, nil, 3},
		{"other connection", rdp.ErrorInfoOtherConnection, false, []string{"/gfx"}, 5},
		{"standard security", 0, false, []string{"/sec:rdp"}, 133},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t, size, func(ctx context.Context, cl *Client) {
				if c.refuse {
					_ = cl.Refuse(ctx, c.reason)
					return
				}
				conn, err := cl.Activate(ctx, size)
				if err != nil {
					return
				}
				fb, _ := desktop.NewFramebuffer(size)
				ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
				_ = conn.Serve(ctx, Desktop{Framebuffer: fb, Handler: &room{}})
				_ = conn.Disconnect(context.WithoutCancel(ctx), c.reason)
			})
			require.Equal(t, c.want, xfreerdp(t, r.addr, size, c.args...).exit())
		})
	}
}

// TestHandOver shows a client a sign-in screen, hands it over as serve does, and shows it the session.
func TestHandOver(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	size := image.Pt(1000, 700)
	for _, c := range []struct {
		name string
		args []string
	}{{"bitmaps", nil}, {"video", []string{"/gfx:AVC420"}}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r *room
			signIn, err := desktop.NewFramebuffer(image.Pt(800, 600))
			require.NoError(t, err)
			clicked := make(chan struct{}, 8)
			r = newRoom(t, size, func(ctx context.Context, cl *Client) {
				conn, err := cl.Activate(ctx, signIn.Size())
				if err != nil {
					r.ended(err)
					return
				}
				screen, cancel := context.WithCancel(ctx)
				go func() {
					<-clicked
					cancel()
				}()
				_ = conn.Serve(screen, Desktop{Framebuffer: signIn, Handler: clicks(clicked)})
				state, secured, err := conn.Detach()
				if err != nil {
					r.ended(err)
					return
				}
				b, err := state.Marshal()
				if err == nil {
					state, err = UnmarshalState(b)
				}
				if err != nil {
					r.ended(err)
					return
				}
				ours, theirs := pair(t)
				go func() {
					_, _ = io.Copy(ours, secured)
					_ = ours.Close()
				}()
				go func() {
					_, _ = io.Copy(secured, ours)
					_ = secured.Close()
				}()
				next, err := Resume(theirs, state, logger(t))
				if err != nil {
					r.ended(err)
					return
				}
				r.show(ctx, next)
			})
			r.draw(image.Point{}, noisy(size))
			sketch := soft(signIn.Size(), 3)
			require.NoError(t, signIn.Draw(image.Rectangle{Max: signIn.Size()}, func(pix []byte, _ int) {
				for i := range pix {
					pix[i] = sketch.Pix[i&^3+[]int{2, 1, 0, 3}[i%4]]
				}
			}))
			signIn.Commit()
			cl := xfreerdp(t, r.addr, size, append(c.args, "/window-position:0x0")...)
			require.True(t, eventually(10*time.Second, func() bool {
				return differ(crop(cl.screen.Screenshot(t), image.Rectangle{Max: signIn.Size()}), sketch, 0) == 0
			}), "the sign-in screen is not shown")
			testbed.Run(t, cl.screen.Display, "xdotool", "mousemove", "50", "60", "click", "1")
			cl.shows(r, 0)
		})
	}
}

// clicks hears of clicks and of nothing else.
type clicks chan<- struct{}

func (c clicks) Input(in desktop.Input) error {
	if p, ok := in.(desktop.PointerEvent); ok && p.Buttons != 0 {
		c <- struct{}{}
	}
	return nil
}
func (clicks) Resize(image.Point) error { return nil }
func (clicks) Refused(string, string)   {}

// pair returns the ends of a socket, as serve and a worker share one.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		conns[i], err = net.FileConn(f)
		require.NoError(t, err)
		_ = f.Close()
	}
	return conns[0], conns[1]
}

// crop returns a part of a picture.
func crop(img *image.RGBA, r image.Rectangle) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: r.Size()})
	draw.Draw(out, out.Bounds(), img, r.Min, draw.Src)
	return out
}

// signal sends the client's process a signal.
func (c *client) signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// showsPart waits until a part of the client's screen looks like the desktop.
func (c *client) showsPart(r *room, part image.Rectangle) {
	c.t.Helper()
	n := -1
	if !eventually(10*time.Second, func() bool {
		n = differ(crop(c.screen.Screenshot(c.t), part), crop(r.picture(), part), 0)
		return n == 0
	}) {
		c.t.Fatalf("%d pixels differ", n)
	}
}

// TestAuthOnly lets a client prove its one-time secret at network level, once.
func TestAuthOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("real clients")
	}
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	var used atomic.Bool
	errs := make(chan error, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c, err := Accept(context.Background(), conn, AcceptConfig{
				Certificate: certificate(t), Security: SecurityNLA,
				Lookup: func(_, user string) (ntlm.Hash, bool) {
					return ntlm.NTHash("S"), user == "alice" && used.CompareAndSwap(false, true)
				},
			})
			if err == nil { // the client wants a whole connection, and leaves it at once
				_ = c.Refuse(context.Background(), rdp.ErrorInfoNone)
			}
			errs <- err
		}
	}()
	screen := testbed.StartXvfb(t, image.Pt(640, 480))
	try := func(args ...string) (exit int, served error) {
		code := xfreerdpOn(t, screen, l.Addr().String(), image.Pt(640, 480), args...).exit()
		return code, <-errs
	}
	code, err := try("/sec:nla", "+auth-only")
	require.Zero(t, code)
	require.NotErrorIs(t, err, ErrAuthentication)
	code, err = try("/sec:nla", "+auth-only")
	require.NotZero(t, code, "a secret was taken twice")
	require.ErrorIs(t, err, ErrAuthentication)
	code, err = try("/sec:tls")
	require.Equal(t, 133, code)
	require.ErrorIs(t, err, ErrNegotiation)
	_ = l.Close()
	<-done
}
