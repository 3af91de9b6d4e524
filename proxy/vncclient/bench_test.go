package vncclient

import (
	"context"
	"errors"
	"image"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// BenchmarkRawFrame sends a full raw frame of 1920×1080 through a TCP connection and the whole client. The CPU
// time is the process's, the sending side included.
func BenchmarkRawFrame(b *testing.B) {
	const w, h = 1920, 1080
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	go func() { _, _ = io.Copy(io.Discard, server) }()

	fb, err := desktop.NewFramebuffer(image.Pt(w, h))
	if err != nil {
		b.Fatal(err)
	}
	client, err := New(plaintext)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(b.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx, nc, fb) }()
	if _, err := server.Write(hello(w, h)); err != nil {
		b.Fatal(err)
	}
	frame := cat(update(1), rectangle(0, 0, w, h, 0), make([]byte, w*h*4))
	drain := func() { fb.Snapshot(false, func([]byte, image.Point, *desktop.Damage) {}) }

	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	before := processTime(b)
	for b.Loop() {
		if _, err := server.Write(frame); err != nil {
			b.Fatal(err)
		}
		<-fb.Wake()
		drain()
	}
	b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	cancel(errStop)
	if err := <-done; !errors.Is(err, errStop) {
		b.Fatal(err)
	}
}

func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
