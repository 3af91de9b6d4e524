package testbed

import (
	"crypto/tls"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// greets checks that a VNC server answers.
func greets(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	hello := make([]byte, 12)
	if _, err := io.ReadFull(conn, hello); err != nil || !strings.HasPrefix(string(hello), "RFB 003.008") {
		t.Fatalf("%s says %q, %v", addr, hello, err)
	}
}

func TestXvnc(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	var pid int
	t.Run("use", func(t *testing.T) {
		cert := NewCert(t, "localhost")
		x := StartXvnc(t, XvncOptions{Size: image.Pt(800, 600), Security: []string{"VncAuth", "X509Vnc"}, Password: "secret", Cert: cert})
		other := StartXvnc(t, XvncOptions{})
		pid = x.Pid()
		if x.Display == other.Display || x.Addr == other.Addr {
			t.Fatalf("two servers share %s %s", x.Display, x.Addr)
		}
		greets(t, x.Addr)
		Run(t, x.Display, "xsetroot", "-solid", "#204060")
		Eventually(t, time.Minute, "the colour", func() bool {
			return x.Screenshot(t).RGBAAt(799, 599) == color.RGBA{0x20, 0x40, 0x60, 0xff}
		})
		typed, log := filepath.Join(t.TempDir(), "typed"), LogInput(t, &x.X)
		XTerm(t, x.Display, "head -n 1 > "+typed)
		Type(t, x.Display, "Hello, \"World\"!\n")
		Eventually(t, time.Minute, "what was typed", func() bool {
			b, _ := os.ReadFile(typed)
			return string(b) == "Hello, \"World\"!\n"
		})
		Run(t, x.Display, "xdotool", "mousemove", "10", "20", "click", "3")
		Eventually(t, time.Minute, "the click in the log of the input", func() bool {
			all := log.Inputs()
			has := func(what string) bool { return slices.ContainsFunc(all, func(i Input) bool { return i.What == what }) }
			return has("key W down") && has("motion 10 20") && has("button 3 up")
		})
		for _, text := range []string{"plain", "Grüße, 世界 🎉"} {
			ClipboardSet(t, x.Display, text)
			if got := ClipboardGet(t, x.Display); got != text {
				t.Fatalf("clipboard holds %q, want %q", got, text)
			}
		}
		OpenBox(t, x.Display)
		PaintWallpaper(t, &x.X)
	})
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Fatalf("Xvnc outlived its test: %v", err)
	}
}

func TestX11vnc(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	v := StartX11vnc(t, X11vncOptions{Size: image.Pt(640, 480), Password: "secret"})
	greets(t, v.Addr)
	if size := v.Screen.Screenshot(t).Bounds().Size(); size != image.Pt(640, 480) {
		t.Fatalf("screen is %v", size)
	}
}

func TestMinIO(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real server")
	}
	m := StartMinIO(t)
	url := "http://" + m.Endpoint + "/minio/health/cluster"
	for range 2 {
		WaitHTTP(t, url, time.Second)
		m.Stop()
		if healthy(url) {
			t.Fatal("minio answers after Stop")
		}
		m.Start()
	}
}

func TestCert(t *testing.T) {
	c := NewCert(t, "desk.example", "127.0.0.1")
	server, client := net.Pipe()
	go func() { // ends with the pipe
		s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{c.TLS}})
		_ = s.Handshake()
		s.Close()
	}()
	s := tls.Client(client, &tls.Config{RootCAs: c.Pool, ServerName: "desk.example"})
	defer client.Close()
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
}

func TestFaultProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // an echo, which ends with its listener and the connections that the test closes
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	p := StartFaultProxy(t, l.Addr().String())
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echo := func(wait time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(wait))
		if _, err := conn.Write([]byte{'x'}); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	if err := echo(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Stall()
	if err := echo(50 * time.Millisecond); !os.IsTimeout(err) {
		t.Fatalf("stalled line gave %v", err)
	}
	p.Resume()
	if _, err := io.ReadFull(conn, make([]byte, 0)); err != nil {
		t.Fatal(err)
	}
	if err := echo(10 * time.Second); err != nil {
		t.Fatalf("after Resume: %v", err)
	}
	p.Cut()
	if err := echo(10 * time.Second); err == nil || os.IsTimeout(err) {
		t.Fatalf("cut line gave %v", err)
	}
	if again, err := net.Dial("tcp", p.Addr); err == nil {
		_ = again.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := again.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Fatalf("cut line takes connections: %v", err)
		}
		again.Close()
	}
}

// fake is a test that fails or skips.
type fake struct {
	testing.TB
	said string
}

func (f *fake) Fatalf(format string, args ...any) { f.said = "fatal: " + fmt.Sprintf(format, args...) }

func (f *fake) Skipf(format string, args ...any) { f.said = "skip: " + fmt.Sprintf(format, args...) }

func TestRequire(t *testing.T) {
	for ci, want := range map[string]string{"": "skip: ", "1": "fatal: "} {
		t.Setenv("CI", ci)
		f := &fake{TB: t}
		Require(f, "sh", "no-such-program")
		if !strings.HasPrefix(f.said, want) || !strings.Contains(f.said, "no-such-program") {
			t.Errorf("CI=%q: %q", ci, f.said)
		}
	}
}

func TestParseXWDRefuses(t *testing.T) {
	for name, b := range map[string][]byte{"empty": nil, "short": make([]byte, 99), "zero": make([]byte, 200)} {
		if _, err := parseXWD(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
