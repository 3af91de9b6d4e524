package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

func newSession(cfg *ManagerConfig, log *slog.Logger, req CreateRequest, p *process, control *grpc.ClientConn) *Session {
	id, pid := req.SessionID, p.cmd.Process.Pid
	s := &Session{
		id: id, cfg: cfg, log: log.With("session_id", id, "worker_pid", pid), process: p, conn: control,
		client: workerpb.NewWorkerClient(control), pid: pid,
		settled: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{}),
		snapshot: Snapshot{ID: id, State: session.StateConnecting, StartedAt: time.Now(), PID: pid},
	}
	s.notify = newNotifier(cfg.Observer, id, s.Snapshot)
	s.readsScreen = req.ReadScreen
	s.firstUse.Store(req.Target.TLS.FirstUse && req.Target.TLS.Fingerprint == "")
	if p.dial != nil {
		s.redials = newRedials(p.dial, req.Target, s.log)
	}
	return s
}

// begin gives the worker its session and returns when the desktop is there. When that fails the worker is gone.
func (s *Session) begin(ctx context.Context, req CreateRequest) error {
	response, err := s.client.Start(ctx, startRequest(s.cfg, req), grpc.ForceCodecV2(newWipingCodec()))
	if err != nil {
		return s.giveUp(ctx, startFailureOf(ctx, err), err)
	}
	s.mu.Lock()
	s.snapshot.Sandbox = bounded(response.GetSandbox())
	s.mu.Unlock()
	select {
	case <-s.settled:
	case <-ctx.Done():
		end := cancelEnd(ctx)
		if err := s.Terminate(context.WithoutCancel(ctx), session.Person{}, end); err != nil {
			s.log.Warn("worker not told to end", "error", err)
		}
		<-s.done
		// The worker's own reason counts when it was faster.
		return &EndError{End: s.Snapshot().End, Err: context.Cause(ctx)}
	}
	if now := s.Snapshot(); now.State == session.StateEnded {
		<-s.done
		return &EndError{End: s.Snapshot().End}
	}
	return nil
}

// giveUp ends a worker that did not start its session, and waits until it is gone.
func (s *Session) giveUp(ctx context.Context, end session.End, cause error) error {
	if end.Code != session.EndWorkerCrashed { // else its exit tells more
		s.mu.Lock()
		s.killed = &end
		s.mu.Unlock()
	}
	s.conn.Close() // it exits when the control socket ends
	s.killAfter(exitTimeout, end)
	<-s.done
	return &EndError{End: s.Snapshot().End, Err: errors.Join(cause, context.Cause(ctx))}
}

// startFailureOf reads why Start failed.
func startFailureOf(ctx context.Context, err error) session.End {
	for _, detail := range status.Convert(err).Details() {
		if changed, ok := detail.(*workerpb.StateChanged); ok {
			return readEnd(changed)
		}
	}
	if ctx.Err() != nil {
		return cancelEnd(ctx)
	}
	return session.NewEnd(session.EndWorkerCrashed, "it did not start")
}

// cancelEnd is the reason of a session that was not there when ctx ended.
func cancelEnd(ctx context.Context) session.End {
	switch {
	case errors.Is(context.Cause(ctx), errConnectTimeout):
		return session.NewEnd(session.EndTargetTimeout, "")
	case errors.Is(context.Cause(ctx), errClosing):
		return session.NewEnd(session.EndShutdown, "")
	}
	return session.NewEnd(session.EndConnectCancelled, "")
}

// startRequest is what the worker must know. It holds the credentials: it goes over the control socket and nowhere else.
func startRequest(cfg *ManagerConfig, req CreateRequest) *workerpb.StartRequest {
	t := req.Target
	keys := cfg.Keys
	if req.Keys != "" {
		keys = req.Keys
	}
	return &workerpb.StartRequest{
		SessionId: req.SessionID, User: &workerpb.Person{Id: req.Person.ID, Name: req.Person.Name}, ClientAddress: req.ClientAddress,
		Target: &workerpb.Target{
			Id: t.ID, Name: t.Name, Protocol: t.Protocol, Address: t.Address, Username: req.Credential.Username,
			Password: req.Credential.Password.Reveal(), Domain: req.Credential.Domain,
			Tls: &workerpb.TLS{
				ServerName: t.ServerName(), CaPem: t.TLS.CAPEM, Fingerprint: t.TLS.Fingerprint, FirstUse: t.TLS.FirstUse,
			},
			AllowPlaintext: t.TLS.AllowPlaintext, ViewOnly: t.ViewOnly,
			ClipboardToTarget: t.ClipboardToTarget, ClipboardFromTarget: t.ClipboardFromTarget,
			Rdp: rdpRequest(cfg, req),
		},
		PublicAddresses: cfg.PublicAddresses, Width: uint32(max(req.Size.X, 0)), Height: uint32(max(req.Size.Y, 0)),
		Encoding:             &workerpb.Encoding{FrameRate: uint32(cfg.FrameRate), MaxBitrate: uint32(cfg.MaxBitrate)},
		Recording:            &workerpb.RecordingOptions{Keys: string(keys), MinFreeBytes: cfg.MinFree, MaxSpoolBytes: cfg.MaxSpool},
		OrphanTimeoutSeconds: uint32(cfg.OrphanTimeout / time.Second),
		Watermark:            req.Watermark,
		ReadScreen:           req.ReadScreen,
		Detection:            req.Detection,
		AnswerSeconds:        uint32(req.AnswerLimit / time.Second),
		Unanswered:           string(req.Unanswered),
		Limits:               &workerpb.Limits{IdleSeconds: uint32(req.IdleLimit / time.Second), WarningSeconds: uint32(req.EndWarning / time.Second)},
	}
}
