package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// Session is a session as serve sees it: a worker at the other end of a socketpair. supervise is its life.
type Session struct {
	id          string
	cfg         *ManagerConfig
	log         *slog.Logger
	process     *process
	conn        *grpc.ClientConn
	client      workerpb.WorkerClient
	notify      *notifier
	redials     *redials // nil: the worker has no dial socket
	readsScreen bool
	pid         int

	settled chan struct{} // closed when the session has first become active, frozen or ended
	exited  chan struct{} // closed when the process was reaped
	done    chan struct{} // closed when nothing of the session is left

	mu       sync.Mutex
	snapshot Snapshot
	heard    *session.End // the worker's own word on the end
	killed   *session.End // why it was killed
	deadline *time.Timer  // kills a worker that does not end; nil: not armed
	settle   sync.Once
	ending   atomic.Bool
	firstUse atomic.Bool // the worker may tell of a certificate
}

// dialControl makes the gRPC side of a control socket. The connection is made once: when it is lost the worker is.
func dialControl(control net.Conn) (*grpc.ClientConn, error) {
	first := make(chan net.Conn, 1)
	first <- control
	return grpc.NewClient("passthrough:///worker",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-first:
				return c, nil
			default:
				return nil, errors.New("worker: the control socket is gone")
			}
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes), grpc.MaxCallSendMsgSize(maxRequestBytes)),
		grpc.WithWriteBufferSize(0), // see wipingCodec
		grpc.WithIdleTimeout(0), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
		grpc.WithStaticStreamWindowSize(controlWindow), grpc.WithStaticConnWindowSize(controlWindow),
	)
}

// supervise watches a started worker until nothing of it is left, and tells.
func (s *Session) supervise(watched context.Context, unwatch context.CancelFunc) {
	var told, parts sync.WaitGroup
	told.Go(s.notify.run)
	parts.Go(func() { forwardLog(s.process.log, s.cfg.Logger.With("session_id", s.id, "worker_pid", s.pid)) })
	heard := make(chan struct{})
	parts.Go(func() {
		defer close(heard)
		s.watch(watched)
	})
	parts.Go(func() { s.watchdog(watched) })
	if s.readsScreen {
		parts.Go(func() { s.readScreen(watched) })
	}
	if s.redials != nil {
		parts.Go(func() { s.redials.run(watched) })
	}

	err := s.process.cmd.Wait()
	close(s.exited)
	s.mu.Lock()
	if s.deadline != nil {
		s.deadline.Stop()
	}
	s.mu.Unlock()
	// What the worker said before it went is still in the socket and in the pipe.
	select {
	case <-heard:
	case <-time.After(partTimeout):
	}
	unwatch()
	s.conn.Close()
	s.process.native.Close()
	_ = s.process.log.SetReadDeadline(time.Now().Add(partTimeout))
	parts.Wait()
	s.process.log.Close()

	end := s.conclude(err)
	s.notify.sessionChanged()
	s.notify.sessionEnded(end)
	told.Wait()
}

// conclude decides why the session ended, once the process is gone.
func (s *Session) conclude(exit error) session.End {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := session.NewEnd(session.EndWorkerCrashed, exitDetail(exit))
	switch {
	case s.heard != nil:
		end = *s.heard
	case s.killed != nil:
		end = *s.killed
	}
	s.snapshot.State, s.snapshot.End, s.snapshot.Viewers = session.StateEnded, end, nil
	s.settle.Do(func() { close(s.settled) })
	if s.heard == nil {
		s.log.Error("worker gone", "code", end.Code, "message", end.Message)
	} else {
		s.log.Info("session ended", "code", end.Code, "message", end.Message)
	}
	return end
}

// exitDetail words how a process ended.
func exitDetail(err error) string {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return "it ended without a word"
	}
	if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		return "signal: " + st.Signal().String()
	}
	return fmt.Sprintf("exit status %d", exit.ExitCode())
}

// watch takes in what the worker tells until it has said that the session ended, or is gone.
func (s *Session) watch(ctx context.Context) {
	stream, err := s.client.Watch(ctx, &workerpb.WatchRequest{})
	for err == nil {
		var e *workerpb.Event
		if e, err = stream.Recv(); err == nil {
			s.apply(e)
		}
	}
	// Whatever the reason, a worker that nobody listens to must end.
	s.killAfter(exitTimeout, session.NewEnd(session.EndWorkerCrashed, "it hung up"))
}

func (s *Session) apply(e *workerpb.Event) {
	if f := e.GetFileClosed(); f != nil {
		s.notify.fileClosed(bounded(f.GetName()))
		return
	}
	if c := e.GetCertificate(); c != nil {
		s.certificate(c.GetFingerprint())
		return
	}
	if a := e.GetAlert(); a != nil {
		if alert, ok := alertIn(a); ok {
			s.notify.alertRaised(alert)
		}
		return
	}
	if j := e.GetJustification(); j != nil {
		if answer, ok := justificationIn(j); ok {
			s.notify.justified(answer)
		}
		return
	}
	s.mu.Lock()
	s.snapshot.apply(e)
	state := s.snapshot.State
	if state == session.StateEnded && s.heard == nil {
		end := s.snapshot.End
		s.heard = &end
		s.ending.Store(true)
	}
	s.mu.Unlock()
	if state != session.StateConnecting {
		s.settle.Do(func() { close(s.settled) })
	}
	s.notify.sessionChanged()
}

// certificate passes on which certificate the worker took at first use. A worker says so once, and only if it was asked to.
func (s *Session) certificate(text string) {
	if _, err := trust.ParseFingerprint(text); err != nil || !s.firstUse.CompareAndSwap(true, false) {
		s.log.Warn("worker tells of a certificate it was not asked for")
		return
	}
	s.notify.certificateTrusted(text)
}

// watchdog pings the worker, and kills it when it does not answer.
func (s *Session) watchdog(ctx context.Context) {
	tick := time.NewTicker(s.cfg.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-s.exited:
			return
		}
		ping, cancel := context.WithTimeout(ctx, s.cfg.PingTimeout)
		_, err := s.client.Ping(ping, &workerpb.PingRequest{})
		late := ping.Err() != nil && ctx.Err() == nil
		cancel()
		if err != nil && late {
			s.kill(session.NewEnd(session.EndWorkerHung, ""))
			return
		}
	}
}

// kill ends the process at once, for a reason that counts unless the worker has given one.
func (s *Session) kill(why session.End) {
	s.mu.Lock()
	if s.killed == nil {
		s.killed = &why
	}
	s.mu.Unlock()
	s.log.Warn("killing the worker", "code", why.Code, "message", why.Message)
	_ = s.process.cmd.Process.Kill() // it may have exited just now
}

// killAfter kills the process unless it has exited by then. An earlier deadline stays.
func (s *Session) killAfter(d time.Duration, why session.End) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.exited:
		return
	default:
	}
	if s.deadline == nil {
		s.deadline = time.AfterFunc(d, func() { s.kill(why) })
	}
}

// ID is the session's id.
func (s *Session) ID() string { return s.id }

// Done is closed when the worker is gone and everybody has been told.
func (s *Session) Done() <-chan struct{} { return s.done }

// Snapshot returns how the session is now.
func (s *Session) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// Offer is a WHEP offer.
type Offer struct {
	Person        session.Person
	Role          session.Role
	ClientAddress string
	SDP           string
	Announced     bool // the session's own person is told that this one watches
}

// Answer is the answer to one.
type Answer struct{ ViewerID, SDP string }

// Offer lets a browser in. It returns an error wrapping ErrOffer, ErrTooManyViewers, ErrControlTaken or ErrEnded.
func (s *Session) Offer(ctx context.Context, o Offer) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := s.client.Offer(ctx, &workerpb.OfferRequest{
		Person: &workerpb.Person{Id: o.Person.ID, Name: o.Person.Name}, Role: string(o.Role), ClientAddress: o.ClientAddress, Sdp: o.SDP,
		Announced: o.Announced,
	})
	if err != nil {
		return Answer{}, s.callError(err, ErrOffer)
	}
	return Answer{r.GetViewerId(), r.GetSdp()}, nil
}

// AddCandidates adds trickled candidates. It returns an error wrapping ErrFragment, ErrUnknownViewer or ErrEnded.
func (s *Session) AddCandidates(ctx context.Context, viewer, fragment string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.AddCandidates(ctx, &workerpb.AddCandidatesRequest{ViewerId: viewer, Fragment: fragment})
	return s.callError(err, ErrFragment)
}

// CloseViewer ends a viewer. It returns an error wrapping ErrUnknownViewer or ErrEnded.
func (s *Session) CloseViewer(ctx context.Context, viewer, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.CloseViewer(ctx, &workerpb.CloseViewerRequest{ViewerId: viewer, Reason: reason})
	return s.callError(err, ErrUnknownViewer)
}

// Terminate tells the worker to end the session in good order, and kills it when it does not. It returns when the worker
// has been told; Done tells of the end. Ending twice is no error.
func (s *Session) Terminate(ctx context.Context, by session.Person, end session.End) error {
	s.ending.Store(true)
	s.killAfter(endTimeout, session.NewEnd(session.EndWorkerHung, "it did not end"))
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Terminate(ctx, &workerpb.TerminateRequest{By: personOut(by), Code: string(end.Code), Message: end.Message})
	if err := s.callError(err, ErrEnded); err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	return nil
}

// Announce shows the people in the session that it is going to end. The zero value takes that back. It returns an error
// wrapping ErrEnded.
func (s *Session) Announce(ctx context.Context, e session.Ending) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req := &workerpb.NotifyRequest{Kind: notifyClear}
	if e.Code != "" {
		req = &workerpb.NotifyRequest{
			Kind: notifyEnding, Code: string(e.Code), Text: e.Message,
			RemainingMs: uint32(min(max(0, time.Until(e.Deadline).Milliseconds()), math.MaxUint32)),
		}
	}
	_, err := s.client.Notify(ctx, req)
	return s.callError(err, ErrEnded)
}

// Permit changes which ways the clipboard may go. It returns an error wrapping ErrEnded.
func (s *Session) Permit(ctx context.Context, toTarget, fromTarget bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Permit(ctx, &workerpb.PermitRequest{ClipboardToTarget: toTarget, ClipboardFromTarget: fromTarget})
	return s.callError(err, ErrEnded)
}

// SetRules changes the rules of detection, a detect.File in JSON; empty: nothing is detected. It returns an error wrapping ErrRules where
// they cannot be used, and one wrapping ErrEnded.
func (s *Session) SetRules(ctx context.Context, rules []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.SetRules(ctx, &workerpb.SetRulesRequest{Detection: rules})
	return s.callError(err, ErrRules)
}

// callError reads what a worker refused. invalid is what an argument it cannot use means.
func (s *Session) callError(err, invalid error) error {
	if err == nil {
		return nil
	}
	st := status.Convert(err)
	for _, detail := range st.Details() {
		if r, ok := detail.(*workerpb.Refused); ok && codePattern.MatchString(r.GetCode()) {
			return &RefusedError{r.GetCode(), bounded(r.GetMessage())}
		}
	}
	kind := error(nil)
	switch st.Code() {
	case codes.InvalidArgument:
		kind = invalid
	case codes.ResourceExhausted:
		kind = ErrTooManyViewers
	case codes.FailedPrecondition:
		kind = ErrControlTaken
	case codes.NotFound:
		kind = ErrUnknownViewer
	case codes.Unavailable:
		kind = ErrEnded
	default:
		if s.ending.Load() {
			kind = ErrEnded
		} else {
			return fmt.Errorf("worker: %s: %s", st.Code(), bounded(st.Message()))
		}
	}
	return fmt.Errorf("%w: %s", kind, bounded(st.Message()))
}
