package session

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/stream"
)

// Attach sets the target and the door, whose callbacks are the Session's own methods. It is called once, before Run.
func (s *Session) Attach(source desktop.Source, door Door) { s.source, s.door = source, door }

// Run is the session's life, on conn, which is connected to the target and which it closes. It returns why the session
// ended, once the recording is sealed and every viewer has gone. ctx ends it because the gateway is stopping.
//
// A part that hangs while stopping is left behind after a while: the process ends then.
func (s *Session) Run(ctx context.Context, conn net.Conn) End {
	var loop sync.WaitGroup
	loop.Go(s.loop.run)
	defer loop.Wait()
	defer close(s.loop.stop)
	defer context.AfterFunc(ctx, func() { s.Terminate(Person{}, NewEnd(EndShutdown, "")) })()

	s.loop.post(func() { s.setState(StateConnecting, End{}) })
	recorder := start(s.runRecorder)
	door := start(func(ctx context.Context) { s.fault("door", s.door.Run(ctx)) })
	hub := start(func(ctx context.Context) { s.fault("hub", s.cfg.Hub.Run(ctx)) })
	pictures := start(s.runPictures)
	wish := start(s.wish)
	sender := start(s.send)
	source := start(func(ctx context.Context) { s.runSource(ctx, conn) })

	<-s.ending
	wish.stop(sendTimeout)
	s.queue.close() // what was let through still goes
	sender.wait(sendTimeout)
	source.stop(stopSourceTimeout)
	sender.stop(stopSourceTimeout)
	s.tellEnd() // who is in the session need not wait until all is on disk
	hub.stop(drainTimeout)
	if !pictures.wait(drainTimeout) {
		s.log.Error("pictures left unrecorded: the encode loop does not end")
	}
	pictures.stop(drainTimeout)
	s.seal()
	recorder.stop(drainTimeout)
	s.farewell()
	door.stop(stopDoorTimeout)
	s.loop.post(s.over)
	return s.ended
}

// part is a goroutine of Run.
type part struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has returned
}

// start runs fn until it returns or its context, ended by stop, makes it.
func start(fn func(ctx context.Context)) *part {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{cancel, make(chan struct{})}
	go func() {
		defer close(p.done)
		fn(ctx)
	}()
	return p
}

// stop ends the part and waits for it.
func (p *part) stop(limit time.Duration) (ended bool) {
	p.cancel()
	return p.wait(limit)
}

// wait waits for the part's own end. It reports whether that came within limit.
func (p *part) wait(limit time.Duration) (ended bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// runRecorder writes what is recorded until ctx ends.
func (s *Session) runRecorder(ctx context.Context) {
	if err := s.cfg.Recorder.Run(ctx); err != nil {
		s.loop.post(func() { s.recorderFailed(err) })
	}
}

// runPictures hands the pictures to the recorder, from the first on, until the hub has ended and everything is there.
func (s *Session) runPictures(ctx context.Context) {
	select {
	case <-s.connected:
	case <-s.ending:
		return
	}
	err := s.cfg.Hub.Serve(ctx, &tap{s: s}, recorderUnits, stream.Fail)
	if err != nil && ctx.Err() == nil {
		s.loop.post(func() { s.recorderFailed(err) })
	}
}

// runSource feeds the picture until the target or ctx ends.
func (s *Session) runSource(ctx context.Context, conn net.Conn) {
	err := s.source.Run(ctx, conn, s.cfg.Framebuffer)
	if ctx.Err() != nil {
		return
	}
	s.loop.post(func() {
		if s.isEnding() {
			return
		}
		s.log.Warn("target ended the session", "error", err)
		s.end(TargetEnd(err))
	})
}

// fault ends the session because a part of the gateway failed.
func (s *Session) fault(part string, err error) {
	if err == nil {
		return
	}
	s.loop.post(func() {
		if !s.isEnding() {
			s.log.Error("part of the session failed", "part", part, "error", err)
			s.end(NewEnd(EndInternal, ""))
		}
	})
}

// seal writes the last events and closes the recording.
func (s *Session) seal() {
	s.loop.post(func() {
		s.rejections.flush()
		if s.detection != nil {
			s.detection.finish()
		}
		if s.cfg.Last != nil {
			for _, e := range s.cfg.Last() {
				_ = s.record(e)
			}
		}
		s.status.End = s.ended
		_ = s.record(recording.StateEvent{Actor: s.endedBy.Name, State: string(StateEnded), Reason: string(s.ended.Code), Message: s.ended.Message})
		s.sealing = true
	})
	if err := s.cfg.Recorder.Seal(recording.EndReason{Code: string(s.ended.Code), Message: s.ended.Message}); err != nil {
		s.log.Error("recording left unsealed", "error", err)
	}
}

// tellEnd tells the viewers why the session ended. They leave with it, whenever each of them hears of it.
func (s *Session) tellEnd() {
	s.loop.post(func() {
		for _, v := range s.viewers {
			s.recordLeave(v, "session ended")
		}
		s.told = true
		s.door.SetState(StateEnded, s.ended)
	})
}

// farewell waits until the viewers have heard the end.
func (s *Session) farewell() {
	s.loop.post(func() {
		s.leaving = true
		s.checkAlone()
	})
	timer := time.NewTimer(farewellTimeout)
	defer timer.Stop()
	select {
	case <-s.alone:
	case <-timer.C:
		s.log.Warn("viewers did not leave in time")
	}
}

// over is the last task of the loop.
func (s *Session) over() {
	s.status.State = StateEnded
	s.cfg.Observer.StatusChanged(s.status)
	s.clipboard.stop()
	s.names.stop()
	if s.detection != nil && s.detection.timer != nil {
		s.detection.timer.Stop()
	}
	if s.question != nil && s.question.timer != nil {
		s.question.timer.Stop()
	}
	for _, t := range []*time.Timer{s.orphan, s.grace, s.idle.timer, s.rejections.timer} {
		if t != nil {
			t.Stop()
		}
	}
	s.log.Info("session ended", "code", s.ended.Code, "message", s.ended.Message, "input_events", s.inputs.Load())
}
