package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

// Options are what a worker is told on its command line. Nothing of it is secret.
type Options struct {
	Spool    string // folder of the recording, which exists and is empty
	Sandbox  sandbox.Mode
	MediaTCP bool // descriptor 6 is a listener
	Dial     bool // descriptor 7 is the dial socket
	Native   bool // descriptor 8 is the native socket
	Version  string
	Logger   *slog.Logger
}

// errNoStart ends a worker nobody gave work to.
var errNoStart = errors.New("worker: nobody gave it a session")

// Main is the worker: it runs one session and returns when that is over and told. ctx ends the session in good order.
func Main(ctx context.Context, o Options) error {
	tune()
	// Standard error is a pipe to serve. When serve is gone, writing a log line must not be what ends the worker.
	signal.Ignore(syscall.SIGPIPE)
	in, err := inherit(o.MediaTCP, o.Dial, o.Native)
	if err != nil {
		return err
	}
	defer in.close()
	c := newControl(o, in)
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxRequestBytes), grpc.MaxConcurrentStreams(64),
		grpc.WaitForHandlers(true), grpc.StaticStreamWindowSize(controlWindow), grpc.StaticConnWindowSize(controlWindow),
	)
	workerpb.RegisterWorkerServer(server, c)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(newOneConn(in.control)) }) // it ends with the connection, which is noticed there
	defer serving.Wait()
	defer server.Stop()

	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case a := <-c.begun:
		timer.Stop()
		c.run(ctx, a)
	case <-in.control.gone:
		return errNoStart
	case <-timer.C:
		return errNoStart
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// Serve hangs up once it has heard the end.
	done := make(chan struct{})
	serving.Go(func() {
		defer close(done)
		server.GracefulStop()
	})
	select {
	case <-done:
	case <-time.After(partTimeout):
	}
	return nil
}

// run runs the session and tells of it until it is over.
func (c *control) run(ctx context.Context, a *assembly) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	if a.watermark != nil {
		wg.Go(func() { a.watermark(ctx) })
	}
	if c.natives != nil {
		wg.Go(func() { c.natives.run(ctx) })
	}
	if a.screen != nil {
		wg.Go(func() { a.screen.watcher.Run(ctx) })
	}
	wg.Go(func() {
		select {
		case <-c.in.control.gone:
			a.session.Terminate(session.Person{}, session.NewEnd(session.EndServeGone, ""))
		case <-c.over:
		}
	})
	a.session.Run(ctx, a.target)
	close(c.over)
	cancel()
	wg.Wait()
	c.feed.statsChanged(a.session.Stats())
	c.feed.close()
}

// What a worker may use of the machine. A session is one pipeline: decode, convert, encode, send.
const (
	maxThreads  = 4
	gcPercent   = 50        // most of the heap lives as long as the session, and garbage should not double it
	memoryLimit = 512 << 20 // soft: the largest desktop takes half of it
)

// tune fits the Go runtime to a process of which there are many.
func tune() {
	runtime.GOMAXPROCS(min(runtime.NumCPU(), maxThreads))
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}

// lockIn locks the process in and says how far that went.
func lockIn(o Options) (string, error) {
	report, err := sandbox.Lock(o.Sandbox, o.Spool)
	if err != nil {
		return "", fmt.Errorf("worker: %w", err)
	}
	log := o.Logger.Info
	if report.Level() != "full" {
		log = o.Logger.Warn
	}
	var missing []string
	for _, m := range report.Missing {
		missing = append(missing, m.Error())
	}
	log("worker locked in", "sandbox", report.Level(), "landlock", report.Landlock, "seccomp", report.Seccomp, "missing", missing)
	return report.Level(), nil
}
