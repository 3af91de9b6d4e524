package demotarget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/vncclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for what must happen.
const patience = time.Minute

// run starts a server for the length of the test and returns its address.
func run(t *testing.T, o Options) (*Server, string) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// viewer is the gateway's own client. It is an Observer.
type viewer struct {
	*vncclient.Client
	fb *desktop.Framebuffer

	mu    sync.Mutex
	heard []string
	err   error         // what Run returned, once done is closed
	done  chan struct{} // closed when Run has returned
}

func (v *viewer) hear(s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.heard = append(v.heard, s)
}

func (v *viewer) Connected(name string)           { v.hear("connected " + name) }
func (v *viewer) ClipboardFromTarget(text string) { v.hear("clipboard " + text) }
func (v *viewer) Bell()                           { v.hear("bell") }
func (v *viewer) Renamed(name string)             { v.hear("renamed " + name) }

func (v *viewer) has(s string) func() bool {
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return strings.Contains("\n"+strings.Join(v.heard, "\n")+"\n", "\n"+s+"\n")
	}
}

func view(t *testing.T, addr string, cfg vncclient.Config) *viewer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{fb: fb, done: make(chan struct{})}
	cfg.Observer, cfg.AllowPlaintext = v, true
	if v.Client, err = vncclient.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		v.err = v.Run(ctx, conn, fb)
		close(v.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-v.done
	})
	return v
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// same reports whether the viewer has the server's picture, exactly.
func same(s *Server, v *viewer) func() bool {
	return func() bool {
		want := s.Screenshot()
		pix, size := v.fb.CopyPixels()
		if size != want.Rect.Size() {
			return false
		}
		for i := 0; i < len(pix); i += 4 {
			if pix[i] != want.Pix[i+2] || pix[i+1] != want.Pix[i+1] || pix[i+2] != want.Pix[i] {
				return false
			}
		}
		return true
	}
}

func TestPixels(t *testing.T) {
	const raw, zrle, copyRect = vncclient.EncodingRaw, vncclient.EncodingZRLE, vncclient.EncodingCopyRect
	for _, encodings := range [][]vncclient.EncodingType{{raw}, {zrle}, {copyRect, zrle}, {copyRect, raw}} {
		t.Run(fmt.Sprint(encodings), func(t *testing.T) {
			s, addr := run(t, Options{Size: image.Pt(203, 151)})
			s.Bars()
			v := view(t, addr, vncclient.Config{Encodings: encodings})
			eventually(t, "bars", same(s, v))
			s.Draw(noise)
			eventually(t, "noise", same(s, v))
			s.Draw(gradient)
			eventually(t, "gradient", same(s, v))
			s.Fill(image.Rect(-5, -5, 20, 20), color.RGBA{1, 2, 3, 255})
			s.Fill(image.Rect(190, 140, 999, 999), color.RGBA{4, 5, 6, 255})
			eventually(t, "corners", same(s, v))
			for i := range 50 { // overlapping copies and fills, faster than the viewer asks
				if err := s.Copy(image.Rect(i, i, i+60, i+60), image.Pt(i+3, i+1)); err != nil {
					t.Fatal(err)
				}
				if i%3 == 0 {
					s.Fill(image.Rect(i, 40, i+30, 60), color.RGBA{byte(i), 5, 6, 255})
				}
			}
			eventually(t, "copies", same(s, v))
			if err := s.Resize(image.Pt(320, 99)); err != nil {
				t.Fatal(err)
			}
			s.Bars()
			eventually(t, "resized", same(s, v))
		})
	}
}

// A window dragged in small steps: each copy starts where the last one ended.
func TestMovesMerge(t *testing.T) {
	s, addr := run(t, Options{Size: image.Pt(400, 300)})
	s.Draw(noise)
	v := view(t, addr, vncclient.Config{Encodings: []vncclient.EncodingType{vncclient.EncodingCopyRect, vncclient.EncodingZRLE}})
	eventually(t, "noise", same(s, v))
	r := image.Rect(10, 10, 90, 90)
	for i := range 100 {
		next := r.Add(image.Pt(3, i%2))
		if err := s.Copy(next, r.Min); err != nil {
			t.Fatal(err)
		}
		s.Fill(image.Rect(r.Min.X, r.Min.Y, next.Min.X, r.Max.Y), color.RGBA{0, byte(i), 0, 255})
		s.Fill(image.Rect(r.Min.X, r.Max.Y-1, r.Max.X, r.Max.Y), color.RGBA{0, 0, byte(i), 255})
		r = next
	}
	eventually(t, "the moves", same(s, v))
}

func noise(img *image.RGBA) image.Rectangle {
	n := uint32(7)
	for i := 0; i < len(img.Pix); i += 4 {
		n = n*1664525 + 1013904223
		img.Pix[i], img.Pix[i+1], img.Pix[i+2] = byte(n>>24), byte(n>>16), byte(n>>8)
	}
	return img.Rect
}

func gradient(img *image.RGBA) image.Rectangle {
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			img.SetRGBA(x, y, color.RGBA{byte(y), byte(x / 16), byte(y / 3), 255})
		}
	}
	return img.Rect
}

func TestInput(t *testing.T) {
	s, addr := run(t, Options{})
	v := view(t, addr, vncclient.Config{})
	eventually(t, "connection", v.has("connected Vitrine demo"))
	for _, in := range []desktop.Input{
		desktop.PointerEvent{Pos: image.Pt(12, 34), Buttons: desktop.ButtonLeft},
		desktop.KeyEvent{Keysym: 'q', Down: true},
		desktop.KeyEvent{Keysym: 'q'},
	} {
		if err := v.Send(in); err != nil {
			t.Fatal(err)
		}
	}
	// Until both sides have said that they know more, text goes as Latin-1.
	const text = "Grüße,\n世界"
	eventually(t, "clipboard", func() bool {
		if err := v.Send(desktop.ClipboardText{Text: text}); err != nil {
			t.Fatal(err)
		}
		return s.Clipboard() == text
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, want := range []func(Event) bool{
		func(e Event) bool { return e.Kind == Pointed && e.Pos == image.Pt(12, 34) && e.Buttons == 1 },
		func(e Event) bool { return e.Kind == KeyPressed && e.Keysym == 'q' && e.Down },
		func(e Event) bool { return e.Kind == KeyPressed && e.Keysym == 'q' && !e.Down },
		func(e Event) bool { return e.Kind == TextArrived && e.Text == text },
	} {
		if _, err := s.WaitEvent(ctx, want); err != nil {
			t.Fatalf("%v, of %v", err, s.Events())
		}
	}
}

func TestTargetSpeaks(t *testing.T) {
	s, addr := run(t, Options{Name: "one"})
	v := view(t, addr, vncclient.Config{})
	eventually(t, "connection", v.has("connected one"))
	s.Rename("two")
	s.Bell()
	eventually(t, "name", v.has("renamed two"))
	eventually(t, "bell", v.has("bell"))
	eventually(t, "clipboard", func() bool { // Latin-1 until the viewer has said that it knows more
		s.SetClipboard("línea\n二")
		return v.has("clipboard línea\n二")()
	})
	eventually(t, "cursor", func() bool {
		c := v.fb.Cursor()
		return c.Shape != nil && c.Shape.Rect.Size() == Arrow.Image.Rect.Size()
	})
}

func TestViewerResizes(t *testing.T) {
	s, addr := run(t, Options{})
	s.Bars() // black is what a viewer has before it heard anything
	v, other := view(t, addr, vncclient.Config{}), view(t, addr, vncclient.Config{})
	eventually(t, "picture", same(s, v))
	eventually(t, "picture", same(s, other))
	if err := v.Resize(image.Pt(640, 360)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*viewer{v, other} {
		eventually(t, "new size", func() bool { return v.fb.Size() == image.Pt(640, 360) })
		eventually(t, "picture", same(s, v))
	}
	// One that the server does not follow leaves everything as it is.
	if err := s.Resize(image.Pt(4, 4)); !errors.Is(err, desktop.ErrSize) {
		t.Fatalf("resize to 4×4 gave %v", err)
	}
}

func TestPassword(t *testing.T) {
	s, addr := run(t, Options{Password: "Vnc0Pass"})
	v := view(t, addr, vncclient.Config{Password: "Vnc0Pass"})
	eventually(t, "picture", same(s, v))
	wrong := view(t, addr, vncclient.Config{Password: "other"})
	<-wrong.done
	if !errors.Is(wrong.err, desktop.ErrAuth) {
		t.Fatalf("wrong password gave %v", wrong.err)
	}
}

func TestFaults(t *testing.T) {
	for f := FaultClose; f < faults; f++ {
		t.Run(fmt.Sprint(int(f)), func(t *testing.T) {
			s, addr := run(t, Options{Size: image.Pt(64, 64)})
			calm := view(t, addr, vncclient.Config{})
			eventually(t, "picture", same(s, calm))
			s.Inject(f)
			if f == FaultStall {
				return // the end of the test must not wait for it
			}
			<-calm.done
			if calm.err == nil {
				t.Fatal("the viewer saw nothing wrong")
			}
			// The server itself goes on.
			next := view(t, addr, vncclient.Config{})
			eventually(t, "picture", same(s, next))
		})
	}
}

func TestNewRefusesSizes(t *testing.T) {
	if _, err := New(Options{Size: image.Pt(100000, 100)}); !errors.Is(err, desktop.ErrSize) {
		t.Fatalf("got %v", err)
	}
}

func TestEventLogForgets(t *testing.T) {
	s, err := New(Options{Size: image.Pt(64, 64)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * MaxEvents {
		s.input(Event{Kind: KeyPressed, Keysym: uint32(i)}, nil)
	}
	list := s.Events()
	if n := len(list); n > MaxEvents || n < MaxEvents/2 || list[n-1].Keysym != 3*MaxEvents-1 || list[0].Keysym != uint32(3*MaxEvents-n) {
		t.Fatalf("%d events, %d to %d", len(list), list[0].Keysym, list[len(list)-1].Keysym)
	}
}

func TestLatin1(t *testing.T) {
	if got := toLatin1("é世"); got != "\xe9?" {
		t.Errorf("got %q", got)
	}
	if got := fromLatin1([]byte("\xe9\r\n")); got != "é\n" {
		t.Errorf("got %q", got)
	}
	var p clipboardPeer
	if got := p.appendText(nil, "hé", false); !bytes.Equal(got, []byte{3, 0, 0, 0, 0, 0, 0, 2, 'h', 0xe9}) {
		t.Errorf("got % x", got)
	}
}
