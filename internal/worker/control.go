package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// control is the worker's side of worker.proto.
type control struct {
	workerpb.UnimplementedWorkerServer

	opts  Options
	in    *inherited
	feed  *feed
	begun chan *assembly // capacity 1: from Start to Main
	over  chan struct{}  // closed when the session has ended
	// natives are connections of native clients that wait to be let in; nil: there are none.
	natives *natives

	mu       sync.Mutex
	started  bool
	watched  bool
	assembly *assembly // nil until Start has returned
	told     session.Stats
}

func newControl(o Options, in *inherited) *control {
	c := &control{opts: o, in: in, feed: newFeed(), begun: make(chan *assembly, 1), over: make(chan struct{})}
	if in.native != nil {
		c.natives = newNatives(in.native)
	}
	return c
}

// Start implements workerpb.WorkerServer.
func (c *control) Start(_ context.Context, req *workerpb.StartRequest) (*workerpb.StartResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		return nil, status.Error(codes.FailedPrecondition, "a session was started before")
	}
	c.started = true
	a, err := assemble(c.opts, c.in, req, c.feed)
	if err != nil {
		c.opts.Logger.Error("session not started", "error", err)
		return nil, startFailure(startEnd(err))
	}
	level, err := lockIn(c.opts)
	if err != nil {
		c.opts.Logger.Error("session not started", "error", err)
		end := session.NewEnd(session.EndInternal, "")
		if errors.Is(err, sandbox.ErrUnavailable) {
			end = session.NewEnd(session.EndSandbox, "")
		}
		if err := a.recorder.Seal(recording.EndReason{Code: string(end.Code), Message: end.Message}); err != nil {
			c.opts.Logger.Error("recording left unsealed", "error", err)
		}
		return nil, startFailure(end)
	}
	c.assembly = a
	c.begun <- a
	return &workerpb.StartResponse{Sandbox: level}, nil
}

// startFailure says why Start failed, for programs in its details.
func startFailure(end session.End) error {
	s := status.New(codes.Aborted, end.Message)
	if detailed, err := s.WithDetails(&workerpb.StateChanged{
		State: workerpb.State_STATE_ENDED, Code: string(end.Code), Message: end.Message,
	}); err == nil {
		s = detailed
	}
	return s.Err()
}

// running returns the session, once there is one.
func (c *control) running() (*assembly, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.assembly == nil {
		return nil, status.Error(codes.Unavailable, "no session was started")
	}
	return c.assembly, nil
}

// Watch implements workerpb.WorkerServer. There is one watcher.
func (c *control) Watch(_ *workerpb.WatchRequest, stream grpc.ServerStreamingServer[workerpb.Event]) error {
	c.mu.Lock()
	again := c.watched
	c.watched = true
	c.mu.Unlock()
	if again {
		return status.Error(codes.FailedPrecondition, "the session is watched already")
	}
	for {
		events, done := c.feed.take()
		if done {
			return nil
		}
		for _, e := range events {
			if err := stream.Send(e); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-c.feed.wake:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}

// Ping implements workerpb.WorkerServer.
func (c *control) Ping(ctx context.Context, _ *workerpb.PingRequest) (*workerpb.PingResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if err := a.session.Ping(ctx); err != nil && !errors.Is(err, session.RefusedEnded) {
		return nil, status.FromContextError(err).Err()
	}
	c.tellStats(a.session.Stats())
	return &workerpb.PingResponse{}, nil
}

// tellStats tells the figures if they have changed. It comes with each ping, so that an idle worker needs no clock of its own.
func (c *control) tellStats(now session.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now != c.told {
		c.told = now
		c.feed.statsChanged(now)
	}
}

// Offer implements workerpb.WorkerServer.
func (c *control) Offer(ctx context.Context, req *workerpb.OfferRequest) (*workerpb.OfferResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	answer, err := a.doors.offer(ctx, webrtcserver.Offer{
		Person: webrtcserver.Person{ID: req.GetPerson().GetId(), Name: req.GetPerson().GetName()},
		Role:   webrtcserver.Role(req.GetRole()), ClientAddress: req.GetClientAddress(), SDP: req.GetSdp(), Announced: req.GetAnnounced(),
	})
	if err != nil {
		return nil, doorFailure(err)
	}
	return &workerpb.OfferResponse{ViewerId: answer.ViewerID, Sdp: answer.SDP}, nil
}

// AddCandidates implements workerpb.WorkerServer.
func (c *control) AddCandidates(_ context.Context, req *workerpb.AddCandidatesRequest) (*workerpb.AddCandidatesResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if err := a.doors.browser.AddCandidates(req.GetViewerId(), req.GetFragment()); err != nil {
		return nil, doorFailure(err)
	}
	return &workerpb.AddCandidatesResponse{}, nil
}

// CloseViewer implements workerpb.WorkerServer.
func (c *control) CloseViewer(_ context.Context, req *workerpb.CloseViewerRequest) (*workerpb.CloseViewerResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if err := a.doors.closeViewer(req.GetViewerId(), req.GetReason()); err != nil {
		return nil, doorFailure(err)
	}
	return &workerpb.CloseViewerResponse{}, nil
}

// Terminate implements workerpb.WorkerServer. It does not wait for the end.
func (c *control) Terminate(_ context.Context, req *workerpb.TerminateRequest) (*workerpb.TerminateResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	a.session.Terminate(personOf(req.GetBy()), session.End{Code: session.EndCode(req.GetCode()), Message: req.GetMessage()})
	return &workerpb.TerminateResponse{}, nil
}

// Notify implements workerpb.WorkerServer.
func (c *control) Notify(ctx context.Context, req *workerpb.NotifyRequest) (*workerpb.NotifyResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	var e session.Ending
	switch req.GetKind() {
	case notifyEnding:
		e.End = session.End{Code: session.EndCode(req.GetCode()), Message: req.GetText()}
		e.Deadline = time.Now().Add(time.Duration(req.GetRemainingMs()) * time.Millisecond)
	case notifyClear:
	default:
		return nil, status.Errorf(codes.InvalidArgument, "kind %q of notice is not known", req.GetKind())
	}
	if err := a.session.Announce(ctx, e); err != nil {
		return nil, sessionFailure(err)
	}
	return &workerpb.NotifyResponse{}, nil
}

// Kinds of notices.
const (
	notifyEnding = "ending"
	notifyClear  = "clear"
)

// Permit implements workerpb.WorkerServer.
func (c *control) Permit(ctx context.Context, req *workerpb.PermitRequest) (*workerpb.PermitResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	if err := a.session.Permit(ctx, req.GetClipboardToTarget(), req.GetClipboardFromTarget()); err != nil {
		return nil, sessionFailure(err)
	}
	return &workerpb.PermitResponse{}, nil
}

// SetRules implements workerpb.WorkerServer.
func (c *control) SetRules(ctx context.Context, req *workerpb.SetRulesRequest) (*workerpb.SetRulesResponse, error) {
	a, err := c.running()
	if err != nil {
		return nil, err
	}
	rules, err := rulesIn(req.GetDetection())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := a.session.SetRules(ctx, rules); err != nil {
		return nil, sessionFailure(err)
	}
	return &workerpb.SetRulesResponse{}, nil
}

// sessionFailure is an error of a session's own methods in gRPC's words. Session.callError reads it back.
func sessionFailure(err error) error {
	if errors.Is(err, session.RefusedEnded) {
		return status.Error(codes.Unavailable, err.Error())
	}
	if r, ok := errors.AsType[session.Refusal](err); ok && r.Code() != "" {
		s := status.New(codes.Aborted, r.Error())
		if detailed, err := s.WithDetails(&workerpb.Refused{Code: r.Code(), Message: r.Error()}); err == nil {
			s = detailed
		}
		return s.Err()
	}
	return status.FromContextError(err).Err()
}

// doorCodes are the door's errors in gRPC's words. Session.callError reads them back.
var doorCodes = []struct {
	err  error
	code codes.Code
}{
	{webrtcserver.ErrOffer, codes.InvalidArgument},
	{webrtcserver.ErrFragment, codes.InvalidArgument},
	{webrtcserver.ErrTooManyViewers, codes.ResourceExhausted},
	{webrtcserver.ErrControlTaken, codes.FailedPrecondition},
	{webrtcserver.ErrUnknownViewer, codes.NotFound},
	{webrtcserver.ErrClosed, codes.Unavailable},
	{rdpserver.ErrState, codes.InvalidArgument},
	{rdpserver.ErrTooManyViewers, codes.ResourceExhausted},
	{rdpserver.ErrControlTaken, codes.FailedPrecondition},
	{rdpserver.ErrUnknownViewer, codes.NotFound},
	{rdpserver.ErrClosed, codes.Unavailable},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

func doorFailure(err error) error {
	for _, d := range doorCodes {
		if errors.Is(err, d.err) {
			return status.Error(d.code, err.Error())
		}
	}
	return status.Error(codes.Unknown, err.Error())
}
