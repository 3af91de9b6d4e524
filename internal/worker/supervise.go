package worker

import (
	"context"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

// Freeze implements workerpb.WorkerServer.
func (c *control) Freeze(ctx context.Context, req *workerpb.FreezeRequest) (*workerpb.FreezeResponse, error) {
	return &workerpb.FreezeResponse{}, c.supervise(func(s *session.Session) error {
		return s.Freeze(ctx, personOf(req.GetBy()), session.End{Code: session.EndCode(req.GetCode()), Message: req.GetMessage()})
	})
}

// Resume implements workerpb.WorkerServer.
func (c *control) Resume(ctx context.Context, req *workerpb.ResumeRequest) (*workerpb.ResumeResponse, error) {
	return &workerpb.ResumeResponse{}, c.supervise(func(s *session.Session) error { return s.Resume(ctx, personOf(req.GetBy())) })
}

// TakeControl implements workerpb.WorkerServer.
func (c *control) TakeControl(ctx context.Context, req *workerpb.TakeControlRequest) (*workerpb.TakeControlResponse, error) {
	return &workerpb.TakeControlResponse{}, c.supervise(func(s *session.Session) error {
		return s.TakeOver(ctx, personOf(req.GetBy()), req.GetViewerId(), req.GetFrom())
	})
}

// ReleaseControl implements workerpb.WorkerServer.
func (c *control) ReleaseControl(ctx context.Context, req *workerpb.ReleaseControlRequest) (*workerpb.ReleaseControlResponse, error) {
	return &workerpb.ReleaseControlResponse{}, c.supervise(func(s *session.Session) error { return s.Release(ctx, personOf(req.GetBy())) })
}

// ShowMessage implements workerpb.WorkerServer.
func (c *control) ShowMessage(ctx context.Context, req *workerpb.ShowMessageRequest) (*workerpb.ShowMessageResponse, error) {
	r := &workerpb.ShowMessageResponse{}
	return r, c.supervise(func(s *session.Session) (err error) {
		r.Id, err = s.Message(ctx, personOf(req.GetFrom()), req.GetText())
		return err
	})
}

// Answer implements workerpb.WorkerServer.
func (c *control) Answer(ctx context.Context, req *workerpb.AnswerRequest) (*workerpb.AnswerResponse, error) {
	r := &workerpb.AnswerResponse{}
	return r, c.supervise(func(s *session.Session) (err error) {
		r.Sent, err = s.Answer(ctx, session.Reply{
			Question: req.GetQuestion(), Viewer: req.GetViewerId(), By: personOf(req.GetBy()), Reason: req.GetReason(), Refuse: req.GetRefuse(),
		})
		return err
	})
}

// supervise does something to the session.
func (c *control) supervise(fn func(s *session.Session) error) error {
	a, err := c.running()
	if err != nil {
		return err
	}
	if err := fn(a.session); err != nil {
		return sessionFailure(err)
	}
	return nil
}

// personOf reads whom serve speaks for.
func personOf(p *workerpb.Person) session.Person {
	return session.Person{ID: p.GetId(), Name: p.GetName()}
}

// Freeze stops the session for its own person; by without a name is the gateway, by a rule. It returns a *RefusedError or an error
// wrapping ErrEnded.
func (s *Session) Freeze(ctx context.Context, by session.Person, why session.End) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Freeze(ctx, &workerpb.FreezeRequest{By: personOut(by), Code: string(why.Code), Message: why.Message})
	return s.callError(err, ErrEnded)
}

// Resume lets a frozen session go on. It returns a *RefusedError or an error wrapping ErrEnded.
func (s *Session) Resume(ctx context.Context, by session.Person) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Resume(ctx, &workerpb.ResumeRequest{By: personOut(by)})
	return s.callError(err, ErrEnded)
}

// TakeOver gives a viewer of by's control, as session.Session.TakeOver does. It returns a *RefusedError or an error wrapping ErrEnded.
func (s *Session) TakeOver(ctx context.Context, by session.Person, viewer string, from bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.TakeControl(ctx, &workerpb.TakeControlRequest{By: personOut(by), ViewerId: viewer, From: from})
	return s.callError(err, ErrEnded)
}

// Release gives control back. It returns a *RefusedError or an error wrapping ErrEnded.
func (s *Session) Release(ctx context.Context, by session.Person) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.ReleaseControl(ctx, &workerpb.ReleaseControlRequest{By: personOut(by)})
	return s.callError(err, ErrEnded)
}

// Message shows a text to the session's own person, and returns its id. It returns a *RefusedError or an error wrapping ErrEnded.
func (s *Session) Message(ctx context.Context, from session.Person, text string) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := s.client.ShowMessage(ctx, &workerpb.ShowMessageRequest{From: personOut(from), Text: text})
	return bounded(r.GetId()), s.callError(err, ErrEnded)
}

// Answer takes what somebody says to a rule that asks why, as session.Session.Answer does. It returns a *RefusedError or an error wrapping
// ErrEnded.
func (s *Session) Answer(ctx context.Context, a session.Reply) (sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := s.client.Answer(ctx, &workerpb.AnswerRequest{
		By: personOut(a.By), ViewerId: a.Viewer, Question: a.Question, Reason: a.Reason, Refuse: a.Refuse,
	})
	return r.GetSent(), s.callError(err, ErrEnded)
}
