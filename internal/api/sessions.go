package api

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api/apigen"
	"github.com/vitrine-psm/vitrine/internal/policy"
	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/target"
)

// Sessions runs sessions and remembers them. What it refuses it says with an *Error, store.ErrNotFound for a session
// that never was.
type Sessions interface {
	// Create returns when the desktop is there, or has failed.
	Create(ctx context.Context, n NewSession) (Session, error)
	Get(ctx context.Context, id string) (Session, error)
	List(ctx context.Context, f store.SessionFilter) ([]Session, error)
	Offer(ctx context.Context, id string, o Offer) (Answer, error)
	AddCandidates(ctx context.Context, id, viewer, fragment string) error
	CloseViewer(ctx context.Context, id, viewer string) error
	// Terminate returns when the session has been told to end.
	Terminate(ctx context.Context, id, code, message string) error
}

// NewSession is what a session is to be.
type NewSession struct {
	Subject       policy.Subject
	Target        target.Target
	ClientAddress string
	Width, Height int // wished; 0: no wish
}

// Session is a session as the store remembers it and, while it runs, as it is at this moment.
type Session struct {
	store.Session
	Viewers   []Viewer
	FrameRate float64 // frames a second of late; only while it runs
	Bitrate   float64 // bits a second of late; only while it runs
	Frames    uint64  // encoded since the beginning; only while it runs
	Bytes     uint64  // of video since the beginning; only while it runs
}

// Viewer is somebody who sees a session.
type Viewer struct {
	ID         string
	PersonID   string
	PersonName string
	Role       string // control or view
	Address    string
}

// Offer is a WHEP offer.
type Offer struct {
	Subject       policy.Subject
	Role          string // control or view
	ClientAddress string
	SDP           string
}

// Answer is the answer to an offer.
type Answer struct {
	Viewer string
	SDP    string
}

// Reasons to end a session, from here.
const (
	endByOwner = "user_disconnected"
	endByOther = "user_terminated"
)

// ListSessions answers with the sessions the caller may see.
func (h *handlers) ListSessions(ctx context.Context, r apigen.ListSessionsRequestObject) (apigen.ListSessionsResponseObject, error) {
	ctx, in := enter(ctx)
	filter := store.SessionFilter{Limit: valueOr(r.Params.Limit, defaultSessionPage), Before: valueOr(r.Params.Before, "")}
	switch valueOr(r.Params.State, apigen.ListSessionsParamsStateRunning) {
	case apigen.ListSessionsParamsStateRunning:
		filter.Running = new(true)
	case apigen.ListSessionsParamsStateEnded:
		filter.Running = new(false)
	}
	list, err := h.sessions.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := apigen.ListSessions200JSONResponse{Sessions: []apigen.Session{}}
	for i := range list {
		if h.mayWatch(ctx, in, &list[i].Session) == nil {
			out.Sessions = append(out.Sessions, sessionOut(&list[i]))
		}
	}
	if len(list) == filter.Limit {
		out.Next = &list[len(list)-1].ID
	}
	return out, nil
}

// CreateSession connects to a target.
func (h *handlers) CreateSession(ctx context.Context, r apigen.CreateSessionRequestObject) (apigen.CreateSessionResponseObject, error) {
	ctx, in := enter(ctx)
	patient(in.writer, 0) // the target may take longer than an answer has
	t, err := h.targets.Get(ctx, r.Body.TargetId)
	if err != nil {
		return nil, err
	}
	if err := h.may(ctx, in, policy.Connect, targetResource(t)); err != nil {
		return nil, err
	}
	s, err := h.sessions.Create(ctx, NewSession{
		Subject: in.subject, Target: t, ClientAddress: in.address,
		Width: valueOr(r.Body.Width, 0), Height: valueOr(r.Body.Height, 0),
	})
	if err != nil {
		return nil, err
	}
	patient(in.writer, answerTimeout)
	return apigen.CreateSession201JSONResponse{
		Body:    sessionOut(&s),
		Headers: apigen.CreateSession201ResponseHeaders{Location: new(BasePath + "/sessions/" + s.ID)},
	}, nil
}

// GetSession answers with one session.
func (h *handlers) GetSession(ctx context.Context, r apigen.GetSessionRequestObject) (apigen.GetSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	return apigen.GetSession200JSONResponse(sessionOut(&s)), nil
}

// TerminateSession ends a session in good order.
func (h *handlers) TerminateSession(ctx context.Context, r apigen.TerminateSessionRequestObject) (apigen.TerminateSessionResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.sessions.Get(ctx, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	if err := h.may(ctx, in, policy.Terminate, sessionResource(&s.Session)); err != nil {
		return nil, err
	}
	code, message := endByOwner, fmt.Sprintf("%s disconnected.", in.subject.Name)
	if s.UserID != in.subject.ID {
		code, message = endByOther, fmt.Sprintf("%s ended the session.", in.subject.Name)
	}
	if r.Body != nil && valueOr(r.Body.Reason, "") != "" {
		message = *r.Body.Reason
	}
	if err := h.sessions.Terminate(ctx, s.ID, code, message); err != nil {
		return nil, err
	}
	return apigen.TerminateSession204Response{}, nil
}

// OfferViewer lets a browser see, or control, a session.
func (h *handlers) OfferViewer(ctx context.Context, r apigen.OfferViewerRequestObject) (apigen.OfferViewerResponseObject, error) {
	ctx, in := enter(ctx)
	s, err := h.watchable(ctx, in, r.SessionParameter)
	if err != nil {
		return nil, err
	}
	role := valueOr(r.Params.Role, apigen.OfferViewerParamsRoleView)
	if role == apigen.OfferViewerParamsRoleControl && s.UserID != in.subject.ID {
		if err := h.may(ctx, in, policy.TakeOver, sessionResource(&s.Session)); err != nil {
			return nil, err
		}
	}
	sdp, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a, err := h.sessions.Offer(ctx, s.ID, Offer{Subject: in.subject, Role: string(role), ClientAddress: in.address, SDP: string(sdp)})
	if err != nil {
		return nil, err
	}
	return offerAnswer{
		sdp: a.SDP, location: fmt.Sprintf("%s/sessions/%s/whep/%s", BasePath, s.ID, a.Viewer), relays: h.relaysFor(in, &s),
	}, nil
}

// offerAnswer is written here because the generated type takes a reader.
type offerAnswer struct {
	sdp, location string
	relays        []RelayCredential
}

// VisitOfferViewerResponse implements apigen.OfferViewerResponseObject.
func (a offerAnswer) VisitOfferViewerResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", a.location)
	linkRelays(w.Header(), a.relays)
	w.WriteHeader(http.StatusCreated)
	_, err := io.WriteString(w, a.sdp)
	return err
}

// TrickleViewer adds ICE candidates of the caller's own viewer.
func (h *handlers) TrickleViewer(ctx context.Context, r apigen.TrickleViewerRequestObject) (apigen.TrickleViewerResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.ownViewer(ctx, in, r.SessionParameter, r.ViewerParameter, policy.TakeOver); err != nil {
		return nil, err
	}
	fragment, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := h.sessions.AddCandidates(ctx, r.SessionParameter, r.ViewerParameter, string(fragment)); err != nil {
		return nil, err
	}
	return apigen.TrickleViewer204Response{}, nil
}

// CloseViewer ends a viewer: one's own, or anybody's with the right to end the session.
func (h *handlers) CloseViewer(ctx context.Context, r apigen.CloseViewerRequestObject) (apigen.CloseViewerResponseObject, error) {
	ctx, in := enter(ctx)
	if err := h.ownViewer(ctx, in, r.SessionParameter, r.ViewerParameter, policy.Terminate); err != nil {
		return nil, err
	}
	if err := h.sessions.CloseViewer(ctx, r.SessionParameter, r.ViewerParameter); err != nil {
		return nil, err
	}
	return apigen.CloseViewer204Response{}, nil
}

// ownViewer checks that the viewer is the caller's, or that they may do action to the session. A viewer too fresh to be
// listed passes: its id is as hard to guess as a password.
func (h *handlers) ownViewer(ctx context.Context, in *call, id, viewer string, action policy.Action) error {
	s, err := h.watchable(ctx, in, id)
	if err != nil {
		return err
	}
	for _, v := range s.Viewers {
		if v.ID == viewer && v.PersonID != in.subject.ID {
			return h.may(ctx, in, action, sessionResource(&s.Session))
		}
	}
	return nil
}

// watchable returns the session if the caller may see it.
func (h *handlers) watchable(ctx context.Context, in *call, id string) (Session, error) {
	s, err := h.sessions.Get(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return s, h.mayWatch(ctx, in, &s.Session)
}

// mayWatch: one's own sessions need the right to connect, others' the right to view.
func (h *handlers) mayWatch(ctx context.Context, in *call, s *store.Session) error {
	if s.UserID == in.subject.ID {
		return h.may(ctx, in, policy.Connect, sessionResource(s))
	}
	return h.may(ctx, in, policy.ViewLive, sessionResource(s))
}

func sessionResource(s *store.Session) policy.Resource {
	return policy.Resource{Kind: policy.KindSession, ID: s.ID, Owner: s.UserID}
}

func sessionOut(s *Session) apigen.Session {
	out := apigen.Session{
		Id: s.ID, State: apigen.SessionState(s.State), StartedAt: s.StartedAt,
		User:          apigen.Person{Id: s.UserID, Name: s.UserName},
		ClientAddress: optional(s.ClientAddress), DesktopName: optional(s.DesktopName),
		Width: optional(s.Width), Height: optional(s.Height), Viewers: []apigen.Viewer{},
	}
	out.Target.Id, out.Target.Name, out.Target.Protocol = s.TargetID, s.TargetName, s.TargetProtocol
	for _, v := range s.Viewers {
		out.Viewers = append(out.Viewers, apigen.Viewer{
			Id: v.ID, Person: apigen.Person{Id: v.PersonID, Name: v.PersonName}, Role: apigen.ViewerRole(v.Role), Address: optional(v.Address),
		})
	}
	if s.State == store.StateEnded {
		out.EndedAt = &s.EndedAt
		out.End = &apigen.End{Code: s.EndCode, Message: s.EndMessage}
		return out
	}
	out.FrameRate, out.Bitrate = new(float32(s.FrameRate)), new(float32(s.Bitrate))
	out.Frames, out.Bytes = new(int64(min(s.Frames, math.MaxInt64))), new(int64(min(s.Bytes, math.MaxInt64)))
	return out
}
