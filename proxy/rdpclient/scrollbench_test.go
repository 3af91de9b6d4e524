package rdpclient

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/internal/testbed"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// BenchmarkXRDPScroll is the target's side alone while text scrolls 20 times a second on a real xrdp of 1920×1080: a Client
// and its framebuffer, no encoder. The CPU time is this process's, in which nothing else happens; TLS is part of it.
//
//	go test ./proxy/rdpclient -run '^$' -bench XRDPScroll -benchtime 1x
func BenchmarkXRDPScroll(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a minute, and a real xrdp")
	}
	for _, c := range []struct {
		session  string
		depth    int
		graphics Graphics
		name     string
	}{
		{"Xorg", 32, 0, "Xorg-32"},
		{"Xorg", 24, 0, "Xorg-24"},
		{"Xorg", 16, 0, "Xorg-16"},
		{"Xorg", 32, GraphicsRemoteFX, "Xorg-RemoteFX"},
		{"Xvnc", 32, 0, "Xvnc-32"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				measureScroll(b, c.session, Config{ColorDepth: c.depth, Graphics: c.graphics})
			}
		})
	}
}

// measured counts what is read from the target, TLS and all.
type measured struct {
	net.Conn
	read atomic.Int64
}

func (c *measured) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func measureScroll(b *testing.B, session string, cfg Config) {
	const rate, seconds = 20, 10
	cert := testbed.NewCert(b, "127.0.0.1")
	x := testbed.StartXRDP(b, testbed.XRDPOptions{Session: session, Cert: cert})
	cfg.Username, cfg.Password, cfg.Size, cfg.TLS = x.Username, desktop.Secret(x.Password), fullHD.Max, pinned(cert)
	client, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
	if err != nil {
		b.Fatal(err)
	}
	tcp, err := net.Dial("tcp", x.Addr)
	if err != nil {
		b.Fatal(err)
	}
	conn := &measured{Conn: tcp}
	ctx, cancel := context.WithCancelCause(b.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx, conn, fb) }()
	defer func() {
		cancel(errDone)
		if err := <-done; !errors.Is(err, errDone) {
			b.Errorf("the client ended: %v", err)
		}
	}()
	screen := x.Session(b)
	if got := screen.Size(b); got != fullHD.Max {
		b.Fatalf("a desktop of %v", got)
	}
	script, err := filepath.Abs(filepath.Join("..", "..", "testdata", "workloads", "lines.py"))
	if err != nil {
		b.Fatal(err)
	}
	terminal := exec.Command("xterm", "-fa", "Monospace", "-fs", "11", "-geometry", "140x50+80+80", "-e",
		fmt.Sprintf("/usr/bin/python3 %s scroll %d 3 %d; exec sleep 1d", script, rate, seconds+10))
	terminal.Env = append(os.Environ(), "DISPLAY="+screen.Display)
	if err := terminal.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = terminal.Process.Kill()
		_ = terminal.Wait() // killed
	}()
	time.Sleep(3 * time.Second) // past the start of programs

	updates, pixels := 0, 0
	bytes, cpu, began := conn.read.Load(), processTime(b), time.Now()
	for end := time.After(seconds * time.Second); ; {
		select {
		case <-fb.Wake():
			fb.Snapshot(false, func(_ []byte, _ image.Point, d *desktop.Damage) {
				updates++
				pixels += d.Count() * desktop.BlockSize * desktop.BlockSize
			})
			continue
		case err := <-done:
			done <- err // for the deferred function, which tells
			b.FailNow()
		case <-end:
		}
		break
	}
	took := time.Since(began).Seconds()
	b.ReportMetric((processTime(b)-cpu).Seconds()/took, "cores")
	b.ReportMetric(float64(conn.read.Load()-bytes)/1000/took, "KB/s")
	b.ReportMetric(float64(updates)/took, "updates/s")
	b.ReportMetric(float64(pixels)/1e6/took, "Mpixel/s")
	b.ReportMetric(0, "ns/op") // a stretch of time was measured, not operations
	if pixels == 0 {
		b.Error("nothing was drawn")
	}
}

// processTime returns the user and system time this process has used, without its children.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
