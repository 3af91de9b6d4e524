package serve

import (
	"context"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

// refusedStatuses are the HTTP statuses of what a session refuses a supervisor. What is not here is a conflict with how it stands.
var refusedStatuses = map[string]int{
	session.RefusedTooLong.Code():   http.StatusUnprocessableEntity,
	session.RefusedMalformed.Code(): http.StatusUnprocessableEntity,
	session.RefusedMessages.Code():  http.StatusTooManyRequests,
	session.RefusedReason.Code():    http.StatusUnprocessableEntity,
	session.RefusedNotHolder.Code(): http.StatusForbidden,
}

func (m manager) Freeze(ctx context.Context, id string, by policy.Subject, reason string) error {
	return m.with(id, func(s *worker.Session) error {
		return s.Freeze(ctx, person(by), session.End{Code: session.EndFrozen, Message: reason})
	})
}

func (m manager) Resume(ctx context.Context, id string, by policy.Subject) error {
	return m.with(id, func(s *worker.Session) error { return s.Resume(ctx, person(by)) })
}

func (m manager) TakeControl(ctx context.Context, id string, by policy.Subject, viewer string, fromOther bool) error {
	return m.with(id, func(s *worker.Session) error { return s.TakeOver(ctx, person(by), viewer, fromOther) })
}

func (m manager) ReleaseControl(ctx context.Context, id string, by policy.Subject) error {
	return m.with(id, func(s *worker.Session) error { return s.Release(ctx, person(by)) })
}

func (m manager) Message(ctx context.Context, id string, from policy.Subject, text string) (message string, err error) {
	return message, m.with(id, func(s *worker.Session) (err error) {
		message, err = s.Message(ctx, person(from), text)
		return err
	})
}

func (m manager) Answer(ctx context.Context, id string, by policy.Subject, a api.Reply) (sent bool, err error) {
	return sent, m.with(id, func(s *worker.Session) (err error) {
		sent, err = s.Answer(ctx, session.Reply{Question: a.Question, Viewer: a.Viewer, By: person(by), Reason: a.Reason, Refuse: a.Refuse})
		return err
	})
}

// What the API asks of a session, which has to be running.

func (s *sessions) Freeze(ctx context.Context, id string, by policy.Subject, reason string) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.Freeze(ctx, id, by, reason)
}

func (s *sessions) Resume(ctx context.Context, id string, by policy.Subject) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.Resume(ctx, id, by)
}

func (s *sessions) TakeControl(ctx context.Context, id string, by policy.Subject, viewer string, fromOther bool) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.TakeControl(ctx, id, by, viewer, fromOther)
}

func (s *sessions) ReleaseControl(ctx context.Context, id string, by policy.Subject) error {
	if err := s.running(ctx, id); err != nil {
		return err
	}
	return s.workers.ReleaseControl(ctx, id, by)
}

func (s *sessions) Message(ctx context.Context, id string, from policy.Subject, text string) (string, error) {
	if err := s.running(ctx, id); err != nil {
		return "", err
	}
	return s.workers.Message(ctx, id, from, text)
}

func (s *sessions) Answer(ctx context.Context, id string, by policy.Subject, a api.Reply) (sent bool, err error) {
	if err := s.running(ctx, id); err != nil {
		return false, err
	}
	return s.workers.Answer(ctx, id, by, a)
}
