package rdpclient

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/keyboard"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// patience is how long something may take on a machine under load.
const patience = time.Minute

// recorder is an Observer.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}

func (r *recorder) Connected(string)                { r.add("connected") }
func (r *recorder) ClipboardFromTarget(text string) { r.add("clipboard " + text) }
func (r *recorder) Bell()                           { r.add("bell") }
func (r *recorder) Renamed(name string)             { r.add("renamed " + name) }
func (r *recorder) LinkLost()                       { r.add("lost") }
func (r *recorder) LinkRestored()                   { r.add("restored") }

func (r *recorder) has(event string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.events, event)
}

// link is a Client at work.
type link struct {
	*Client
	t        *testing.T
	fb       *desktop.Framebuffer
	observer *recorder
	log      *safeBuffer
	cancel   context.CancelCauseFunc
	done     chan struct{}
	err      error // of Run, once done is closed
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var errDone = errors.New("the test is over")

// start runs a Client against a server and ends it with the test.
func start(t *testing.T, addr string, cfg Config) *link {
	t.Helper()
	l := &link{t: t, observer: &recorder{}, log: &safeBuffer{}, done: make(chan struct{})}
	cfg.Observer = l.observer
	cfg.Logger = slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if l.Client, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if l.fb, err = desktop.NewFramebuffer(image.Pt(640, 480)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	l.cancel = cancel
	go func() {
		defer close(l.done)
		l.err = l.Run(ctx, conn, l.fb)
	}()
	t.Cleanup(func() {
		l.stop()
		if t.Failed() {
			t.Logf("log of the client:\n%s\nended: %v", l.log.String(), l.err)
		}
	})
	return l
}

// stop ends the Client and waits for it.
func (l *link) stop() {
	l.cancel(errDone)
	<-l.done
}

// connected waits until the desktop is there.
func (l *link) connected() {
	l.t.Helper()
	testbed.Eventually(l.t, patience, "the desktop", func() bool {
		select {
		case <-l.done:
			l.t.Fatalf("the client ended: %v", l.err)
		default:
		}
		return l.observer.has("connected") && !l.fb.Blank()
	})
}

// ends waits for the Client's own end and returns what it ended with.
func (l *link) ends() error {
	l.t.Helper()
	select {
	case <-l.done:
	case <-time.After(patience):
		l.t.Fatal("the client does not end")
	}
	return l.err
}

// picture is the framebuffer as an image.
func (l *link) picture() *image.RGBA {
	pix, size := l.fb.CopyPixels()
	img := image.NewRGBA(image.Rectangle{Max: size})
	for i := 0; i < len(pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = pix[i+2], pix[i+1], pix[i], 0xff
	}
	return img
}

// psnr is the peak signal-to-noise ratio of two pictures in decibels, infinite for equal ones and 0 for such of different
// size.
func psnr(a, b *image.RGBA) float64 {
	if a.Bounds() != b.Bounds() {
		return 0
	}
	sum := 0.0
	for i := range a.Pix {
		d := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += d * d
	}
	if sum == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(255*255/(sum/float64(len(a.Pix)/4*3)))
}

// shows waits until the framebuffer is what want returns, within a PSNR.
func (l *link) shows(least float64, want func() *image.RGBA) {
	l.t.Helper()
	var got, wanted *image.RGBA
	deadline := time.Now().Add(patience)
	for {
		got, wanted = l.picture(), want()
		if psnr(got, wanted) >= least {
			return
		}
		if time.Now().After(deadline) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	l.keep("got", got)
	l.keep("want", wanted)
	l.t.Fatalf("the picture of %v has %.1f dB of the wanted one of %v, need %.1f",
		got.Bounds().Size(), psnr(got, wanted), wanted.Bounds().Size(), least)
}

// usedCodec fails the test when a picture that may lose detail lost none: then the lossy codec was not used.
func (l *link) usedCodec(least float64, screen *image.RGBA) {
	l.t.Helper()
	if !math.IsInf(least, 1) && math.IsInf(psnr(l.picture(), screen), 1) {
		l.t.Error("nothing was lost, so the codec was not used")
	}
}

// keep writes a picture where a person finds it.
func (l *link) keep(name string, img *image.RGBA) {
	dir := filepath.Join(os.TempDir(), "vitrine-rdpclient")
	_ = os.MkdirAll(dir, 0o755)
	file := filepath.Join(dir, filepath.Base(l.t.Name())+"-"+name+".png")
	f, err := os.Create(file)
	if err != nil {
		return
	}
	defer f.Close()
	if png.Encode(f, img) == nil {
		l.t.Logf("kept %s", file)
	}
}

// realServers skips tests with other programs where only the quick ones are wanted.
func realServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a real server")
	}
}

// pinned trusts a certificate of the testbed.
func pinned(c *testbed.Cert) trust.Policy { return trust.Policy{Fingerprint: c.Fingerprint} }

// sends passes input to the target.
func (l *link) sends(inputs ...desktop.Input) {
	l.t.Helper()
	for _, in := range inputs {
		if err := l.Send(in); err != nil {
			l.t.Fatalf("%T: %v", in, err)
		}
	}
}

// types types text on the keys of a US keyboard.
func (l *link) types(text string) {
	l.t.Helper()
	const shift, enter = 0x2a, 0x1c
	for _, r := range text {
		code, shifted, ok := keyboard.OnUSLayout(r)
		if r == '\n' {
			code, ok = enter, true
		}
		if !ok {
			l.t.Fatalf("no key types %q", r)
		}
		key := desktop.KeyEvent{Keysym: keyboard.FromRune(r), Scancode: code}
		down := key
		down.Down = true
		if shifted {
			l.sends(desktop.KeyEvent{Keysym: keyboard.ShiftL, Scancode: shift, Down: true})
		}
		l.sends(down, key)
		if shifted {
			l.sends(desktop.KeyEvent{Keysym: keyboard.ShiftL, Scancode: shift})
		}
	}
}

// pointAway moves the pointer into a corner, because some targets draw it into their picture.
func (l *link) pointAway() {
	l.t.Helper()
	size := l.fb.Size()
	l.sends(desktop.PointerEvent{Pos: size.Sub(image.Pt(1, 1))})
}

// read returns a file's contents, empty when there is none.
func read(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}
