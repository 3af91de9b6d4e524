package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/identity"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
)

// FreezeSession stops a session for its own person.
func (h *handlers) FreezeSession(ctx context.Context, r apigen.FreezeSessionRequestObject) (apigen.FreezeSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.supervised(ctx, in, policy.Freeze, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "reason", r.Body.Reason)
	if err := h.sessions.Freeze(ctx, s.ID, in.subject, r.Body.Reason); err != nil {
		return nil, err
	}
	return apigen.FreezeSession204Response{}, nil
}

// ResumeSession lets a frozen session go on.
func (h *handlers) ResumeSession(ctx context.Context, r apigen.ResumeSessionRequestObject) (apigen.ResumeSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.supervised(ctx, in, policy.Freeze, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	if err := h.sessions.Resume(ctx, s.ID, in.subject); err != nil {
		return nil, err
	}
	return apigen.ResumeSession204Response{}, nil
}

// TakeControl gives a viewer of the caller's control of somebody's session.
func (h *handlers) TakeControl(ctx context.Context, r apigen.TakeControlRequestObject) (apigen.TakeControlResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.supervised(ctx, in, policy.TakeOver, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	viewer, fromOther := "", false
	if r.Body != nil {
		viewer, fromOther = valueOr(r.Body.Viewer, ""), valueOr(r.Body.FromOther, false)
	}
	if s.Control != nil {
		audit.Detail(ctx, "from", s.Control.PersonName)
	}
	if err := h.sessions.TakeControl(ctx, s.ID, in.subject, viewer, fromOther); err != nil {
		return nil, err
	}
	return apigen.TakeControl204Response{}, nil
}

// ReleaseControl gives it back.
func (h *handlers) ReleaseControl(ctx context.Context, r apigen.ReleaseControlRequestObject) (apigen.ReleaseControlResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.supervised(ctx, in, policy.TakeOver, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	if err := h.sessions.ReleaseControl(ctx, s.ID, in.subject); err != nil {
		return nil, err
	}
	return apigen.ReleaseControl204Response{}, nil
}

// SendMessage shows a text to the person in a session. The audit log has its id: the text is in the recording.
func (h *handlers) SendMessage(ctx context.Context, r apigen.SendMessageRequestObject) (apigen.SendMessageResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.supervised(ctx, in, policy.Message, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	id, err := h.sessions.Message(ctx, s.ID, in.subject, r.Body.Text)
	if err != nil {
		return nil, err
	}
	audit.Detail(ctx, "message_id", id)
	return apigen.SendMessage201JSONResponse{Id: id}, nil
}

// AnswerQuestion takes what the caller says to a rule that asks them why. Whether it is they, the session knows: it is whoever has control of it.
func (h *handlers) AnswerQuestion(ctx context.Context, r apigen.AnswerQuestionRequestObject) (apigen.AnswerQuestionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	a := Reply{Question: r.Body.Question, Viewer: valueOr(r.Body.Viewer, ""), Reason: valueOr(r.Body.Reason, ""), Refuse: valueOr(r.Body.Refuse, false)}
	audit.Detail(ctx, "question", a.Question)
	if a.Refuse {
		a.Reason = ""
		audit.Detail(ctx, "answer", "refused")
	} else {
		audit.Detail(ctx, "answer", "given")
		audit.Detail(ctx, "reason", a.Reason)
	}
	if s.Question != nil && s.Question.PersonID != in.subject.ID || s.Question == nil && s.UserID != in.subject.ID {
		return nil, &Error{Status: http.StatusForbidden, Code: "not_in_control", Detail: "Only who was asked and has control of the desktop can answer."}
	}
	sent, err := h.sessions.Answer(ctx, s.ID, in.subject, a)
	if err != nil {
		return nil, err
	}
	return apigen.AnswerQuestion200JSONResponse{Sent: sent}, nil
}

// supervised returns a session to which the caller may do action.
func (h *handlers) supervised(ctx context.Context, in *call, action policy.Action, id string) (Session, error) {
	s, err := h.sessions.Get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return s, h.may(ctx, in, action, sessionResource(&s.Session))
}

// watching is mayWatch, and tells whether the session's own person is to be told.
func (h *handlers) watching(ctx context.Context, in *call, s *store.Session) (announced bool, err error) {
	d, err := policy.Check(ctx, h.authorizer, in.query(policy.ViewLive, sessionResource(s)))
	audit.DecidedBy(ctx, d.Policies...)
	if err != nil || s.UserID == in.subject.ID {
		return false, err
	}
	announced = d.Obligations.Watching == policy.WatchingAnnounced
	if announced {
		audit.Detail(ctx, "watching", policy.WatchingAnnounced)
	} else {
		audit.Detail(ctx, "watching", policy.WatchingSilent)
	}
	return announced, nil
}

// lockOut takes the person of a session away from the gateway: they may not sign in any more, their sign-ins and tokens are over, and their
// other sessions end. Whoever may only end a session must not thereby keep people from their work, so it takes a right of its own, and that
// to manage users where it is an administrator's session: nobody without it decides who manages Vitrine.
func (h *handlers) lockOut(ctx context.Context, in *call, s *store.Session) error {
	if s.UserID == in.subject.ID {
		return &Error{Status: http.StatusConflict, Code: "own_user", Detail: "You cannot lock yourself out."}
	}
	if err := h.may(ctx, in, policy.LockUser, sessionResource(s)); err != nil {
		return err
	}
	u, err := h.users.User(ctx, s.UserID)
	if err != nil {
		return err
	}
	if slices.Contains(u.Roles, string(policy.Administrator)) {
		if err := h.manageUsers(ctx, in); err != nil {
			return err
		}
	}
	if _, err := h.users.UpdateUser(ctx, s.UserID, identity.Change{Disabled: new(true)}); err != nil {
		return err
	}
	audit.Detail(ctx, "locked_user", s.UserName)
	running, err := h.sessions.List(ctx, store.SessionFilter{User: s.UserID, Running: new(true), Limit: maxLockedSessions})
	if err != nil {
		return err
	}
	for i := range running {
		if other := running[i].ID; other != s.ID {
			if err := h.sessions.Terminate(ctx, other, in.subject, endLocked, "This account may not be used any more."); err != nil && errorOf(err).Code != "session_ended" {
				return err
			}
		}
	}
	return nil
}

const (
	// endLocked is the reason of the other sessions of somebody who was locked out.
	endLocked = "user_disabled"
	// maxLockedSessions is how many are ended at once; the Keeper ends the rest within seconds.
	maxLockedSessions = 100
)
