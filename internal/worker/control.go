package worker

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/sandbox"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// control is the worker's side of worker.proto.
type control struct {
	workerpb.UnimplementedWorkerServer

	opts  Options
	in    *inherited
	feed  *feed
	begun chan *assembly // capacity 1: from Start to Main

	mu       sync.Mutex
	started  bool
	watched  bool
	assembly *assembly // nil until Start has returned
	told     session.Stats
}

func newControl(o Options, in *inherited) *control {
	return &control{opts: o, in: in, feed: newFeed(), begun: make(chan *assembly, 1)}
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
	answer, err := a.door.Offer(ctx, webrtcserver.Offer{
		Person: webrtcserver.Person{ID: req.GetPerson().GetId(), Name: req.GetPerson().GetName()},
		Role:   webrtcserver.Role(req.GetRole()), ClientAddress: req.GetClientAddress(), SDP: req.GetSdp(),
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
	if err := a.door.AddCandidates(req.GetViewerId(), req.GetFragment()); err != nil {
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
	if err := a.door.CloseViewer(req.GetViewerId(), req.GetReason()); err != nil {
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
	a.session.Terminate(session.End{Code: session.EndCode(req.GetCode()), Message: req.GetMessage()})
	return &workerpb.TerminateResponse{}, nil
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
